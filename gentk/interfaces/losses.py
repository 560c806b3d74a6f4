"""Losses: what is minimised, by the kind of what they compare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from ..errors import Incompatible
from . import returned
from .play import Play
from .promise import Promising, promises
from .summary import Summary
from .values import Features, Range, StatisticKind, Statistics

__all__ = ["NEEDS", "AdversarialLoss", "Loss", "MatchingLoss", "ReconstructionLoss", "total"]


NEEDS: Final[dict[str, str]] = {"encoder": "an encoder", "critic": "a critic", "labels": "labels"}
"""What a loss may need of a run, and how a sentence calls it; `labels` are those of the data."""


class Loss(Promising, ABC):
    """What to minimise.

    Attributes:
        needs: What a run must have for this loss: names of `NEEDS`. It is refused without, before
            anything trains; what each run of the loss's family has need not be named.
        targets: Whether it draws to targets that are held constant, so that its gradient is not the
            slope of its value in all that it looks at.
        watch: What to look at where the loss is by construction the same, however far the samples are
            from the data: a name of what the loss observes. Empty where the loss itself tells how a
            run goes.
    """

    _kind = "loss"

    needs: frozenset[str] = frozenset()
    targets: bool = False
    watch: str = ""


class MatchingLoss(Loss):
    """A discrepancy between the statistics of the data and those of the model, in feature space.

    Constructors take options only; a matching loss has no parameters, and no state but what
    `prepare` fixes before the first step.

    Statistics of the kind `samples` are sets of rows, one a sample, such as features (N, D), all layers
    side by side; their names are the loss's, and several are of the same samples. Where the data's
    summary is `gentk.summary.Samples`, the data side of a step is a fresh minibatch. An estimator that
    keeps more than a batch returns beside them `weights`, (N,), which are above 0 and add up to one, and
    `past`, the weights of those first samples that are constants.

    The data may be summarised otherwise than the model (`summarise_data`): a summary of fixed size is
    streamed over all data, once, and cached; samples are a minibatch a step.

    A loss that works class by class says `needs = frozenset({"labels"})`. Its summaries are then given
    the labels of their samples, the generator must be conditional, and a step draws all classes
    equally often.

    Attributes:
        summary: The class of the summaries it makes of the model, and of the data too unless
            `data_summary` is another.
        preparation: How many images of the data `prepare` wants to see; 0 for none.
        untracked: Names of statistics that an estimator hands through as they are: the batch's.
    """

    summary: ClassVar[type[Summary]]
    untracked: frozenset[str] = frozenset()

    @property
    def data_summary(self) -> type[Summary]:
        """The class of the summaries it makes of the data."""
        return self.summary

    @promises(returned.kinds)
    @abstractmethod
    def kinds(self) -> dict[str, StatisticKind]:
        """Return the statistics the loss compares, by name, and where each lives."""

    preparation: int = 0

    def prepare(self, features: Features) -> None:
        """Fix what depends on the data (a bandwidth, landmarks), once, before anything is summarised.

        Args:
            features: Of `preparation` images of the data, the same ones in every run.
        """

    @promises(returned.summarised)
    @abstractmethod
    def summarise(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Summary:
        """Summarise one chunk of samples; differentiable in `features`.

        Args:
            features: The chunk's features.
            like: An earlier summary this one will be added to or compared with; it shares that one's
                pivot. None for the first chunk there is.
            labels: (N, classes), a row a sample with a 1 at its class, of the type of floats; given to
                losses that need labels.
        """

    @promises(returned.summarised)
    def summarise_data(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Summary:
        """Summarise one chunk of the data, as `summarise` does unless a loss says otherwise.

        One whose `data_summary` is not its `summary` has a `reference` that reads it, with every
        statistic of `kinds` that is no set of samples and not `untracked`: estimators follow those
        beside the data's.
        """
        return (
            self.summarise(features, like)
            if labels is None
            else self.summarise(features, like, labels)
        )

    @promises(returned.statistics)
    @abstractmethod
    def statistics(self, summary: Summary) -> Statistics:
        """Return the statistics of everything a summary has seen, see `Statistics`; differentiable."""

    @promises(returned.statistics)
    def reference(self, summary: Summary) -> Statistics:
        """Return the data's side of the comparison: its statistics, and whatever constants of the
        data (under other names than `kinds`) the comparison needs.
        """
        return self.statistics(summary)

    @promises(returned.terms)
    @abstractmethod
    def forward(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return the terms of the discrepancy, scalars by name; their sum is minimised."""

    @promises(returned.compared)
    def compare(
        self, data: Statistics, model: Statistics
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the terms, and what else is to be seen of a step, from one computation.

        What a step calls. The second are constants by name, shown as `observed/NAME`; none as a rule.
        """
        return self(data, model), {}

    def witness(self, features: Features, data: Statistics, model: Statistics) -> Tensor:
        """Return at each of some points how much more there is of the data than of the model, (N,).

        Optional: for penalties on its gradient (`gradient,of=witness`). In plain autograd, so that it
        can be differentiated twice, in the features and in both sides.

        Args:
            features: Of the points.
            data: The data's statistics and constants, as `reference` returns them.
            model: The model's statistics.

        Raises:
            Incompatible: The loss offers none.
        """
        raise Incompatible(
            f"{type(self).__name__} offers no witness function to penalise; leave of=witness out, or "
            "type another --loss, such as mmd"
        )

    @promises(returned.text)
    @abstractmethod
    def fingerprint(self) -> str:
        """Return the options that decide what `summarise` keeps, for the cache of data statistics."""

    def __call__(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return `forward(data, model)`, of statistics of both sides that fit each other.

        Raises:
            Incompatible: A side is no dict of tensors, lacks a statistic, or is of other features.
        """
        self._check(data, model)
        return self.forward(data, model)

    def _check(self, data: Statistics, model: Statistics) -> None:
        owner = self._title
        for side, statistics in (("data", data), ("model", model)):
            if not isinstance(statistics, Mapping):
                raise Incompatible(
                    f"{owner} compares statistics, a dict of name -> tensor, and the {side}'s are a "
                    f"{type(statistics).__name__}; give reference(summary) of the data and "
                    "statistics(summary) of the model"
                )
        for name, kind in self.kinds().items():
            # A set of samples that one side alone has is the loss's own affair.
            own, theirs = model.get(name), data.get(name)
            lacking = "model" if own is None else "data"
            needed = kind != "samples" and name not in self.untracked
            if own is None or (theirs is None and needed):
                raise Incompatible(
                    f"{owner} compares {name!r}, which the {lacking}'s statistics do not have; give "
                    "reference(summary) of the data and statistics(summary) of the model"
                )
            first = 1 if kind == "samples" else 0
            for side, value in (("model", own), ("data", theirs)):
                if value is not None and not isinstance(value, Tensor):
                    raise Incompatible(
                        f"{owner} compares tensors, and {name!r} of the {side} is a "
                        f"{type(value).__name__}; write torch.as_tensor(value)"
                    )
            if theirs is not None and needed and own.shape[first:] != theirs.shape[first:]:
                raise Incompatible(
                    f"{owner}: statistic {name!r} is {tuple(own.shape)} of the model and "
                    f"{tuple(theirs.shape)} of the data; give both of the same features"
                )


class ReconstructionLoss(Loss):
    """A distance of images and what an encoder and a generator make of them, x and G(E(x)).

    Attributes:
        range: The range of image values that `forward` expects.
    """

    range: Range = "unit"

    @promises(returned.unobserved)
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


class AdversarialLoss(Loss):
    """A game of a critic against a generator and, if there is one, an encoder.

    Each turn is a `Play`: both sides, of which only what is asked for is computed. Terms are means over
    samples, so that a chunked batch is gradient accumulation; a loss whose terms are not says so in
    `means`.

    One that has a state is an `nn.Module` besides. Its buffers move once a step, in
    `after_critic_step`, by means that `observe` took; its networks (`networks`) are trained in the
    phase they belong to and constants in the other. Checkpoints keep both.

    Attributes:
        joint: Whether the gradient of the model's `inversion`, E(G(z)), goes on through it into G.
        means: Whether all terms are means over samples. A run whose `chunk` is below its batch is
            refused otherwise, by name.
        classes: How many classes of the data it tells apart, of images that have a label; 0 for none.
            Data with others, or without labels, are refused.
    """

    joint: bool = False
    means: bool = True
    classes: int = 0

    @promises(returned.terms)
    @abstractmethod
    def critic_loss(self, play: Play) -> dict[str, Tensor]:
        """Return the terms that the critic minimises, scalars by name."""

    @promises(returned.terms)
    @abstractmethod
    def generator_loss(self, play: Play) -> dict[str, Tensor]:
        """Return the terms that generator and encoder minimise, scalars by name.

        The data's scores teach the encoder where `play.pairs`; otherwise they are constants.
        """

    def prepare(self, play: Play) -> None:
        """Make what depends on the other parts (a network on the critic's features), before any step.

        Args:
            play: Two samples a side, constants all of them, of networks in eval mode.
        """

    def networks(self) -> Mapping[str, nn.Module]:
        """Return networks of its own by the phase that trains them, `critic` or `generator`."""
        return {}

    @promises(returned.observed)
    def observe(self, play: Play) -> dict[str, Tensor]:
        """Return what `after_critic_step` is to know of a critic's step: means over samples, by name.

        Constants; they are averaged over the whole batch and shown as `observed/NAME`.
        """
        return {}

    def after_critic_step(self, means: Mapping[str, Tensor]) -> None:
        """Move its buffers, once a critic's step, in place and without waiting for the device.

        Args:
            means: What `observe` returned, over the whole batch.
        """


def total(terms: Mapping[str, Tensor] | Iterable[Tensor]) -> Tensor:
    """Return the sum of a loss's terms."""
    values = terms.values() if isinstance(terms, Mapping) else terms
    return torch.stack(list(values)).sum()
