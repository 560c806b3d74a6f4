"""The extractor that sees what the generator makes: images, or codes where there is a codec."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from ..interfaces import Extractor, Features

__all__ = ["Identity"]


class Identity(Extractor):
    """phi(x) = x, or phi(h) = h under `--codec`, as one layer `samples`.

    Without a codec it is `pixels`. With one the generator is matched in code space, as in GMMN+AE:
    Li, Swersky and Zemel, Generative Moment Matching Networks, 2015, arXiv:1502.02761, section 4.
    """

    sees: ClassVar[Literal["images", "samples", "critic"]] = "samples"

    def __init__(self) -> None:
        super().__init__()
        self.range = "unit"
        self.channels = None
        self.freeze()

    def forward(self, images: Tensor) -> Features:
        """Return `{"samples": images}`, (N, C, H, W)."""
        return {"samples": images}

    def fingerprint(self) -> str:
        """Return that nothing is done."""
        return "identity-1"
