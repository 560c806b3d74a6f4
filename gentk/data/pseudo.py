"""Pseudo-labels as they are asked for: `kmeans:NUMBER:EXTRACTOR`."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadOption

__all__ = ["PseudoLabels"]

FORM = "write labels=kmeans:10:pixels, or another number of clusters and extractor"


@dataclass(frozen=True)
class PseudoLabels:
    """The clusters of k-means that stand for classes.

    Attributes:
        number: How many clusters, 2 or more.
        extractor: In whose features: an extractor as it is typed.
    """

    number: int
    extractor: str

    @classmethod
    def parse(cls, text: str) -> PseudoLabels | None:
        """Read `kmeans:NUMBER:EXTRACTOR`; None for any other text, which is the path of a file.

        Raises:
            BadOption: The number is none, or below 2, or no extractor is named.
        """
        head, *rest = text.split(":", 2)
        if head != "kmeans":
            return None
        number = rest[0] if rest else ""
        if not number.isdecimal() or int(number) < 2:
            raise BadOption(f"labels={text}: the number of clusters is 2 or more; {FORM}")
        if len(rest) < 2 or not rest[1]:
            raise BadOption(f"labels={text} names no extractor; {FORM}")
        return cls(int(number), rest[1])
