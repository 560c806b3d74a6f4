"""The suite of penalties."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..families import Composition
from ..interfaces import Penalty, total
from .elsewhere import elsewhere
from .likeness import difference, same
from .partner import GAME, NAME
from .plays import COUNT, Toy
from .suite import Suite, skip
from .trial import composed, trained
from .watch import GRADIENTS, forbidden, waits

__all__ = ["PenaltySuite"]


class PenaltySuite(Suite):
    """Terms of a play that can be differentiated, means over samples, no state, no waiting.

    Attributes:
        scores: The scores it is tried with.
        critic: The critic that its run is tried with.
    """

    kind = "penalty"
    interface: ClassVar[type[Any]] = Penalty
    scores: ClassVar[tuple[str, ...]] = ("x",)
    critic: ClassVar[str] = NAME

    def terms(self, penalty: Any, toy: Toy | None = None) -> dict[str, Tensor]:
        """Return the terms, of a play in which all is in the graph."""
        toy = toy or Toy(self.scores)
        return dict(penalty(toy.play()))

    def trial(self) -> AbstractContextManager[Composition]:
        """Return a composed run with the penalty in the critic's steps."""
        more: dict[str, Any] = {"critic": self.critic, "encoder": NAME}
        return composed(self.names, loss=GAME, penalty=(self.spec,), **more)

    def test_terms_are_scalars(self) -> None:
        """It returns named scalars, floating point and finite, that move the critic."""
        toy = Toy(self.scores)
        weights = list(toy.weights.values())
        terms = self.terms(self.make(), toy)
        assert terms, "it returns no term"
        for name, value in terms.items():
            assert isinstance(value, Tensor) and value.dim() == 0, f"{name} is no scalar tensor"
            assert value.is_floating_point(), f"{name} is {value.dtype}"
            assert value.isfinite(), f"{name} is {float(value)}"
        whole = total(terms)
        assert whole.requires_grad, "no term has a gradient"
        slopes = torch.autograd.grad(whole, weights, allow_unused=True)
        assert any(s is not None and bool(s.any()) for s in slopes), (
            "nothing of the critic is moved; differentiate scores with create_graph=True"
        )

    def test_it_says_where_it_differentiates(self) -> None:
        """It differentiates at images of its own, or at those of the sides that `graphs` names."""
        penalty = self.make()
        stray = set(penalty.graphs) - {"data", "model"}
        assert not stray, f"graphs names {', '.join(map(str, stray))}: sides are data and model"
        try:
            penalty(Toy(self.scores).play(penalty.graphs))
        except RuntimeError as error:
            raise AssertionError(
                f"with nothing in the graph but {', '.join(penalty.graphs) or 'what it makes'} it ends "
                f"in {error}; name the sides at whose images it differentiates in graphs"
            ) from error

    def test_terms_are_means(self) -> None:
        """The terms of a batch are the means of those of its halves, or `means` is false."""
        penalty = self.make()
        if not penalty.means:
            skip("it says that its terms are no means over samples")
        whole = self.terms(penalty)
        parts = ((0, COUNT // 2), (COUNT // 2, COUNT))
        halves = [self.terms(penalty, Toy(self.scores, rows=part)) for part in parts]
        for name, value in whole.items():
            gap = difference(value, torch.stack([half[name] for half in halves]).mean())
            assert gap < 1e-4, (
                f"{name} is not the mean over samples (relative {gap:.1e}): make it one, draw what is "
                "random with play.noise, or say means = False, so that --chunk is refused"
            )

    def test_it_keeps_no_state(self) -> None:
        """The same play gives the same terms, whatever it was given in between."""
        penalty = self.make()
        first = self.terms(penalty)
        self.terms(penalty, Toy(self.scores, seed=1))
        again = self.terms(penalty)
        for name in first.keys() | again.keys():
            assert same(first[name], again[name]), (
                f"{name} changes from call to call; random numbers are drawn with play.noise"
            )

    def test_nothing_waits_for_the_device(self) -> None:
        """No `.item()`, `float()` or condition on a tensor: a step never waits for the device."""
        penalty = self.make()
        with waits() as calls:
            self.terms(penalty)
        assert not calls, f"it makes the device wait: {', '.join(calls)}; keep values as tensors"

    def test_steps_are_left_to_the_engine(self) -> None:
        """It neither goes backward nor makes or moves an optimiser."""
        penalty = self.make()
        with forbidden(GRADIENTS) as calls:
            self.terms(penalty)
        assert not calls, f"it calls {', '.join(calls)}; return terms, the engine does the rest"

    def test_it_leaves_the_random_state_alone(self) -> None:
        """It draws no numbers from torch's global random state, which a run's own come from."""
        penalty = self.make()
        before = torch.get_rng_state()
        self.terms(penalty)
        assert torch.equal(before, torch.get_rng_state()), (
            "it draws from the global random state; use play.noise"
        )

    def test_tensors_are_made_where_they_are_used(self) -> None:
        """On another device it makes no tensor on the CPU, and reads no values: tried on `meta`."""
        penalty = self.make()
        toy = Toy(self.scores, device="meta")
        play = toy.play()
        elsewhere(lambda: total(penalty(play)).backward(retain_graph=True))

    def test_a_run_uses_it(self) -> None:
        """A run of a few steps with it in the critic's steps ends well."""
        self.make()
        with self.trial() as composition:
            trained(composition)
