"""The loop: the one that trains everything.

It takes steps, keeps time, tells observers, writes checkpoints; it knows no model family. Nothing in a
step waits for the device: scalars to log are kept as tensors and read every `log_every` steps.
"""

from __future__ import annotations

import copy
import math
import operator
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ..budget import Budget
from ..checkpoint import Checkpoints
from ..errors import CheckpointError, NonFinite, ObserverWarning, PeerLost, UsageError
from ..events import Checkpointed, Event, Noticed, Progress, Sampled, Stepped
from ..interfaces import Estimator, Observer
from ..interrupts import Request, Stopped, finishing, keeping
from . import randomness
from .averaging import WeightAverage
from .finite import Look, diverged, finite, first_fault
from .operations import Operations
from .phase import Phase, lay_out
from .telling import apart
from .world import World

__all__ = ["Budget", "Loop", "Stateful", "Watch"]

Watch = Callable[[Sequence[Mapping[str, float]]], str | None]
"""Logged steps -> what people should be told of them, or None."""


class Stateful(Protocol):
    """Anything whose state a checkpoint keeps.

    One with a true attribute `may_be_absent` goes on as it is from a checkpoint that lacks it.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Take up a state."""
        ...


@dataclass(frozen=True)
class _Step:
    """A step that was taken and not been looked at yet."""

    number: int
    images: int
    shown: Mapping[str, Tensor]
    looks: Sequence[Look]


class Loop:
    """One run's training.

    Args:
        phases: What is optimised, in turn.
        budget: When to stop.
        state: Name -> what a checkpoint keeps besides the phases' optimisers.
        checkpoints: Where checkpoints go.
        observers: Who is told.
        draw: Returns sample images, (N, C, H, W) in [0, 1], for sample grids.
        average: The averaged weights, if any.
        world: Where it runs.
        log_every: Steps between reading the logged scalars (and looking whether they are finite).
        sample_every: Share of the budget between sample grids.
        checkpoint_every: Seconds between checkpoints.
        checkpoint_steps: Steps after which there is one besides; None for none.
        watch: Looks at logged steps and returns what people should be told of them, if anything.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        budget: Budget,
        state: dict[str, Stateful],
        checkpoints: Checkpoints,
        *,
        observers: Sequence[Observer] = (),
        draw: Callable[[], Tensor] | None = None,
        average: WeightAverage[Any] | None = None,
        world: World | None = None,
        log_every: int = 10,
        sample_every: float = 0.05,
        checkpoint_every: float = 60.0,
        checkpoint_steps: int | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.phases = list(phases)
        self.budget = budget
        self.state = dict(state)
        self.checkpoints = checkpoints
        self.observers = list(observers)
        self.draw = draw
        self.average = average
        self.world = world or World()
        self.device = self.world.device
        self.log_every = log_every
        self.sample_every = sample_every
        self.checkpoint_every = checkpoint_every
        self.checkpoint_steps = checkpoint_steps
        self.watch = watch
        self.progress = Progress()
        self.last: dict[str, float] = {}
        self._pending: list[_Step] = []

    def run(self) -> Progress:
        """Train until the budget is used up.

        Raises:
            Stopped: After a signal, to any of the processes, and its checkpoint.
            PeerLost: Another process has ended.
        """
        try:
            return self._run()
        except PeerLost as error:
            kept = _kept(self.checkpoints.steps())
            raise PeerLost(
                f"{error}; {kept}: type the same command to go on, with any number of processes"
            ) from error

    def begin(self) -> None:
        """Draw what training starts from, and keep it as a checkpoint where somebody judges those.

        For a start that is worth looking at: a trained generator's.
        """
        self._sample()
        if self.checkpoint_steps is not None:
            self.save()

    def _run(self) -> Progress:
        saved_at = time.perf_counter()
        if self.budget.counts:
            self._count_ahead()
        grids = self._grids_done()
        with finishing() as asked:
            while self._goes_on(asked):
                self._turn()
                if self.progress.steps % self.log_every == 0:
                    self._flush()
                if self._grids_done() > grids:
                    grids = self._grids_done()
                    self._flush()
                    self._sample()
                if self._due() or time.perf_counter() - saved_at > self.checkpoint_every:
                    self.save()
                    saved_at = time.perf_counter()
            if self.progress.steps not in self.checkpoints.steps():
                self.save()
        if asked.number is not None:
            raise Stopped(asked.number)
        return self.progress

    def _goes_on(self, asked: Request) -> bool:
        """Whether another turn is taken: rank 0 has the clock, a signal to any process counts."""
        if self.world.size > 1:
            words = self.world.count([float(asked.number or 0), self.progress.seconds])
            seconds = words[0][1]
            fraction = self.budget.fraction(self.progress.steps, seconds)
            self.progress = replace(self.progress, seconds=seconds, fraction=fraction)
            asked.number = next((int(number) for number, _ in words if number), None)
        return self.progress.fraction < 1 and asked.number is None

    def _turn(self) -> None:
        """Take one turn: `repeat` steps of every phase."""
        begin = time.perf_counter()
        images = self.progress.images
        shown: dict[str, Tensor] = {}
        looks: list[Look] = []
        with self._counted():
            for phase in self.phases:
                for _ in range(phase.repeat):
                    shown |= phase.step(self.progress, looks)
                    images += phase.images
        if self.average is not None:
            self.average.update()
        steps = self.progress.steps + 1
        seconds = self.progress.seconds + time.perf_counter() - begin
        fraction = self.budget.fraction(steps, seconds)
        self.progress = Progress(steps, images, seconds, fraction)
        self._pending.append(_Step(steps, images, shown, looks))

    def _count_ahead(self) -> None:
        """Count the operations of a turn, and take it back, where the first one taken does not do.

        After steps by another budget they may be used up, and an estimator's work may grow as it fills.
        """
        filling = [e for e in self.state.values() if isinstance(e, Estimator) and e.fills]
        if not (self.progress.steps or filling):
            return
        before = copy.deepcopy(self.state_dict())
        for estimator in filling:
            estimator.fill()
        with self._counted():
            for phase in self.phases:
                for _ in range(phase.repeat):
                    phase.step(self.progress)
        self.load_state_dict(before)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count the operations of a turn, if the budget is in operations and none has been counted."""
        if not self.budget.counts:
            yield
            return
        with Operations() as count:
            yield
        each = sum(int(own) for (own,) in self.world.count([float(count.total)]))
        if each == 0:
            raise UsageError(
                "a step has no products of matrices, so that its operations cannot be counted; type "
                "--steps 1000 instead of --operations"
            )
        self.budget = replace(self.budget, each=each)
        steps = self.budget.afforded or 0
        told = "there is 1 step" if steps == 1 else f"there are {steps:,} steps"
        message = f"a step takes {each:.4g} operations, so {told}"
        self.tell(Noticed(self.progress, message))

    def _flush(self) -> None:
        """Read the scalars of the steps since the last time, tell observers, stop if one is bad."""
        if not self._pending:
            return
        begin = time.perf_counter()
        pending, self._pending = self._pending, []
        names = list(pending[-1].shown)
        table = torch.stack(
            [torch.stack([step.shown[n].double() for n in names]) for step in pending]
        )
        rows = [
            {"step": float(step.number), "images": float(step.images)}
            | dict(zip(names, values, strict=True))
            for step, values in zip(pending, table.tolist(), strict=True)
        ]
        fine = finite(look for step in pending for look in step.looks)
        self.last = rows[-1]
        # Reading waits for what the device still has to do: that is training time too.
        seconds = self.progress.seconds + time.perf_counter() - begin
        fraction = self.budget.fraction(self.progress.steps, seconds)
        self.progress = replace(self.progress, seconds=seconds, fraction=fraction)
        self.tell(Stepped(self.progress, rows))
        message = self.watch(rows) if self.watch is not None else None
        if message:
            self.tell(Noticed(self.progress, message))
        if not fine or not all(math.isfinite(value) for row in rows for value in row.values()):
            for step, row in zip(pending, rows, strict=True):
                fault = first_fault(step.looks, row)
                if fault is not None:
                    kept = _kept(self.checkpoints.steps())
                    raise NonFinite(diverged(fault, step.number, kept))

    def save(self) -> None:
        """Write a checkpoint; what was logged is read first, so that no broken state is ever kept.

        All processes have the same state, which the first one writes.
        """
        self._flush()
        if not self.world.leads:
            return
        with keeping():
            path = self.checkpoints.save(self.progress.steps, self.state_dict())
        self.tell(Checkpointed(self.progress, path))

    def _optimizers(self) -> list[tuple[str, torch.optim.Optimizer]]:
        """Return all optimisers by the names they have in a checkpoint."""
        return [
            (f"optimizer/{phase.name}/{name}", optimizer)
            for phase in self.phases
            for name, (optimizer, _) in phase.optimizers.items()
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides how the run goes on."""
        p = self.progress
        state: dict[str, Any] = {name: part.state_dict() for name, part in self.state.items()}
        state |= {name: optimizer.state_dict() for name, optimizer in self._optimizers()}
        if self.average is not None:
            state["average"] = self.average.state_dict()
        state["progress"] = {"steps": p.steps, "images": p.images, "seconds": p.seconds}
        if self.budget.each is not None:
            state["progress"]["operations_per_step"] = self.budget.each
        state["last"] = dict(self.last)
        state["random"] = randomness.get_state(self.device)
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Raises:
            CheckpointError: It is not what these parts returned.
        """
        try:
            self._take_up(state)
        except (
            AttributeError,
            IndexError,
            KeyError,
            OverflowError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise CheckpointError(
                f"the checkpoint in {self.checkpoints.folder} does not fit this run ({reason}); restore "
                "it from a copy, install the versions named in run.json, or delete it to begin again"
            ) from error

    def _take_up(self, state: dict[str, Any]) -> None:
        for name, part in self.state.items():
            if name in state or not getattr(part, "may_be_absent", False):
                part.load_state_dict(state[name])
        for name, optimizer in self._optimizers():
            optimizer.load_state_dict(state[name])
            lay_out(optimizer)
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        counts = state["progress"]
        steps, images = operator.index(counts["steps"]), operator.index(counts["images"])
        seconds = float(counts["seconds"])
        if min(steps, images, seconds) < 0 or not math.isfinite(seconds):
            raise ValueError(
                f"{steps} steps, {images} images and {seconds} seconds are no progress"
            )
        if "operations_per_step" in counts:
            each = operator.index(counts["operations_per_step"])
            if each < 1:
                raise ValueError(f"{each} is no number of operations")
            self.budget = replace(self.budget, each=each)
        fraction = self.budget.fraction(steps, seconds)
        self.progress = Progress(steps, images, seconds, fraction)
        self.last = {str(name): float(value) for name, value in state["last"].items()}
        randomness.set_state(state["random"], self.device)

    def tell(self, event: Event) -> None:
        """Tell every observer under a random state of its own; drop one that fails, and say so.

        It is said to the others, and by a warning where none of them shows people what it is told.
        """
        failed = []
        for observer in self.observers:
            try:
                with randomness.lent(self.device):
                    observer.observe(apart(event))
            except Exception as error:
                failed.append((observer, error))
        self.observers = [one for one in self.observers if all(one is not bad for bad, _ in failed)]
        for bad, fault in failed:
            reason = " ".join(f"{type(fault).__name__}: {fault}".split())
            message = f"{type(bad).__name__} failed and is dropped ({reason})"
            self.tell(Noticed(event.progress, message))
            if not any(one.shows_notices for one in self.observers):
                warnings.warn(message, ObserverWarning, stacklevel=2)

    def _due(self) -> bool:
        """Whether somebody wants a checkpoint of this step."""
        every = self.checkpoint_steps
        return every is not None and self.progress.steps % every == 0

    def _grids_done(self) -> int:
        return int(min(self.progress.fraction, 1.0) / self.sample_every + 1e-9)

    def _sample(self) -> None:
        if self.draw is not None and self.world.leads:
            with randomness.lent(self.device):
                images = self.draw()
            self.tell(Sampled(self.progress, images))


def _kept(steps: list[int]) -> str:
    return f"the checkpoint of step {steps[-1]} is kept" if steps else "no checkpoint was written"
