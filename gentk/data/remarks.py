"""Remarks: what decoding did to images besides reading them, counted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

__all__ = ["SENTENCES", "Remarks"]

SENTENCES: Final[Mapping[str, str]] = {
    "turned": "{} turned upright by their EXIF orientation; orientation=stored takes them as stored",
    "converted": "{} converted from their colour profile (ICC) to sRGB",
    "unreadable": "{} with a colour profile (ICC) that cannot be read, which is ignored",
    "white": "{} with 32-bit pixels scaled so that white={} is 255",
    "frames": "{} with several frames, of which the first is taken",
}
"""What may be remarked of an image, and the sentence for how many it is true of."""


class Remarks:
    """Counts of what was remarked; threads may add at the same time."""

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        self._counts: Counter[str] = Counter(counts or {})
        self._lock = threading.Lock()

    def add(self, remark: str) -> None:
        """Count one image of which a key of `SENTENCES` is true."""
        with self._lock:
            self._counts[remark] += 1

    @property
    def counts(self) -> dict[str, int]:
        """How many images each remark was made of, in the order of `SENTENCES`."""
        return {key: self._counts[key] for key in SENTENCES if self._counts[key]}

    def sentences(self, white: float | None = None) -> list[str]:
        """Return one sentence a remark, such as `3 images turned upright ...`.

        Args:
            white: The value of white that the user named, for the sentence that tells it.
        """
        return [
            SENTENCES[key].format(f"{count:,} image{'s' * (count != 1)}", white)
            for key, count in self.counts.items()
        ]
