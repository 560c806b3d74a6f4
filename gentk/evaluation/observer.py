"""The observer `evaluate`: figures while a run trains."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import cast

from ..errors import BadOption
from ..events import Checkpointed, Event, RunEnded, RunStarted
from ..interfaces import Metric, Observer
from ..registry import Registry
from ..runs.folder import RunFolder
from .measurement import OF_RUN, Measurement
from .plan import Context, Plan
from .record import rewind
from .settled import judge

__all__ = ["Evaluator"]


class Evaluator(Observer):
    """Judges a run every so many steps and at its end; figures go to `figures.jsonl`, lines to stderr.

    It asks for checkpoints at these steps and judges what they hold: averaged weights where the run
    averages them, as `gentk evaluate` does. Training does not notice it: weights are the same, bit by
    bit, and the time does not count. A run that goes on from step k keeps the figures up to k.

    A comma inside a value is written `;`: extractor=timm:vgg19;last=1.

    Args:
        every: Steps between evaluations.
        metric: What to compute; several are joined with `+`.
        extractor: In whose features; by default those no recipe trains on. The run's own encoder and
            critic judge a finished run only.
        data: The reference; the run's own data, test split, by default.
        count: How many samples to compare.
        quiet: Print nothing.
    """

    def __init__(
        self,
        *,
        every: int = 1000,
        metric: tuple[str, ...] = ("fd",),
        extractor: tuple[str, ...] = (),
        data: str | None = None,
        count: int = 1000,
        quiet: bool = False,
    ) -> None:
        if every < 1:
            raise BadOption(f"observer 'evaluate': every={every} is no distance; write every=1000")
        if count < 2:
            raise BadOption(f"observer 'evaluate': count={count} is too few; write count=1000")
        self.every = self.checkpoint_steps = every
        self.plan = Plan(
            None if data is None else _commas(data),
            tuple(map(_commas, metric)),
            tuple(map(_commas, extractor)),
            count,
        )
        self._refuse_own()
        self.quiet = quiet
        self._folder = Path()
        self._device = "auto"

    def _refuse_own(self) -> None:
        """Refuse judges that are networks of the run itself: those are opened once it is finished."""
        known, own = Registry(), bool(self.plan.networks)
        for text in () if self.plan.extractors else self.plan.metrics:
            # One that only the run's own registry knows is none of these.
            if known.knows("metric", text):
                own |= cast(Metric, known.build("metric", text)[0]).extractor in OF_RUN
        if own:
            words = shlex.join(self.plan.words())
            raise BadOption(
                "observer 'evaluate': the run's own networks judge it once it is finished; drop the "
                f"observer, and type afterwards: gentk evaluate RUN {words}"
            )

    def observe(self, event: Event) -> None:
        """Judge a checkpoint whose turn it is, and the last one."""
        if isinstance(event, RunStarted):
            self._folder = event.folder
            self._device = str(event.recipe.get("device", "auto"))
            steps = event.progress.steps
            rewind(self._folder, steps)
            if steps % self.every == 0:
                # Killed between a checkpoint and its evaluation: that is made up.
                self._judge(steps)
        elif isinstance(event, Checkpointed):
            if event.progress.steps % self.every == 0:
                self._judge(event.progress.steps)
        elif isinstance(event, RunEnded):
            self._judge(event.progress.steps)

    def settle(self, folder: Path, device: str = "auto") -> None:
        """Judge the last checkpoint of a run that is finished already, unless that has been done.

        Args:
            folder: The run's.
            device: Where to compute.
        """
        self._folder, self._device = folder, device
        steps = RunFolder(folder).checkpoints.steps()
        if steps:
            self._judge(steps[-1])

    def _judge(self, steps: int) -> None:
        """Judge the latest checkpoint, unless that has been done."""
        if not RunFolder(self._folder).checkpoints.steps():
            return
        registry = self.registry if isinstance(self.registry, Registry) else Registry()
        context = Context(registry, device=self._device)
        evaluation = judge(self._folder, steps, self.plan, context).evaluation
        if evaluation is not None and not self.quiet:
            line = ", ".join(map(_written, evaluation.measurements))
            print(f"step {steps:,}: {line}", file=sys.stderr, flush=True)


def _written(measurement: Measurement) -> str:
    """Write a measurement as it stands in a line."""
    error = "" if measurement.error is None else f" +- {measurement.error:.2g}"
    return f"{measurement.name} {measurement.value:.5g}{error}"


def _commas(text: str) -> str:
    return text.replace(";", ",")
