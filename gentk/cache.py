"""The cache: summaries of data sets, computed once per content and kept as safetensors.

A key is a digest of everything that decides the result (data, split, extractor weights, layers,
preprocessing, what is summarised, the format); nothing is ever found under the wrong name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .summary import Summary

__all__ = ["Cache", "cache_folder"]

FORMAT = 1


def cache_folder() -> Path:
    """Return where gentk keeps what it can compute again: `$GENTK_CACHE` or `~/.cache/gentk`."""
    return Path(os.environ.get("GENTK_CACHE") or Path.home() / ".cache" / "gentk")


class Cache:
    """Summaries on disk under content keys.

    Args:
        folder: Where; by default `statistics` in `cache_folder()`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "statistics"

    def fetch(
        self, key: Sequence[str], kind: type[Summary], compute: Callable[[], Summary]
    ) -> Summary:
        """Return the summary under a key, computing and keeping it if it is not there.

        A file that cannot be read counts as absent; a cache that cannot be written is done without.
        """
        own = [str(FORMAT), kind.__name__, str(kind.format)]
        digest = hashlib.blake2b("\n".join([*own, *key]).encode(), digest_size=16)
        path = self.folder / f"{digest.hexdigest()}.safetensors"
        found = _read(path, kind)
        if found is not None:
            return found
        summary = compute()
        with contextlib.suppress(OSError, SafetensorError):
            _write(path, summary)
        return summary


def _read(path: Path, kind: type[Summary]) -> Summary | None:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return kind.restore(tensors, json.loads(file.metadata()["summary"]))
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


def _write(path: Path, summary: Summary) -> None:
    tensors, fields = summary.store()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        save_file(tensors, name, metadata={"summary": json.dumps(fields)})
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
