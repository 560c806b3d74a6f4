"""Settled: whether a run has been judged by a plan already, so that nothing is judged twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..errors import RunError
from ..interfaces import ImageShape
from ..registry import Registry
from ..runs.features import extractor_space
from ..runs.folder import RunFolder
from ..runs.images import open_data, open_held_out
from .bench import RATIO, has_ratio
from .edited import edited_since
from .evaluate import Evaluation, evaluate
from .judges import judges_of
from .measurement import OF_RUN, Measurement, own_extractor
from .plan import Context, Plan
from .record import append, read

__all__ = ["Settled", "judge", "pairs", "recorded", "rehearse"]


@dataclass(frozen=True)
class Settled:
    """What a plan asks of a run.

    Attributes:
        measurements: The values, those of a metric all of one evaluation.
        evaluation: The evaluation, if the run had to be judged for them.
    """

    measurements: list[Measurement]
    evaluation: Evaluation | None = None


def judge(folder: Path, steps: int, plan: Plan, context: Context) -> Settled:
    """Return what a plan asks of a run, judging it if that has not been done.

    Args:
        folder: The run's.
        steps: The steps of its last checkpoint, which is what is judged.
        plan: What is asked.
        context: What it is judged with.

    Raises:
        GentkError: It cannot be judged.
    """
    known = recorded(folder, steps, plan, context.registry)
    if known is not None:
        return Settled(known)
    evaluation = evaluate(str(folder), replace(plan, beside=False), context)
    append(folder, evaluation.measurements, steps)
    # A ratio whose error exceeds it is not reported.
    own = _chosen(evaluation.of_subject(), folder, plan, context.registry, whole=False)
    if own is None:
        missing = ", ".join(" in ".join(pair) for pair in pairs(plan, context.registry, folder))
        words = " ".join(plan.words(context.device, context.threads))
        raise RunError(
            f"the run {folder} did not get all values of {missing}; to see which, type: "
            f"gentk evaluate {folder} {words}"
        )
    return Settled(own, evaluation)


def recorded(folder: Path, steps: int, plan: Plan, registry: Registry) -> list[Measurement] | None:
    """Return what a plan asks of a run from its record; None if it has not been judged so."""
    measurements = [row.measurement for row in read(folder, steps) if _asked(row.measurement, plan)]
    if not measurements:
        return None
    # What is compared are the images: one reference may be written in several ways.
    if plan.data is not None:
        mark = open_data(plan.data, registry).fingerprint()
    else:
        mark = open_held_out(RunFolder(folder).read()["recipe"]["data"], registry).fingerprint()
    same = [m for m in measurements if m.protocol.reference.fingerprint == mark]
    chosen = _chosen(same, folder, plan, registry)
    if chosen is None or any(edited_since(m, registry) for m in chosen):
        return None
    return chosen if _in_features_of_today(chosen, folder, registry) else None


def _in_features_of_today(
    measurements: Sequence[Measurement], folder: Path, registry: Registry
) -> bool:
    """Say whether extractors have the weights and preparation that measurements were made with."""
    before = {m.extractor: m.protocol.preparation for m in measurements}
    image = ImageShape(*RunFolder(folder).read()["data"]["shape"])
    for text, preparation in before.items():
        if preparation is not None:
            space = extractor_space((text,), registry, image, torch.device("cpu"))
            if space.fingerprint() != preparation.fingerprint:
                return False
    return True


def rehearse(data: str, plan: Plan, context: Context) -> list[Measurement]:
    """Judge real images as runs of some data will be: what fails then fails now.

    Returns:
        What was measured; metrics of labels, which judge a network, are not.

    Raises:
        GentkError: Such runs cannot be judged.
    """
    built = plan.built(context.registry)
    metrics = tuple(name for name, metric in built.items() if "labels" not in metric.needs)
    real = open_held_out(data, context.registry).name
    against = plan.data if plan.data is not None else real
    if metrics:
        asked = replace(plan, data=against, metrics=metrics, beside=False)
        return evaluate(real, asked, context).measurements
    open_data(against, context.registry, lambda message: None)
    return []


def pairs(plan: Plan, registry: Registry, folder: Path | None = None) -> list[tuple[str, str]]:
    """Return the (metric, extractor) whose values a plan asks for.

    Args:
        plan: The plan.
        registry: Where names are looked up.
        folder: The run's; its own encoder is called `run`.
    """
    metrics = plan.built(registry)
    own = {
        name: OF_RUN[metric.extractor]
        for name, metric in metrics.items()
        if metric.extractor in OF_RUN and not plan.extractors
    }
    rest = {name: metric for name, metric in metrics.items() if name not in own}
    judges = judges_of(rest, plan.extractors, None, registry, beside=False)
    place = "" if folder is None else str(folder)
    asked = [(name, own_extractor(j.extractor, place)) for j in judges for name in j.metrics]
    return list(dict.fromkeys([*asked, *own.items()]))


def _chosen(
    measurements: Iterable[Measurement],
    folder: Path,
    plan: Plan,
    registry: Registry,
    *,
    whole: bool = True,
) -> list[Measurement] | None:
    """Return the measurements that a plan asks for, or None if some are not there.

    Ratios may be missing unless `whole`.
    """
    asked = [m for m in measurements if _asked(m, plan)]
    chosen: list[Measurement] = []
    for pair in pairs(plan, registry, folder):
        last = _last([m for m in asked if (m.metric, m.place) == pair])
        ratio = whole and plan.ratio and has_ratio(pair[0])
        if not last or (ratio and not {m.name for m in last} & set(RATIO.values())):
            return None
        chosen += last
    return chosen


def _asked(measurement: Measurement, plan: Plan) -> bool:
    """Say whether a measurement is one of a plan's, and no ratio to others unless it asks for that."""
    ours = measurement.metric in plan.metrics
    ours = ours and (plan.ratio or measurement.name not in RATIO.values())
    protocol = measurement.protocol
    return ours and protocol.samples in (0, plan.count) and protocol.seed == plan.seed


def _last(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Return those of the last evaluation: another begins where a name comes again."""
    batch: dict[str, Measurement] = {}
    before = None
    for measurement in measurements:
        if measurement.name in batch or measurement.protocol != before:
            batch = {}
        batch[measurement.name] = measurement
        before = measurement.protocol
    return list(batch.values())
