"""Checks of adversarial losses."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ..interfaces import AdversarialLoss, Scores, total
from .likeness import difference
from .partner import NAME
from .suite import Suite, skip

__all__ = ["AdversarialChecks", "random_scores"]


class AdversarialChecks(Suite):
    """A game: the critic's terms and the generator's pull scores in opposite directions.

    Attributes:
        scores: The scores it is tried with.
        critic: The critic that its run is tried with.
    """

    scores: ClassVar[tuple[str, ...]] = ("x",)
    critic: ClassVar[str] = NAME

    def adversarial(self) -> AdversarialLoss:
        """Return the loss; skip the check if it is another kind of loss."""
        loss = self.make()
        if not isinstance(loss, AdversarialLoss):
            skip("it is no AdversarialLoss")
        return loss

    def test_critic_and_generator_disagree(self) -> None:
        """The critic's gradient in the model's scores points against the generator's."""
        loss = self.adversarial()
        data, model = (random_scores(self.scores, seed, grad=True) for seed in (0, 1))
        slopes = []
        for terms in (loss.critic_loss(data, model), loss.generator_loss(data, model)):
            value = total(terms)
            assert value.requires_grad, "a side has no gradient"
            found = torch.autograd.grad(value, list(model.values()), allow_unused=True)
            assert all(s is not None for s in found), "a side does not look at the model's scores"
            slopes.append(torch.cat(found))
        assert float(slopes[0] @ slopes[1]) < 0, "critic and generator want the same"

    def test_generators_play_alone(self) -> None:
        """`generator_loss` takes no scores of the data: so it is called without an encoder."""
        loss = self.adversarial()
        try:
            found = loss.generator_loss({}, random_scores(self.scores, 1))
        except Exception as error:
            raise AssertionError(f"without data it ends in {type(error).__name__}") from error
        assert found, "without data it returns no term"

    def test_adversarial_terms_are_means(self) -> None:
        """The terms of a batch are the means of those of its halves: chunks accumulate."""
        loss = self.adversarial()
        data, model = (random_scores(self.scores, seed) for seed in (0, 1))
        for side in (loss.critic_loss, loss.generator_loss):
            whole = side(data, model)
            halves = [
                side(
                    {name: score[part] for name, score in data.items()},
                    {name: score[part] for name, score in model.items()},
                )
                for part in (slice(0, 4), slice(4, 8))
            ]
            for name, value in whole.items():
                mean = torch.stack([half[name] for half in halves]).mean()
                gap = difference(value, mean)
                assert gap < 1e-4, f"{name} is not the mean over samples (relative {gap:.1e})"


def random_scores(names: tuple[str, ...], seed: int, *, grad: bool = False) -> Scores:
    """Return eight scores of each name."""
    draw = torch.Generator().manual_seed(seed)

    def score() -> Tensor:
        return torch.randn(8, generator=draw).mul_(0.3).requires_grad_(grad)

    return {name: score() for name in names}
