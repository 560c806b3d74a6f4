"""The cache: what is known of data sets, computed once per content and kept as safetensors.

A key is a digest of everything that decides the result (data, split, extractor weights, layers,
preprocessing, what is summarised, the format); nothing is ever read under the wrong name. Any number of
processes may use one cache: an entry appears whole, and one that is damaged is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar

from safetensors import SafetensorError, safe_open
from torch import Tensor

from .files import Damaged, NotRegular, cause, clear, is_sealed, note
from .tensors import write_tensors

__all__ = ["Cache", "Kept", "cache_folder"]

FORMAT = 1
FIELDS = "summary"
"""The metadata of an entry that hold what is not a tensor."""


def cache_folder() -> Path:
    """Return where gentk keeps what it can compute again: `$GENTK_CACHE` or `~/.cache/gentk`."""
    return Path(os.environ.get("GENTK_CACHE") or Path.home() / ".cache" / "gentk")


class Kept(Protocol):
    """What can be kept: summaries, clusterings.

    Attributes:
        format: Raised whenever what `store` returns changes its meaning.
    """

    format: ClassVar[int]

    def store(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return tensors and JSON-able fields from which `restore` makes the same again."""
        ...

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> Self:
        """Make it from what `store` returned."""
        ...


K = TypeVar("K", bound=Kept)


class Cache:
    """Summaries and the like on disk under content keys.

    Args:
        folder: Where; by default `statistics` in `cache_folder()`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "statistics"

    def fetch(self, key: Sequence[str], kind: type[K], compute: Callable[[], K]) -> K:
        """Return what is under a key, computing and keeping it if it is not there."""
        kept = self.find(key, kind)
        if kept is not None:
            return kept
        fresh = compute()
        self.keep(key, fresh)
        return fresh

    def find(self, key: Sequence[str], kind: type[K]) -> K | None:
        """Return what is under a key, if it is there; a damaged entry is told of, and is not."""
        return _read(self._place(key, kind), kind)

    def keep(self, key: Sequence[str], fresh: Kept) -> None:
        """Keep something under a key; a cache that cannot be written is told of and done without."""
        try:
            _write(self._place(key, type(fresh)), fresh)
        except (OSError, SafetensorError) as error:
            reason, _ = cause(error)
            note(f"the cache {self.folder} cannot be written ({reason}): it is done without")

    def _place(self, key: Sequence[str], kind: type[Kept]) -> Path:
        """Return the file of a key."""
        own = [str(FORMAT), kind.__name__, str(kind.format)]
        digest = hashlib.blake2b("\n".join([*own, *key]).encode(), digest_size=16)
        return self.folder / f"{digest.hexdigest()}.safetensors"


def _read(path: Path, kind: type[K]) -> K | None:
    """Return an entry, or None if there is none that can be read."""
    try:
        is_sealed(path)
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
            if metadata.keys() - {FIELDS, "checksum"}:
                raise Damaged("its metadata have keys that nobody wrote")
            return kind.restore(tensors, json.loads(metadata[FIELDS]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except NotRegular as error:
        note(f"the cache entry {path} is passed over: {error.strerror}")
    except Exception as error:  # Whatever a damaged entry does to whoever restores it.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        note(f"the cache entry {path} is damaged ({reason}): it is made again")
    return None


def _write(path: Path, kept: Kept) -> None:
    tensors, fields = kept.store()
    path.parent.mkdir(parents=True, exist_ok=True)
    clear(path.parent)
    write_tensors(path, tensors, {FIELDS: json.dumps(fields)})
