"""Networks: extractors, which are frozen, and generators, encoders and critics, which are trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from torch import Tensor, nn

from . import returned
from .promise import Promising, promises
from .values import Features, ImageShape, Range, Scores
from .weights import WeightsFile

if TYPE_CHECKING:
    from ..prior import Prior
    from .play import Side
    from .summary import Summary

__all__ = ["Critic", "Encoder", "Extractor", "Generator"]


class Extractor(nn.Module, Promising, ABC):
    """Images -> named features; frozen, always in eval mode, differentiable in its input.

    The extractor owns resizing and normalisation: it is given images in `range` and does the rest.
    Features of a sample must not depend on the other samples of the batch.

    Attributes:
        range: The range of image values that `forward` expects.
        channels: The number of channels it expects; None if any will do.
        sees: `images`; `samples`, what the generator makes, which is codes where there is a codec; or
            `critic`, the features that the run's own critic makes of the images: `forward` is then given
            all of these (`Features`) in the place of images.
        notes: Sentences that people should read: which of several weights were taken, say.
        input_size: Height and width in pixels that it resizes all images to; None if they keep theirs.
    """

    _kind = "extractor"

    range: Range = "unit"
    channels: int | None = 3
    input_size: tuple[int, int] | None = None
    sees: ClassVar[Literal["images", "samples", "critic"]] = "images"
    notes: tuple[str, ...] = ()

    @promises(returned.layers)
    @abstractmethod
    def forward(self, images: Tensor) -> Features:
        """Return the features of `images`, (N, C, H, W) float in `range`.

        Layouts are normalised: maps are (N, C, H, W), tokens (N, L, D), vectors (N, D).
        """

    @promises(returned.text)
    @abstractmethod
    def fingerprint(self) -> str:
        """Return a digest of all that decides the features: weights, layers, preprocessing."""

    @classmethod
    def weights_file(cls, argument: str | None) -> WeightsFile | None:
        """Return the file of its pretrained weights, for `gentk weights`; None for none.

        Args:
            argument: What stands after the colon of its name; None where it takes none.
        """
        return None

    @classmethod
    def weights_here(cls) -> list[str]:
        """Return the arguments whose pretrained weights are here, "" where it takes none."""
        return []

    def freeze(self) -> None:
        """Switch off gradients of all parameters and enter eval mode; constructors end with it."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Extractor:
        """Stay in eval mode whatever is asked: a frozen network has no training mode."""
        return super().train(False)


class Generator(nn.Module, Promising, ABC):
    """Latents -> images, trained.

    The constructor is given `image: ImageShape` by the composition (it is not an option) and raises
    `Incompatible` for a size it cannot make.

    Attributes:
        image: The shape of the images it makes.
        prior: The distribution its latents are drawn from.
        range: The range of the image values it returns.
        standing: Passes over which the statistics of its batch norms are taken anew before a finished
            run draws samples; 0 for those that training left.
    """

    _kind = "generator"

    image: ImageShape
    prior: Prior
    range: Range = "signed"
    standing: int = 0

    @promises(returned.images)
    @abstractmethod
    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, H, W) in `range` for `latents` (N, latent), which `prior` draws.

        A conditional generator's prior has `classes`; it takes z and classes apart by `prior.split`.
        """

    @promises(returned.weights)
    def penalty(self) -> dict[str, Tensor]:
        """Return terms on its own weights, scalars by name, which its training adds; none as a rule."""
        return {}


class Encoder(nn.Module, Promising, ABC):
    """Images -> latents, trained; with a generator as decoder it is an auto-encoder.

    The constructor is given `image: ImageShape` and `latent: int`, the dimension of the generator's
    latents, by the composition (they are not options) and raises `Incompatible` for a size it cannot
    read. In an adversarial run it may read larger images than those it is given the shape of: it then
    says so in `image`, is given the data at that size, and the critic their means over squares.

    Attributes:
        image: The shape of the images it reads.
        latent: The dimension of the latents it returns.
        range: The range of image values that it expects.
        code_range: The range that its latents keep to (`unit` after a sigmoid, `signed` after a tanh);
            None if they are unbounded.
    """

    _kind = "encoder"

    image: ImageShape
    latent: int
    range: Range = "signed"
    code_range: Range | None = None

    @promises(returned.latents)
    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return latents (N, latent) for `images` (N, C, H, W) in `range`."""

    @promises(returned.layers)
    def features(self, images: Tensor) -> Features:
        """Return the outputs of the hidden layers in order and, last, the latents as `code`.

        A finished run's encoder is an extractor (`run:FOLDER`): these are its layers.
        """
        return {"code": self(images)}

    @promises(returned.weights)
    def penalty(self) -> dict[str, Tensor]:
        """Return terms on its own weights, scalars by name, which its training adds; none as a rule."""
        return {}


class Critic(nn.Module, Promising, ABC):
    """Images and latents -> scores, trained to tell the data's pairs from the model's.

    The data's pairs are (x, E(x)), the model's (G(z), z); a critic of images alone is given no latents.
    The constructor is given `image: ImageShape` and `latent: int`, the dimension of z, by the
    composition and raises `Incompatible` for a size it cannot judge.

    It defines `judge`, scores and features of one pass, or `forward` where it offers no features.

    Attributes:
        image: The shape of the images it judges.
        range: The range of image values that it expects.
        pairs: Whether it looks at latents: an encoder is then needed.
        classes: Number of classes that it looks at; 0 for none. With classes `forward` is given a third
            argument, `labels` (N,) int64: of the data's images their own, of the generator's the
            classes that they were made of.
    """

    _kind = "critic"

    image: ImageShape
    range: Range = "signed"
    pairs: bool = False
    classes: int = 0

    @promises(returned.scores)
    def forward(self, images: Tensor, latents: Tensor | None = None) -> Scores:
        """Return scores of `images` (N, C, H, W) in `range` and `latents` (N, latent)."""
        return self.judge(images, latents)[0]

    @promises(returned.features)
    def features(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> Features:
        """Return features of what it judges, layer name -> (N, ...): those of `judge`, or none."""
        if type(self).judge is Critic.judge:
            return {}
        return self.judge(images, latents, labels)[1]

    @promises(returned.judged)
    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return scores and features of the same images, latents and labels, from one pass.

        What games call. `latents` are None unless it judges `pairs`, `labels` unless it has `classes`.

        Raises:
            NotImplementedError: The class defines neither this nor `forward`.
        """
        if type(self).forward is Critic.forward:
            raise NotImplementedError(f"{type(self).__name__} defines neither judge nor forward")
        scores = self(images, latents, labels) if self.classes else self(images, latents)
        return scores, self.features(images, latents, labels)

    def summarise_side(self, side: Side, like: Summary | None = None) -> Summary | None:
        """Summarise one chunk of a side by itself, for what is no feature of a sample; None as a rule.

        A matching loss on `--extractor critic` is given this summary in the place of the one it would
        make of features: the batch's mean gradient of a score in the critic's weights, say (`MomentSums.
        of_means`). It is differentiable in the side's images, and in the weights where the critic
        raises the loss. Weights ask for gradients whenever it is called, and gradients are on.

        Args:
            side: The data's or the model's; nothing of it is computed that is not asked for.
            like: An earlier summary this one will be added to or compared with, whose pivot it shares.
        """
        return None

    def clamped(self) -> Iterator[nn.Parameter]:
        """Return the weights that a clamp (`[phase.critic] clamp`) covers; all of them as a rule."""
        return self.parameters()

    @promises(returned.weights)
    def penalty(self) -> dict[str, Tensor]:
        """Return terms on its own weights, scalars by name, which its training adds; none as a rule."""
        return {}
