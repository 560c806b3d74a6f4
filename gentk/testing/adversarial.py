"""Checks of adversarial losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ..interfaces import AdversarialLoss, total
from .likeness import difference
from .partner import NAME
from .plays import COUNT, Toy
from .suite import Suite, skip

__all__ = ["AdversarialChecks", "game_terms", "nudged"]


Nudged = tuple[Callable[[Sequence[Tensor]], Tensor], list[Tensor]]
"""A value as a function of tensors, and where it is looked at."""


class AdversarialChecks(Suite):
    """A game: the critic's terms and the generator's pull what the critic says in opposite directions.

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
        loss.prepare(Toy(self.scores).play(()))
        return loss

    def test_critic_and_generator_disagree(self) -> None:
        """The critic's gradient in what is said of the model points against the generator's."""
        loss = self.adversarial()
        slopes = []
        for side in ("critic_loss", "generator_loss"):
            toy = Toy(self.scores)
            value = total(getattr(loss, side)(toy.play()))
            assert value.requires_grad, "a side has no gradient"
            leaves = list(toy.leaves["model"].values())
            gradients = torch.autograd.grad(value, leaves, allow_unused=True)
            assert any(s is not None for s in gradients), (
                "a side looks at neither scores nor features of the model"
            )
            slopes.append(
                [
                    torch.zeros_like(x) if s is None else s
                    for x, s in zip(leaves, gradients, strict=True)
                ]
            )
        both = [(a, b) for a, b in zip(*slopes, strict=True) if a.any() and b.any()]
        if not both:
            skip("critic and generator look at different values")
        product = sum(float((a * b).sum()) for a, b in both)
        assert product < 0, "critic and generator want the same"

    def test_generators_play_alone(self) -> None:
        """Of images alone, and without an encoder it does not ask for, it has a generator's term."""
        loss = self.adversarial()
        toy = Toy(("x",), pairs=False, encoder="encoder" in loss.needs)
        try:
            terms = loss.generator_loss(toy.play())
        except Exception as error:
            raise AssertionError(
                f"with a critic of images alone it ends in {type(error).__name__}: {error}"
            ) from error
        assert terms, "with a critic of images alone it returns no term"

    def test_adversarial_terms_are_means(self) -> None:
        """The terms of a batch are the means of those of its halves, or `means` is false."""
        loss = self.adversarial()
        if not loss.means:
            skip("it says that its terms are no means over samples")
        for side in (loss.critic_loss, loss.generator_loss):
            whole = side(Toy(self.scores).play())
            halves = [
                side(Toy(self.scores, rows=part).play())
                for part in ((0, COUNT // 2), (COUNT // 2, COUNT))
            ]
            for name, value in whole.items():
                mean = torch.stack([half[name] for half in halves]).mean()
                gap = difference(value, mean)
                assert gap < 1e-4, (
                    f"{name} is not the mean over samples (relative {gap:.1e}): make it one, or say "
                    "means = False, so that --chunk is refused"
                )


def nudged(loss: AdversarialLoss, turn: str, scores: tuple[str, ...]) -> Nudged:
    """Return a turn's value as a function of what is added to scores and features, and zeros."""
    toy = Toy(scores)
    toy.play()
    zeros = {f"{side}/{k}": v for side, rows in toy.leaves.items() for k, v in rows.items()}

    def value(rows: Sequence[Tensor]) -> Tensor:
        own = Toy(scores, nudges=dict(zip(zeros, rows, strict=True)))
        return total(getattr(loss, turn)(own.play()))

    return value, [zero.detach() for zero in zeros.values()]


def game_terms(loss: AdversarialLoss, toy: Toy) -> Callable[[], dict[str, Tensor]]:
    """Return what computes all terms of both turns."""
    plays = [toy.play(), toy.play()]

    def terms() -> dict[str, Tensor]:
        mine, theirs = loss.critic_loss(plays[0]), loss.generator_loss(plays[1])
        return {f"critic/{k}": v for k, v in mine.items()} | {
            f"generator/{k}": v for k, v in theirs.items()
        }

    return terms
