"""The suite of losses, of whatever family: it looks at what the loss is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

from torch import Tensor

from ..families import Composition
from ..interfaces import AdversarialLoss, Loss, MatchingLoss, ReconstructionLoss
from .adversarial import AdversarialChecks, game_terms
from .likeness import same
from .matching import MatchingChecks
from .partner import NAME
from .plays import Toy
from .reconstruction import ReconstructionChecks, image_pair
from .suite import skip
from .trial import composed, trained
from .watch import GRADIENTS, WAITS, forbidden

__all__ = ["LossSuite"]


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
        if isinstance(loss, MatchingLoss):
            data = loss.summarise(self.features(8, seed=5))
            model = {k: v.requires_grad_() for k, v in self.features(6, seed, 0.3).items()}
            reference = loss.reference(data)
            return loss(reference, loss.statistics(loss.summarise(model, data)))
        if isinstance(loss, ReconstructionLoss):
            images, made = image_pair(loss.range, seed)
            return loss(images, made.requires_grad_())
        if not isinstance(loss, AdversarialLoss):
            skip(f"what a {type(loss).__name__} is given, its family knows")
        return game_terms(loss, Toy(self.scores, seed))

    def trial(self, loss: Any) -> AbstractContextManager[Composition]:
        """Return a composed run of the loss's family."""
        own = {"generator": f"{NAME},classes=2"} if "labels" in loss.needs else {}
        # A recipe may name more than its family uses.
        return composed(self.names, loss=self.spec, critic=self.critic, encoder=NAME, **own)

    def test_terms_are_scalars(self) -> None:
        """It returns named scalars, floating point, finite, with a gradient."""
        found = self.terms(self.summariser())
        assert found, "it returns no term"
        for name, value in found.items():
            assert isinstance(value, Tensor) and value.dim() == 0, f"{name} is no scalar tensor"
            assert value.is_floating_point(), f"{name} is {value.dtype}"
            assert value.isfinite(), f"{name} is {float(value)}"
        assert any(value.requires_grad for value in found.values()), "no term has a gradient"

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
        with forbidden(WAITS) as made:
            self.terms(loss)
        assert not made, f"it makes the device wait: {', '.join(made)}; keep values as tensors"

    def test_steps_are_left_to_the_engine(self) -> None:
        """It neither goes backward nor makes or moves an optimiser."""
        loss = self.summariser()
        with forbidden(GRADIENTS) as made:
            self.terms(loss)
        assert not made, f"it calls {', '.join(made)}; return terms, the engine does the rest"

    def test_a_run_uses_it(self) -> None:
        """A run of a few steps with it ends well."""
        with self.trial(self.make()) as composition:
            trained(composition)
