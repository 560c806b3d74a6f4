"""Losses that are wrong in one way each."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch

from gentk.interfaces import AdversarialLoss, MatchingLoss, ReconstructionLoss
from gentk.summary import MomentSums, Samples, pooled
from gentk.testing.partner import Game, MeanOfSamples


class Right(MatchingLoss):
    """Squared distance of means: nothing is wrong with it."""

    summary = MomentSums

    def kinds(self):
        return {"mean": "real"}

    def summarise(self, features, like=None):
        return self.summary.of(features, "none", like)

    def statistics(self, summary):
        return {"mean": summary.mean()}

    def forward(self, data, model):
        return {"mean": (data["mean"] - model["mean"]).square().sum()}

    def fingerprint(self):
        return "right"


class Whole(Right):
    """One of its terms is a whole number."""

    def forward(self, data, model):
        return super().forward(data, model) | {"layers": torch.tensor(0)}


class Counting(Right):
    """Its terms grow from call to call."""

    calls = 0

    def forward(self, data, model):
        self.calls += 1
        return {"mean": super().forward(data, model)["mean"] * (1 + self.calls / 1e6)}


class Waiting(Right):
    """It reads a value off the device."""

    def forward(self, data, model):
        found = super().forward(data, model)
        return found if found["mean"].item() >= 0 else {}


class Stepping(Right):
    """It has an optimiser of its own."""

    def forward(self, data, model):
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0).step()
        return super().forward(data, model)


class Drawing(Right):
    """It draws a number, and does nothing with it."""

    def forward(self, data, model):
        torch.rand(1)
        return super().forward(data, model)


class Elsewhere(Right):
    """It makes a tensor on the CPU."""

    def forward(self, data, model):
        found = super().forward(data, model)["mean"]
        return {"mean": (found * torch.ones(2).to(found.dtype)).mean()}


class Meddling(Right):
    """It changes the data's statistics."""

    def forward(self, data, model):
        found = super().forward(data, model)
        data["mean"].mul_(1.001)
        return found


class Turned(torch.autograd.Function):
    """The value as it is, the gradient against it."""

    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def backward(ctx, slope):
        return -slope


class Climbing(Right):
    """Its gradient has the wrong sign."""

    def forward(self, data, model):
        return {"mean": Turned.apply(super().forward(data, model)["mean"])}


class Halved(Right):
    """Its gradient lacks half of the features."""

    def forward(self, data, model):
        mean = model["mean"]
        half = torch.arange(len(mean), device=mean.device) % 2 == 0
        return super().forward(data, {"mean": torch.where(half, mean, mean.detach())})


class Peeking(Right):
    """An index is read off the device."""

    def forward(self, data, model):
        found = super().forward(data, model)["mean"]
        return {"mean": found + 0 * model["mean"][model["mean"].argmax()]}


class Small(Right):
    """It cannot do with as many images as data have."""

    def statistics(self, summary):
        if summary.count > 30:
            raise RuntimeError("too many")
        return super().statistics(summary)


class Unmade(MomentSums):
    """Sums that nobody makes."""


class Mislabelled(Right):
    """It makes other summaries than it says."""

    summary = Unmade

    def summarise(self, features, like=None):
        return MomentSums.of(features, "none", like)


class Miscounted(MomentSums):
    """Sums that do not count what is added."""

    def __add__(self, other):
        return replace(super().__add__(other), count=self.count)


class Subtracting(Right):
    """Its summaries do not add up."""

    summary = Miscounted


class Rounded(MomentSums):
    """Sums that are stored in half precision."""

    def store(self):
        tensors, fields = super().store()
        return {name: value.half().to(value) for name, value in tensors.items()}, fields


class Lossy(Right):
    """Its summaries do not survive the cache."""

    summary = Rounded


class Unshared(Samples):
    """Samples of which every part is handed all gradients."""

    def share(self, gradient, start, stop):
        return dict(gradient)


class Greedy(MeanOfSamples):
    """Its parts cannot take their share of the gradient."""

    summary = Unshared

    def summarise(self, features, like=None):
        return Unshared.of(features)


class Narrow(Right):
    """It takes features in float32 only."""

    def summarise(self, features, like=None):
        made = {
            k: v.flatten(1) @ torch.eye(v[0].numel(), device=v.device) for k, v in features.items()
        }
        return super().summarise(made, like)


class Deaf(Right):
    """Its fingerprint does not hear of an option.

    Args:
        pool: Whether maps are averaged.
    """

    def __init__(self, *, pool: Literal["none", "mean"] = "none"):
        self.pool = pool

    def summarise(self, features, like=None):
        return super().summarise(pooled(features) if self.pool == "mean" else features, like)


class Talkative(Right):
    """It returns a statistic that it does not name."""

    def statistics(self, summary):
        return super().statistics(summary) | {"spare": summary.mean()}


class Reversed(Right):
    """It is smallest where the distributions are far apart."""

    def forward(self, data, model):
        return {"mean": -super().forward(data, model)["mean"]}


class Cut(Right):
    """A layer has no part in the gradient."""

    def summarise(self, features, like=None):
        found = {k: v if v.dim() == 4 else v.detach() + 0 * v for k, v in features.items()}
        return super().summarise(found, like)


class Unfair(Game):
    """The generator wants what the critic wants."""

    def generator_loss(self, play):
        return {name: -value for name, value in super().generator_loss(play).items()}


class Dependent(Game):
    """The generator's loss wants an encoder, and does not say so."""

    def generator_loss(self, play):
        return super().generator_loss(play) | {"size": play.data.latents.square().mean()}


class Summed(AdversarialLoss):
    """Its terms are sums over samples."""

    def critic_loss(self, play):
        return {"gap": play.model.scores["x"].sum() - play.data.scores["x"].sum()}

    def generator_loss(self, play):
        return {"gap": -play.model.scores["x"].sum()}


class RightDistance(ReconstructionLoss):
    """Mean squared error: nothing is wrong with it."""

    def forward(self, images, reconstruction):
        return {"mse": (images - reconstruction).square().mean()}


class Repelled(RightDistance):
    """It is smallest far from the image."""

    def forward(self, images, reconstruction):
        return {"mse": -super().forward(images, reconstruction)["mse"]}


class Unmoved(RightDistance):
    """The reconstruction has no part in the gradient."""

    def forward(self, images, reconstruction):
        return super().forward(images, reconstruction.detach() + 0 * reconstruction)


class SummedDistance(RightDistance):
    """It is a sum over images."""

    def forward(self, images, reconstruction):
        return {"mse": super().forward(images, reconstruction)["mse"] * len(images)}


WRONG = {
    "test_the_gradient_is_that_of_the_value": Climbing,
    "test_it_leaves_the_random_state_alone": Drawing,
    "test_what_it_is_given_is_left_alone": Meddling,
    "test_tensors_are_made_where_they_are_used": Elsewhere,
    "test_terms_are_scalars": Whole,
    "test_it_keeps_no_state": Counting,
    "test_nothing_waits_for_the_device": Waiting,
    "test_steps_are_left_to_the_engine": Stepping,
    "test_a_run_uses_it": Small,
    "test_summaries_are_of_the_declared_class": Mislabelled,
    "test_summaries_add_up": Subtracting,
    "test_summaries_can_be_kept": Lossy,
    "test_gradient_goes_through_parts": Greedy,
    "test_features_of_any_layout_are_taken": Narrow,
    "test_the_fingerprint_follows_what_is_kept": Deaf,
    "test_statistics_are_those_it_names": Talkative,
    "test_nothing_is_nearer_than_the_data": Reversed,
    "test_gradient_reaches_the_features": Cut,
    "test_critic_and_generator_disagree": Unfair,
    "test_generators_play_alone": Dependent,
    "test_adversarial_terms_are_means": Summed,
    "test_an_image_is_nearest_to_itself": Repelled,
    "test_gradient_reaches_the_reconstruction": Unmoved,
    "test_reconstruction_terms_are_means": SummedDistance,
}
MORE = (
    ("test_the_gradient_is_that_of_the_value", Halved),
    ("test_nothing_waits_for_the_device", Peeking),
)
RIGHT = (Right, RightDistance, Game)
