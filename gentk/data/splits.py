"""Splits: which names of folders and files mean training, validation or test images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from ..errors import DataError

__all__ = ["AmbiguousSplits", "Split", "hints_at_split", "read_splits", "split_of", "split_of_file"]

Split = Literal["train", "validation", "test"]

_WORDS: Final[dict[str, Split]] = {
    **dict.fromkeys(("train", "training", "trainset", "trainval", "trn"), "train"),
    **dict.fromkeys(("test", "testing", "testset", "tst"), "test"),
    **dict.fromkeys(
        ("val", "valid", "validation", "valset", "dev", "devset", "eval", "evaluation", "holdout"),
        "validation",
    ),
}
_FILLERS: Final = frozenset(
    {"set", "split", "data", "dataset", "image", "images", "img", "imgs", "folder", "part"}
)
"""Words that may stand beside that of a split and change nothing: `test_set`, `train-images`."""

_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


class AmbiguousSplits(DataError):
    """Names that may be splits and may be classes; the message says how each reading would go."""


def split_of(name: str) -> Split | None:
    """Return the split that a name means, in any case: `Train`, `test_set`, `val2017`; or None."""
    words = [piece.lower() for piece in _PIECE.findall(name)]
    meant = {_WORDS[word] for word in words if word in _WORDS}
    others = [w for w in words if w not in _WORDS and w not in _FILLERS and not w.isdigit()]
    return meant.pop() if len(meant) == 1 and not others else None


def hints_at_split(name: str) -> Split | None:
    """Return the split that a word of a name means, whatever else is in it: `trainA`, `seg_test`."""
    words = [piece.lower() for piece in _PIECE.findall(name)]
    return next((_WORDS[word] for word in words if word in _WORDS), None)


def split_of_file(stem: str) -> tuple[Split | None, str]:
    """Return the split that a word of a file's name means, and the name without what says so.

    `cifar10-train` gives train and `cifar10`; so does `cifar10-train-00001-of-00003`, the number of
    a shard being no part of a name.
    """
    words = re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", stem))
    bare = [
        word
        for place, word in enumerate(words)
        if not _is_number(word)
        and not (word == "of" and _is_number("".join(words[place + 1 :][:1])))
    ]
    meant = [_WORDS[word.lower()] for word in bare if word.lower() in _WORDS]
    kept = [word for word in bare if word.lower() not in _WORDS]
    return (meant[-1] if meant else None), "-".join(kept)


def read_splits(
    names: Sequence[str], *, beside: int = 0, forced: bool = False
) -> dict[Split, str] | None:
    """Return which of some folders that hold images is which split; None if they are classes.

    Args:
        names: The folders.
        beside: Images that lie beside the folders, in none of them.
        forced: Take what can be read as splits as such.

    Returns:
        At least `train`, and `test` or `validation`, unless forced.

    Raises:
        AmbiguousSplits: Both readings make sense.
    """
    by_split: dict[Split, list[str]] = {}
    for name in sorted(names):
        meant = split_of(name)
        if meant is not None:
            by_split.setdefault(meant, []).append(name)
    others = [name for name in names if split_of(name) is None]
    if not by_split:
        hints = [hints_at_split(name) for name in names]
        if "train" in hints and {"test", "validation"} & set(hints):
            raise AmbiguousSplits(f"{_listed(names)} may be classes, or each a split of something")
        return None
    for meant, several in by_split.items():
        if len(several) > 1:
            raise AmbiguousSplits(
                f"{_listed(several)} may be classes, or are {len(several)} folders of the "
                f"{meant} split"
            )
    splits = {meant: several[0] for meant, several in by_split.items()}
    whole = "train" in splits and len(splits) > 1
    if whole or forced:
        return splits
    left = [*others, *([f"{beside:,} images beside them"] if beside else [])]
    rest = f" and {_listed(left)} left out" if left else ""
    known = " and ".join(f"{name} is the {meant} split" for meant, name in splits.items())
    raise AmbiguousSplits(f"{_listed(names)} may be classes, or {known}{rest}")


def _is_number(word: str) -> bool:
    """Say whether a word is the number of a shard, or the mark of its content: digits, or 8 and
    more of hexadecimal.
    """
    return word.isdigit() or re.fullmatch(r"[0-9a-f]{8,}", word) is not None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
