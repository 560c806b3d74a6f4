"""Codecs: a frozen auto-encoder, whose codes a generator may make instead of images.

    h = E(x),    x = G(h)

A code h in R^d is handled as an image of shape (d, 1, 1), so that whatever learns from images (a
generator, an auto-encoder on top of this one) learns from codes as it is.
"""

from __future__ import annotations

from torch import Tensor, nn

from .digest import state_digest
from .errors import Incompatible
from .interfaces import Encoder, Generator, ImageShape, Range
from .ranges import to_range

__all__ = ["Codec"]


class Codec(nn.Module):
    """E and G of a finished run, frozen.

    Args:
        encoder: E.
        generator: G.
        inner: The codec in whose code space these two were trained, if any.
        name: What it is called in messages.

    Attributes:
        shape: The shape of a code, (d, 1, 1).
        image: The shape of an image.
        range: The range of code values.

    Raises:
        Incompatible: The codes are unbounded, so no generator could be said to make them.
    """

    def __init__(
        self,
        encoder: Encoder,
        generator: Generator,
        inner: Codec | None = None,
        name: str = "codec",
    ) -> None:
        super().__init__()
        if encoder.code_range is None:
            raise Incompatible(
                f"the codes of {name} are unbounded, so no generator's range fits them; train it "
                "again with output=sigmoid or output=tanh as an option of --encoder"
            )
        self.encoder = encoder
        self.generator = generator
        self.inner = inner
        self.shape = ImageShape(encoder.latent, 1, 1)
        self.image: ImageShape = inner.image if inner else encoder.image
        self.range: Range = encoder.code_range
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Codec:
        """Stay in eval mode whatever is asked, as extractors do."""
        return super().train(False)

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes, (N, d, 1, 1) in `range`, of images (N, C, H, W) in [0, 1]."""
        if self.inner is not None:
            images = to_range(self.inner.encode(images), self.inner.range, self.encoder.range)
        else:
            images = to_range(images, "unit", self.encoder.range)
        codes: Tensor = self.encoder(images)
        return codes[:, :, None, None]

    def decode(self, codes: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [0, 1] of codes (N, d, 1, 1) in `range`; differentiable."""
        images: Tensor = self.generator(codes.flatten(1))
        if self.inner is None:
            return to_range(images, self.generator.range, "unit")
        return self.inner.decode(to_range(images, self.generator.range, self.inner.range))

    def fingerprint(self) -> str:
        """Return a digest of all weights."""
        return state_digest(self.state_dict().items())
