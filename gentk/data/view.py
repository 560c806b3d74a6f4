"""Views: which images of a source are taken, and how they are brought to one shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import BadOption, DataError, NoSplit
from ..files import open_regular
from .permutation import permutation
from .pseudo import PseudoLabels
from .sizes import bytes_of

__all__ = ["View"]

LARGEST = 4096
"""The largest side, in pixels, that images are brought to."""

# The first numbers of the keys of permutations; samplers and others use more of them.
_SPLIT = 0
_LIMIT = 5


@dataclass(frozen=True, kw_only=True)
class View:
    """The options that every data name takes, whatever its source.

    Attributes:
        split: Which images. `validation` images are held out of the train split.
        size: Resize the shorter side to `size` pixels (bilinear, antialiased), then cut the central
            `size` x `size` square; images of that size are left alone.
        channels: 1 for grey (luma), 3 for colour; None leaves images as they are, or makes all of
            them colour where some are.
        limit: Take only `limit` images of the split, drawn by `split_seed`; their order stays the
            source's.
        validation: Number of train images to hold out as the validation split.
        split_seed: Seed of the permutations whose first `validation` images are held out, and of
            which `limit` are taken; of k-means too.
        strict: Refuse damaged images instead of skipping them.
        crop: Cut the central `crop` x `crop` square before resizing, as CelebA's 160 -> 64.
        labels: A .npy file of one class index per training image of the source, -1 for none, in its
            order, where test images keep their own; or `kmeans:NUMBER:EXTRACTOR`, the clusters of the
            training images in the features of an extractor (in quotes if it has options), where
            held-out images have the nearest one. They take the place of its own labels.
        memory: Decoded images are held in memory up to this size, such as `500MB` or `2GiB`, or a number
            of GiB; more are decoded, ahead of their use, each time they are used, by each process.
        orientation: `upright` turns photographs as their EXIF orientation says, which is how they
            are seen; `stored` takes pixels as they are stored.
        white: The value of white in pictures of 32-bit integers or floats, which have no other:
            values are multiplied by 255 / white.
    """

    split: Literal["train", "validation", "test"] = "train"
    size: int | None = None
    channels: Literal[1, 3] | None = None
    limit: int | None = None
    validation: int = 0
    split_seed: int = 0
    strict: bool = False
    crop: int | None = None
    labels: str | Path | None = None
    memory: float | str = 4.0
    orientation: Literal["upright", "stored"] = "upright"
    white: float | None = None

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        _choose("split", self.split, ("train", "validation", "test"))
        _choose("channels", self.channels, (None, 1, 3))
        _choose("orientation", self.orientation, ("upright", "stored"))
        if self.white is not None and not 0 < self.white < math.inf:
            raise BadOption(f"white={self.white} is no value of white: it must be above 0")
        for option in ("size", "limit", "crop"):
            _floor(option, getattr(self, option), 1)
        if self.size is not None and self.size > LARGEST:
            raise BadOption(f"size={self.size} is too large: it must be at most {LARGEST}")
        for option in ("validation", "split_seed"):
            _floor(option, getattr(self, option), 0)
        _ = self.pseudo, self.bytes  # Refuse what they cannot be read as.

    @property
    def pseudo(self) -> PseudoLabels | None:
        """The clusters that `labels` asks for; None for a file or nothing."""
        return None if self.labels is None else PseudoLabels.parse(str(self.labels))

    @property
    def bytes(self) -> int:
        """What `memory` says, in bytes."""
        size = bytes_of(self.memory)
        if size is None:
            raise BadOption(f"memory={self.memory} is no size: write memory=2GB, or memory=0")
        return size

    def select(self, count: int, *, own: bool = False) -> NDArray[np.int64]:
        """Return the indices of the images that the view takes of `count`, ascending.

        Train and validation split partition the train images of the source, unless the source has
        validation images of its own and none are to be held out of the others.

        Args:
            count: The images of the source's split.
            own: Whether they are validation images of its own.

        Raises:
            DataError: When no image is left.
        """
        chosen = np.arange(count)
        if self.split != "test" and not own:
            chosen = np.sort(self._part(count))
        if not len(chosen):
            raise DataError(f"split={self.split} has no images")
        if self.limit is not None and self.limit < len(chosen):
            drawn = permutation(len(chosen), _LIMIT, self.split_seed)[: self.limit]
            chosen = chosen[np.sort(drawn)]
        return chosen

    def relabelled(self, labels: Sequence[int] | None, count: int) -> Sequence[int] | None:
        """Return the labels of `count` records, from the file if there is one for this split.

        Pseudo-labels are none of the source's: whoever has extractors makes them.

        Raises:
            DataError: The file is not there, or does not hold `count` class indices.
        """
        if self.pseudo is not None:
            return None
        if self.labels is None or self.split == "test":
            return labels
        try:
            with open_regular(Path(self.labels)) as file:
                classes = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"labels={self.labels} cannot be read ({' '.join(str(error).split())}): write it with "
                "numpy.save"
            ) from error
        whole = isinstance(classes, np.ndarray) and classes.dtype.kind in "iu"
        if not whole or classes.shape != (count,) or (count and classes.min() < -1):
            form = getattr(classes, "shape", type(classes).__name__)
            raise DataError(
                f"labels={self.labels} holds {form} of {getattr(classes, 'dtype', '?')}: it must be "
                f"({count},) whole numbers, one class index per training image, -1 for none"
            )
        return [int(label) for label in classes]

    def _part(self, count: int) -> NDArray[np.int64]:
        """Return the train or the validation images of `count`, in any order."""
        if self.split == "validation" and not self.validation:
            raise NoSplit(
                "split=validation is empty: add validation=N to hold out N of the training images"
            )
        if count and self.validation >= count:
            raise DataError(
                f"validation={self.validation} leaves none of the {count} training images: "
                f"hold out fewer"
            )
        order = permutation(count, _SPLIT, self.split_seed)
        held = self.split == "validation"
        return order[: self.validation] if held else order[self.validation :]


def _choose(option: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise `BadOption` unless `value` is one of `choices`."""
    if value not in choices:
        known = ", ".join(str(choice) for choice in choices if choice is not None)
        raise BadOption(f"{option}={value} is not known: {option} is one of {known}")


def _floor(option: str, value: float | None, least: int) -> None:
    """Raise `BadOption` if `value` is below `least`."""
    if value is not None and value < least:
        raise BadOption(f"{option}={value} is too small: it must be at least {least}")
