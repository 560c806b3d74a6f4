"""Interfaces: what each kind of component must do. The only abstract classes of gentk.

A matching run is one line::

    features --loss.summarise--> Summary --loss.statistics--> statistics
             --estimator--> tracked statistics --loss--> terms

Symbols: samples x (N, C, H, W); latents z (N, latent); a feature of layer l (N, ...), the whole
dictionary phi(x); statistics are named float64 tensors of the distribution of phi(x).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .data.records import Records
    from .events import Event
    from .prior import Prior
    from .summary import Summary

__all__ = [
    "Encoder",
    "Estimator",
    "Extractor",
    "Features",
    "Figure",
    "Generator",
    "ImageShape",
    "Loss",
    "MatchingLoss",
    "Metric",
    "Observer",
    "Range",
    "ReconstructionLoss",
    "Source",
    "StatisticKind",
    "Statistics",
]

Features = dict[str, Tensor]
"""Layer name -> features, (N, C, H, W), (N, L, D) or (N, D); the order is the network's."""

Statistics = dict[str, Tensor]
"""Statistic name -> float64 tensor; for `samples` statistics, the samples' features themselves."""

StatisticKind = Literal["real", "nonnegative", "psd", "samples"]
"""Where a statistic lives: any real number; >= 0; positive semi-definite matrices; sets of samples.

An estimator that leaves the cone (as `ama` does) may only track `real` statistics.
"""

Range = Literal["signed", "unit"]
"""The range of image values: `signed` is [-1, 1], `unit` is [0, 1]."""


class ImageShape(NamedTuple):
    """The shape of one image, in pixels."""

    channels: int
    height: int
    width: int


class Extractor(nn.Module, ABC):
    """Images -> named features; frozen, always in eval mode, differentiable in its input.

    The extractor owns resizing and normalisation: it is given images in `range` and does the rest.
    Features of a sample must not depend on the other samples of the batch.

    Attributes:
        range: The range of image values that `forward` expects.
        channels: The number of channels it expects; None if any will do.
        sees: `images`, or `samples`: what the generator makes, which is codes where there is a codec.
    """

    range: Range = "unit"
    channels: int | None = 3
    sees: ClassVar[Literal["images", "samples"]] = "images"

    @abstractmethod
    def forward(self, images: Tensor) -> Features:
        """Return the features of `images`, (N, C, H, W) float in `range`.

        Layouts are normalised: maps are (N, C, H, W), tokens (N, L, D), vectors (N, D).
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a digest of all that decides the features: weights, layers, preprocessing."""

    def freeze(self) -> None:
        """Switch off gradients of all parameters and enter eval mode; constructors end with it."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Extractor:
        """Stay in eval mode whatever is asked: a frozen network has no training mode."""
        return super().train(False)


class Generator(nn.Module, ABC):
    """Latents -> images, trained.

    The constructor is given `image: ImageShape` by the composition (it is not an option) and raises
    `Incompatible` for a size it cannot make.

    Attributes:
        image: The shape of the images it makes.
        prior: The distribution its latents are drawn from.
        range: The range of the image values it returns.
    """

    image: ImageShape
    prior: Prior
    range: Range = "signed"

    @abstractmethod
    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, H, W) in `range` for `latents` (N, latent)."""


class Encoder(nn.Module, ABC):
    """Images -> latents, trained; with a generator as decoder it is an auto-encoder.

    The constructor is given `image: ImageShape` and `latent: int`, the dimension of the generator's
    latents, by the composition (they are not options) and raises `Incompatible` for a size it cannot
    read.

    Attributes:
        image: The shape of the images it reads.
        latent: The dimension of the latents it returns.
        range: The range of image values that it expects.
        code_range: The range that its latents keep to (`unit` after a sigmoid, `signed` after a tanh);
            None if they are unbounded.
    """

    image: ImageShape
    latent: int
    range: Range = "signed"
    code_range: Range | None = None

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return latents (N, latent) for `images` (N, C, H, W) in `range`."""

    def features(self, images: Tensor) -> Features:
        """Return the outputs of the hidden layers in order and, last, the latents as `code`.

        A finished run's encoder is an extractor (`run:FOLDER`): these are its layers.
        """
        return {"code": self(images)}


class Loss(ABC):
    """What to minimise.

    Attributes:
        needs: What the loss is computed from: a subset of images, latents, features, labels, scores,
            reconstruction, inversion. The engine computes only these.
    """

    needs: ClassVar[frozenset[str]]


class MatchingLoss(Loss):
    """A discrepancy between the statistics of the data and those of the model, in feature space.

    Constructors take options only; a matching loss has no parameters, and no state but what
    `prepare` fixes before the first step.

    Statistics of the kind `samples` are matrices of features (N, D), all layers side by side. The data
    side of a step is then a fresh minibatch; an estimator that keeps more than a batch returns beside
    them `weights`, (N,), which add up to one.

    Attributes:
        summary: The class of the summaries it makes.
        preparation: How many images of the data `prepare` wants to see; 0 for none.
    """

    needs = frozenset({"features"})
    summary: ClassVar[type[Summary]]

    @abstractmethod
    def kinds(self) -> dict[str, StatisticKind]:
        """Return the statistics the loss compares, by name, and where each lives."""

    preparation: int = 0

    def prepare(self, features: Features) -> None:
        """Fix what depends on the data (a bandwidth, landmarks), once, before anything is summarised.

        Args:
            features: Of `preparation` images of the data, the same ones in every run.
        """

    @abstractmethod
    def summarise(self, features: Features, like: Summary | None = None) -> Summary:
        """Summarise one chunk of samples; differentiable in `features`.

        Args:
            features: The chunk's features.
            like: An earlier summary this one will be added to or compared with; it shares that one's
                pivot. None for the first chunk of the data.
        """

    @abstractmethod
    def statistics(self, summary: Summary) -> Statistics:
        """Return the statistics of everything a summary has seen; float64, differentiable."""

    def reference(self, summary: Summary) -> Statistics:
        """Return the data's side of the comparison: its statistics, and whatever constants of the
        data (under other names than `kinds`) the comparison needs.
        """
        return self.statistics(summary)

    @abstractmethod
    def forward(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return the terms of the discrepancy, scalars by name; their sum is minimised."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return the options that decide what `summarise` keeps, for the cache of data statistics."""

    def __call__(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return `forward(data, model)`."""
        return self.forward(data, model)


class ReconstructionLoss(Loss):
    """A distance of images and what an encoder and a generator make of them, x and G(E(x)).

    Attributes:
        range: The range of image values that `forward` expects.
    """

    needs = frozenset({"images", "reconstruction"})
    range: Range = "unit"

    @abstractmethod
    def forward(self, images: Tensor, reconstruction: Tensor) -> dict[str, Tensor]:
        """Return terms, scalars by name; their sum is minimised.

        Args:
            images: x, (N, C, H, W) in `range`.
            reconstruction: G(E(x)), of the same shape and range.
        """

    def __call__(self, images: Tensor, reconstruction: Tensor) -> dict[str, Tensor]:
        """Return `forward(images, reconstruction)`."""
        return self.forward(images, reconstruction)


class Estimator(nn.Module, ABC):
    """Batch statistics -> tracked statistics of the model's distribution.

    All state lives in buffers, so that `state_dict` alone resumes an estimator; a constructor takes
    options only and `start` makes the buffers. `forward` is called once per optimiser step; in eval
    mode it does not move. The value it returns is the tracked one, its gradient goes straight
    through to the batch's statistics (`straight_through`).

    Attributes:
        accepts: The kinds of statistic it can track.
        seeding: Number of generated samples that are summarised before the first step and given to
            `start`; 0 for none.
    """

    accepts: ClassVar[frozenset[StatisticKind]] = frozenset({"real", "nonnegative", "psd"})
    seeding: int = 0

    @abstractmethod
    def start(self, data: Statistics, seed: Statistics | None = None) -> None:
        """Make the buffers, given the data's statistics and, with `seeding`, the model's."""

    @abstractmethod
    def forward(self, model: Statistics, data: Statistics) -> Statistics:
        """Take in one batch's statistics and return the tracked ones."""

    @staticmethod
    def straight_through(tracked: Tensor, batch: Tensor, scale: float) -> Tensor:
        """Return the value of `tracked` with the gradient of `scale * batch`."""
        passed: Tensor = _StraightThrough.apply(tracked, batch, scale)
        return passed


class _StraightThrough(torch.autograd.Function):
    """Forward is the first argument, backward goes to the second, scaled."""

    @staticmethod
    def forward(ctx: Any, tracked: Tensor, batch: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return tracked.view_as(tracked)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, None]:
        return None, grads[0] if ctx.scale == 1 else ctx.scale * grads[0], None


class Source(ABC):
    """Where images come from: a folder, a file, a named data set.

    The constructor takes the argument of the name (a path, say) and the source's own options. What
    all data share (`size`, `channels`, `limit`, `split`, `validation`, ...) is applied by
    `gentk.data.View`.
    """

    @abstractmethod
    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split, undecoded; raise `DataError` where there are none."""


@dataclass(frozen=True)
class Figure:
    """One number of an evaluation.

    Attributes:
        name: What it is, such as `fd`.
        value: The number.
        error: Its standard error, or None where none is known.
        better: Whether `lower` or `higher` values are better.
    """

    name: str
    value: float
    error: float | None = None
    better: Literal["lower", "higher"] = "lower"


class Metric(ABC):
    """Two sets of images -> figures, each side streamed as an additive summary of its features.

    Attributes:
        needs: As a loss's.
        summary: The class of the summaries it makes.
        also: Further splits of the data (`train`, `validation`) whose summaries `figures` is given.
        extractor: Where it is taken if nobody says; None for the default judge.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"features"})
    summary: ClassVar[type[Summary]]
    also: ClassVar[frozenset[str]] = frozenset()
    extractor: ClassVar[str | None] = None

    @abstractmethod
    def summarise(self, features: Features, like: Summary | None = None) -> Summary:
        """Summarise one chunk of images, as `MatchingLoss.summarise` does."""

    @abstractmethod
    def figures(self, reference: Summary, sample: Summary, **also: Summary) -> list[Figure]:
        """Compare what the two sides' summaries have seen.

        Args:
            reference: Of the data's images.
            sample: Of the images to be judged.
            also: Of the splits that the class attribute names, by their names.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return the options that decide what `summarise` keeps, for the cache."""


class Observer(ABC):
    """Events of a run -> side effects: what is printed, drawn, logged.

    An observer runs under its own forked random state and cannot change the run; one that fails is
    reported and dropped.
    """

    @abstractmethod
    def observe(self, event: Event) -> None:
        """Take notice of one event (see `gentk.events`)."""


def total(terms: Mapping[str, Tensor] | Iterable[Tensor]) -> Tensor:
    """Return the sum of a loss's terms."""
    values = terms.values() if isinstance(terms, Mapping) else terms
    return torch.stack(list(values)).sum()
