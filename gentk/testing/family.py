"""The suite of families."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import GentkError
from ..families import KEYS, Composition, Family, Program
from ..families.lookup import family_of
from ..interfaces import NEEDS, Loss
from ..plugins import Provided
from .elsewhere import elsewhere, imagined
from .exactness import check_ranks
from .likeness import same
from .network import bits
from .partner import NAME
from .suite import Suite, skip
from .trial import STEPS, composed, trained
from .watch import waits

__all__ = ["FamilySuite"]

CHUNK = 3
"""Samples per graph of a trial in chunks."""

NETWORKS = ("encoder", "critic")
"""Networks that a recipe may leave out."""


class FamilySuite(Suite):
    """Runs of its losses train, go on with the same bits, draw samples and refuse what does not fit.

    Attributes:
        loss: A loss that it trains, as it is typed; by default the first one that is installed, of its
            own distribution if there is one.
    """

    kind = "family"
    interface: ClassVar[type[Any]] = Family
    loss: ClassVar[str | None] = None

    def trained_loss(self) -> str:
        """Return the loss of the trials; skip the check where another family is taken for it."""
        own = self.provided
        claimed = getattr(self.names.target(own), "loss", None)
        rows = sorted(
            self.names.select("loss"), key=lambda row: row.distribution != own.distribution
        )
        for text in [self.loss] if self.loss else [row.component.name for row in rows]:
            try:
                loss: Loss = self.names.build("loss", text)[0]
                if not isinstance(loss, claimed or ()):
                    continue
                if type(family_of(loss, text, self.names)) is self.names.target(own):
                    return text
            except GentkError:
                continue
        skip("no loss that is installed is trained by it; name one: loss = 'NAME'")

    def trial(self, **flags: Any) -> AbstractContextManager[Composition]:
        """Return a composed run of a loss that it trains, with what it uses of networks."""
        uses: frozenset[str] = getattr(self.names.target(self.provided), "uses", frozenset())
        parts = {name: NAME for name in NETWORKS if name in uses}
        return composed(self.names, **{"loss": self.trained_loss(), **parts, **flags})

    def program(self, c: Composition) -> Program:
        """Return the family's program of a composition."""
        torch.manual_seed(0)
        family: Family = self.make()
        return family.program(c, None)

    def test_it_takes_no_options(self) -> None:
        """Nobody types its name, so it takes neither options nor an argument; its loss may."""
        options = [option.name for option in self.names.options(self.provided)]
        assert not options, f"nobody can set {', '.join(options)}; make them options of the loss"
        assert self.provided.component.argument is None, "nobody can give it an argument"

    def test_it_trains_a_class_of_losses_of_its_own(self) -> None:
        """`loss` is a class of losses, and no other family that is installed trains that class."""
        claimed = _claimed(self, self.provided)
        assert isinstance(claimed, type) and issubclass(claimed, Loss), (
            f"loss is {claimed!r}, and no class of gentk.interfaces.Loss"
        )
        assert claimed is not Loss, "it would train every loss that there is"
        rivals = [
            f"{row.component.name} of {row.distribution}"
            for row in self.names.select("family")
            if row != self.provided and _claimed(self, row) is claimed
        ]
        assert not rivals, f"{' and '.join(rivals)} trains {claimed.__name__} too: derive a class"

    def test_it_uses_what_a_recipe_has(self) -> None:
        """`uses` are keys of a recipe that not every run needs, and `needs` are among them."""
        family: Family = self.make()
        strange = family.uses - KEYS - {"labels"}
        assert not strange, (
            f"uses has {', '.join(sorted(strange))}; keys are {', '.join(sorted(KEYS))}"
        )
        lacking = family.needs - (family.uses & NEEDS.keys())
        assert not lacking, f"needs has {', '.join(sorted(lacking))}, which it does not use"

    def test_its_phases_are_those_it_names(self) -> None:
        """The phases of its runs, and the networks in them, have the names that `phases` says."""
        with self.trial() as c:
            family: Family = self.make()
            for phase in self.program(c).phases:
                known = family.phases.get(phase.name)
                assert known is not None, f"there is a phase {phase.name!r}, and phases has none"
                # Networks of a loss are in the phase that trains them, whatever the family.
                strange = phase.modules.keys() - {*known, f"loss-{phase.name}"}
                assert not strange, f"phase {phase.name!r} trains {', '.join(sorted(strange))} too"

    def test_a_run_trains_every_network(self) -> None:
        """A run of a few steps completes and moves the networks of every phase."""
        with self.trial() as c:
            before = _weights(self.program(c))
            run = trained(c)
            state = run.folder.checkpoints.load()
        family: Family = self.make()
        spare = {*NETWORKS} - family.needs - c.loss.needs
        for name, kept in before.items():
            if name in spare:
                continue  # A run may have it, and a loss that does not look at it.
            assert name in state, f"the checkpoint has no {name}"
            moved = any(not same(kept[key], state[name][key]) for key in kept)
            assert moved, f"nothing of {name} has moved"

    def test_it_goes_on_with_the_same_bits(self) -> None:
        """A run that is stopped and goes on has the weights of one that was not."""
        with TemporaryDirectory() as place:
            folder = Path(place)
            for steps in (STEPS - 1, STEPS):
                with self.trial(steps=steps, out=str(folder / "parts")) as c:
                    names = list(self.program(c).modules)
                    parts = trained(c).folder.checkpoints.load()
            with self.trial(out=str(folder / "whole")) as c:
                whole = trained(c).folder.checkpoints.load()
        for name in names:
            gaps = [key for key in whole[name] if not same(whole[name][key], parts[name][key])]
            assert not gaps, (
                f"{name} ends elsewhere after a stop; put what decides the next step into the program's "
                "state, and draw from torch's own random numbers"
            )

    def test_samples_are_images(self) -> None:
        """`draw` returns images of the data's shape, in [0, 1], on the CPU."""
        with self.trial() as c:
            images = _drawn(self.program(c))
            shape = tuple(c.images.shape)
        assert images.dim() == 4 and tuple(images.shape[1:]) == shape, (
            f"it draws {tuple(images.shape)}, and images are {shape}"
        )
        assert images.device.type == "cpu" and images.dtype == torch.float32, (
            f"it draws {images.dtype} on {images.device}"
        )
        low, high = float(images.min()), float(images.max())
        assert 0 <= low <= high <= 1, f"values from {low:.3g} to {high:.3g} are not in [0, 1]"

    def test_grids_show_the_same_latents(self) -> None:
        """The same networks draw the same images, so that a run's grids can be compared."""
        with self.trial() as c:
            program = self.program(c)
            first = _drawn(program)
            torch.manual_seed(1)
            assert same(first, _drawn(program)), "it draws other latents each time"

    def test_a_step_says_its_loss(self) -> None:
        """Phases log detached scalars, the same at every step, and one is `loss`."""
        with self.trial() as c:
            steps = [
                {name: v for phase in program.phases for name, v in phase.objective().items()}
                for program in [self.program(c)]
                for _ in range(2)
            ]
        assert "loss" in steps[0], f"it logs {', '.join(steps[0]) or 'nothing'}, and no loss"
        assert steps[0].keys() == steps[1].keys(), "it logs other names at the second step"
        for name, value in steps[0].items():
            assert value.dim() == 0 and not value.requires_grad, f"{name} is no detached scalar"

    def test_steps_are_left_to_the_engine(self) -> None:
        """An objective adds gradients to what its phase trains, and moves no weight itself."""
        with self.trial() as c:
            program = self.program(c)
            before = _weights(program)
            for phase in program.phases:
                phase.objective()
            after = _weights(program)
        for name, kept in before.items():
            moved = [key for key in kept if not same(kept[key], after[name][key])]
            assert not moved, f"{name} has moved without an optimiser; the engine does that"

    def test_a_step_does_not_wait_for_the_device(self) -> None:
        """No `.item()`, `float()` or condition on a tensor that it computes."""
        with self.trial() as c:
            program = self.program(c)
            for phase in program.phases:
                phase.objective()
                with waits() as calls:
                    phase.objective()
                assert not calls, (
                    f"phase {phase.name!r} makes the device wait: {', '.join(calls)}; keep values as "
                    "tensors"
                )

    def test_tensors_are_made_where_they_are_used(self) -> None:
        """On another device a step makes no tensor on the CPU, and reads none: tried on `meta`."""
        with ExitStack() as stack:
            with imagined():
                program = self.program(stack.enter_context(self.trial()))
            for phase in program.phases:
                elsewhere(phase.objective)

    def test_what_is_missing_is_refused_beforehand(self) -> None:
        """Without an encoder or a critic a run trains, or is refused before anything is loaded."""
        self.trained_loss()
        for name in NETWORKS:
            try:
                with self.trial(**{name: None}) as c:
                    trained(c)
            except GentkError:
                continue
            except Exception as error:
                raise AssertionError(
                    f"without {name} it ends in {type(error).__name__}: {error}; add it to needs"
                ) from error

    def test_chunks_are_kept_or_refused(self) -> None:
        """With `chunk` no graph holds more samples than that, or `check` refuses it."""
        self.trained_loss()
        most = 0

        def counted(_: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
            nonlocal most
            if torch.is_grad_enabled() and inputs and isinstance(inputs[0], Tensor):
                most = max(most, len(inputs[0]))

        try:
            with self.trial(chunk=CHUNK) as c:
                program = self.program(c)
                for network in program.modules.values():
                    network.register_forward_hook(counted)
                for phase in program.phases:
                    phase.objective()
        except GentkError:
            return
        assert most <= CHUNK, f"with chunk={CHUNK} a network sees {most} samples in one graph"

    def test_processes_take_its_steps(self) -> None:
        """Two processes compute what one does with the same chunks, or `check` refuses chunks."""
        self.trained_loss()
        check_ranks(self.trial)


def _claimed(suite: FamilySuite, row: Provided) -> object:
    """Return the class that a family trains, None if it does not import."""
    try:
        return getattr(suite.names.target(row), "loss", None)
    except GentkError:
        return None


def _weights(program: Program) -> dict[str, dict[str, Tensor]]:
    """Return copies of the parameters of all trained modules."""
    return {
        name: {
            key: value
            for key, value in bits(module).items()
            if key in dict(module.named_parameters())
        }
        for name, module in program.modules.items()
    }


def _drawn(program: Program) -> Tensor:
    """Return a sample grid, as the loop asks for one."""
    modules = nn.ModuleDict(
        {name: m for phase in program.phases if phase.averaged for name, m in phase.modules.items()}
    )
    modules.eval()
    with torch.no_grad():
        return program.draw(modules)  # type: ignore[arg-type]
