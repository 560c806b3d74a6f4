"""Weights files: which file a frozen network's weights are in, and where it is or would be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["WeightsFile"]


@dataclass(frozen=True)
class WeightsFile:
    """The file that an extractor's weights are read from.

    Attributes:
        source: The file, and where it is published.
        path: Where it is; of one that is not here the file or folder in which it would be kept.
        here: Whether it is here.
        digest: Its SHA-256 as published, or the beginning of it, in hexadecimal; None if the file is
            not here and nothing was published apart from it.
    """

    source: str
    path: Path
    here: bool
    digest: str | None = None
