"""The suite of losses, of whatever family: it looks at what the loss is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..families import Composition
from ..interfaces import AdversarialLoss, Loss, MatchingLoss, ReconstructionLoss, total
from .adversarial import AdversarialChecks, Nudged, game_terms, nudged
from .elsewhere import META, elsewhere, imagined
from .likeness import same
from .matching import MatchingChecks, sides
from .partner import NAME
from .plays import Toy, tensors_of
from .reconstruction import ReconstructionChecks, image_pair
from .slopes import slope_gap
from .suite import skip
from .trial import composed, trained
from .watch import GRADIENTS, forbidden, waits

__all__ = ["LossSuite"]

STEEP = 0.2
"""How far, relative to its length, a gradient may be from finite differences."""


class LossSuite(MatchingChecks, ReconstructionChecks, AdversarialChecks):
    """Terms with a gradient in what they compare, no state, no waiting, nothing of the engine's.

    A `MatchingLoss`, a `ReconstructionLoss` and an `AdversarialLoss` each have checks of their own;
    those of the others are skipped. A loss of a third party's family is trained by it.
    """

    kind = "loss"
    interface: ClassVar[type[Any]] = Loss

    def summariser(self, text: str | None = None) -> Any:
        """Return the loss, prepared as a run prepares it."""
        loss = super().summariser(text)
        if isinstance(loss, AdversarialLoss):
            loss.prepare(Toy(self.scores).play(()))
        return loss

    def terms(self, loss: Any, seed: int = 0) -> dict[str, Tensor]:
        """Return all terms of the loss, of inputs that ask for a gradient."""
        return self.comparison(loss, seed)()

    def comparison(
        self, loss: Any, seed: int = 0, device: str = "cpu"
    ) -> Callable[[], dict[str, Tensor]]:
        """Return what computes all terms, of inputs that are there already and ask for a gradient."""
        if isinstance(loss, MatchingLoss):
            shown = {k: v.to(device) for k, v in self.features(8, seed=5).items()}
            rows = self.features(6, seed, 0.3)
            model = {k: v.to(device).requires_grad_() for k, v in rows.items()}

            def matched() -> dict[str, Tensor]:
                reference, like = sides(loss, shown)
                return loss(reference, loss.statistics(loss.summarise(model, like)))

            return matched
        if isinstance(loss, ReconstructionLoss):
            pair = [image.to(device) for image in image_pair(loss.range, seed)]
            pair[1].requires_grad_()
            return lambda: loss(*pair)
        if not isinstance(loss, AdversarialLoss):
            skip(f"what a {type(loss).__name__} is given, its family knows")
        return game_terms(loss, Toy(self.scores, seed, device=device))

    def values(self, loss: Any) -> Iterator[Nudged]:
        """Yield what the loss minimises as a function of tensors, and where it is looked at."""
        if isinstance(loss, MatchingLoss):
            rows = self.features(6, 0, 0.3)

            def of_features(values: Sequence[Tensor]) -> Tensor:
                reference, like = sides(loss, self.features(8, seed=5))
                model = dict(zip(rows, values, strict=True))
                return total(loss(reference, loss.statistics(loss.summarise(model, like))))

            yield of_features, list(rows.values())
        elif isinstance(loss, ReconstructionLoss):
            images, reconstruction = image_pair(loss.range)
            yield lambda values: total(loss(images, values[0])), [reconstruction]
        elif isinstance(loss, AdversarialLoss):
            for turn in ("critic_loss", "generator_loss"):
                yield nudged(loss, turn, self.scores)
        else:
            skip(f"what a {type(loss).__name__} is given, its family knows")

    def given(self, loss: Any) -> tuple[list[Tensor], Callable[[], Any]]:
        """Return tensors that the loss is given, and what gives them to it."""
        if isinstance(loss, MatchingLoss):
            reference, like = sides(loss, self.features(8, seed=5))
            model = loss.statistics(loss.summarise(self.features(6, 0, 0.3), like))
            return [*reference.values(), *model.values()], lambda: loss(reference, model)
        if isinstance(loss, ReconstructionLoss):
            pair = image_pair(loss.range)
            return list(pair), lambda: loss(*pair)
        if not isinstance(loss, AdversarialLoss):
            skip(f"what a {type(loss).__name__} is given, its family knows")
        plays = [Toy(self.scores).play(()) for _ in range(2)]
        tensors = [v for play in plays for side in play.sides.values() for v in tensors_of(side)]

        def both() -> None:
            with torch.no_grad():
                loss.critic_loss(plays[0])
                loss.generator_loss(plays[1])

        return tensors, both

    def trial(self, loss: Any) -> AbstractContextManager[Composition]:
        """Return a composed run of the loss's family."""
        own = {"generator": f"{NAME},classes=2"} if "labels" in loss.needs else {}
        # A recipe may name more than its family uses.
        return composed(self.names, loss=self.spec, critic=self.critic, encoder=NAME, **own)

    def test_terms_are_scalars(self) -> None:
        """It returns named scalars, floating point, finite, with a gradient."""
        terms = self.terms(self.summariser())
        assert terms, "it returns no term"
        for name, value in terms.items():
            assert isinstance(value, Tensor) and value.dim() == 0, f"{name} is no scalar tensor"
            assert value.is_floating_point(), f"{name} is {value.dtype}"
            assert value.isfinite(), f"{name} is {float(value)}"
        assert any(value.requires_grad for value in terms.values()), "no term has a gradient"

    def test_it_keeps_no_state(self) -> None:
        """The same inputs give the same terms, whatever was compared in between."""
        loss = self.summariser()
        first = self.terms(loss)
        self.terms(loss, seed=1)
        again = self.terms(loss)
        for name in first.keys() | again.keys():
            assert same(first[name], again[name]), f"{name} changes from call to call"

    def test_nothing_waits_for_the_device(self) -> None:
        """No `.item()`, `float()` or condition on a tensor: a step never waits for the device."""
        loss = self.summariser()
        with waits() as calls:
            self.terms(loss)
        assert not calls, f"it makes the device wait: {', '.join(calls)}; keep values as tensors"

    def test_steps_are_left_to_the_engine(self) -> None:
        """It neither goes backward nor makes or moves an optimiser."""
        loss = self.summariser()
        with forbidden(GRADIENTS) as calls:
            self.terms(loss)
        assert not calls, f"it calls {', '.join(calls)}; return terms, the engine does the rest"

    def test_the_gradient_is_that_of_the_value(self) -> None:
        """The gradient is the slope of the value, by finite differences, or `targets` is true."""
        loss = self.summariser()
        if loss.targets:
            skip("it says that it draws to targets that are held constant")
        for value, at in self.values(loss):
            gap = slope_gap(value, at)
            assert gap < STEEP, (
                f"the gradient is not the slope of the value (relative {gap:.2g}): it has the wrong "
                "sign, or lacks a part; say targets = True if a part of it is held constant on purpose"
            )

    def test_it_leaves_the_random_state_alone(self) -> None:
        """It draws no numbers from torch's global random state, which a run's own come from."""
        loss = self.summariser()
        before = torch.get_rng_state()
        self.terms(loss)
        assert torch.equal(before, torch.get_rng_state()), (
            "it draws from the global random state; use a torch.Generator of your own, or play.noise"
        )

    def test_what_it_is_given_is_left_alone(self) -> None:
        """The data's statistics, images and scores are not changed in place: others are given them."""
        loss = self.summariser()
        given, compare = self.given(loss)
        kept = [value.detach().clone() for value in given]
        compare()
        assert all(map(torch.equal, (value.detach() for value in given), kept)), (
            "it changes what it is given in place"
        )

    def test_tensors_are_made_where_they_are_used(self) -> None:
        """On another device it makes no tensor on the CPU, and reads no values: tried on `meta`."""
        loss = self.summariser()
        if isinstance(loss, nn.Module):
            loss.to("meta")
        if getattr(loss, "preparation", 0):
            with imagined():
                rows = self.features(loss.preparation, seed=9)
                loss.prepare({name: value.to(META) for name, value in rows.items()})
        terms = self.comparison(loss, device="meta")

        def step() -> None:
            values = [value for value in terms().values() if value.requires_grad]
            torch.autograd.backward(values, retain_graph=True)

        elsewhere(step)

    def test_a_run_uses_it(self) -> None:
        """A run of a few steps with it ends well."""
        with self.trial(self.make()) as composition:
            trained(composition)
