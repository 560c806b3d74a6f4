"""Evaluation: a run, a folder or a file of images is compared with data, and the protocol is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..data.imageset import ImageSet
from ..engine.caller import undisturbed
from ..engine.device import choose_device, set_threads
from ..engine.world import World
from ..errors import GentkError, Incompatible, UnknownName, UsageError, did_you_mean
from ..markup import caption, page
from ..registry import Registry
from ..runs.images import open_data, open_held_out, open_split
from .bench import Bench, Beside, has_ratio
from .judges import DEFAULT_JUDGE, Judge, judges_of, standard_judges
from .measurement import Measurement, table_of
from .plan import Context, Plan
from .subjects import Subject, open_subject, sanity, some_of

__all__ = ["DEFAULT_JUDGE", "Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """What was measured: of the subject, and of the sanity rows if they were asked for.

    Attributes:
        subject: What was judged, as typed.
        measurements: One a value.
        steps: How many steps a run had taken; None if it is none.
        notes: Sentences that people should read, where nobody was told of them meanwhile.
    """

    subject: str
    measurements: list[Measurement]
    steps: int | None = None
    notes: list[str] = field(default_factory=list)

    def of_subject(self) -> list[Measurement]:
        """Return the measurements of what was judged, without sanity rows."""
        return [m for m in self.measurements if m.own]

    def __getitem__(self, name: str) -> Measurement:
        """Return what was judged's first value of a name, such as `fd`: that of the first judge.

        Raises:
            UnknownName: There is no such value.
        """
        own = self.of_subject()
        for measurement in own:
            if measurement.name == name:
                return measurement
        known = list(dict.fromkeys(measurement.name for measurement in own))
        near = did_you_mean(name, known)
        raise UnknownName(f"no value {name!r} was measured; {near}there are {', '.join(known)}")

    def __repr__(self) -> str:
        """Write the values of what was judged, on one line."""
        return f"<Evaluation of {self.subject!r}: {'; '.join(map(str, self.of_subject()))}>"

    def __str__(self) -> str:
        """Write the values, one a line."""
        return "\n".join(f"{one.subject}: {one}" for one in self.measurements)

    def _repr_html_(self) -> str:
        """Show the values and how they were measured in a notebook."""
        ways = dict.fromkeys(one.protocol.sentence() for one in self.measurements)
        return page(table_of(self.measurements), *map(caption, [*ways, *self.notes]))


@undisturbed()
def evaluate(subject: str, plan: Plan | None = None, context: Context | None = None) -> Evaluation:
    """Compare samples with data.

    Args:
        subject: A run's folder, a folder or npz file of images, or data by name (real images against
            real images give the floor: what a perfect generator would get).
        plan: What is measured and how.
        context: What it is measured with.

    Raises:
        GentkError: Anything unknown, missing or unfit.
    """
    plan, context = plan or Plan(), context or Context()
    set_threads(context.threads)
    plan.check(context.registry)
    sample, reference = _opened(subject, plan, context)
    judges = _judges(plan, sample, context.registry)
    splits = _splits(judges, plan.data, sample, reference, context)
    for judge in judges:
        _refuse_unfit(judge, subject, sample, reference, splits)
    beside = _beside(plan, judges, sample, reference, context)
    bench = Bench(reference, splits, context.world or World(choose_device(context.device)), context)
    measurements: list[Measurement] = []
    for judge in judges:
        try:
            measurements += bench.measured(judge, sample, beside, plan.seed)
        except GentkError as error:
            if not judge.beside:
                raise
            context.notice(f"no values in the features it was trained on: {error}")
    return Evaluation(sample.name, measurements, sample.run.steps if sample.run else None)


def _opened(subject: str, plan: Plan, context: Context) -> tuple[Subject, ImageSet]:
    """Open the samples and what they are compared with, which must be of one size."""
    registry, notice = context.registry, context.notice
    sample = open_subject(subject, plan.count, plan.seed, registry, context.device, notice)
    reference = _reference(plan.data, sample, context)
    if reference.shape != sample.shape:
        raise Incompatible(
            f"samples are {tuple(sample.shape)}, the reference {reference.name!r} is "
            f"{tuple(reference.shape)} (channels, height, width); add size={sample.shape.height},"
            f"channels={sample.shape.channels} to --against"
        )
    return sample, reference


def _reference(data: str | None, sample: Subject, context: Context) -> ImageSet:
    """Open what samples are compared with."""
    if data is not None:
        return open_data(data, context.registry, context.notice, context.advance)
    if sample.run is None:
        raise UsageError(
            f"{sample.name} has no data of its own to be compared with; add --against, such as "
            "--against cifar10,split=test"
        )
    return open_held_out(sample.run.recipe.data, context.registry, context.notice, context.advance)


def _judges(plan: Plan, sample: Subject, registry: Registry) -> list[Judge]:
    """Return who measures what."""
    if plan.standard:
        return standard_judges(registry, sample.run, plan.extractors)
    metrics = plan.built(registry)
    return judges_of(metrics, plan.extractors, sample.run, registry, beside=plan.beside)


def _beside(
    plan: Plan, judges: Sequence[Judge], sample: Subject, reference: ImageSet, context: Context
) -> Beside:
    """Open what values are read by: real images for ratios, and the sanity rows."""
    ratio = plan.ratio and any(has_ratio(name) for judge in judges for name in judge.metrics)
    if not (ratio or plan.sanity):
        return Beside(None, [])
    real = _other_images(reference, sample.count, plan.seed, context.registry)
    shown: list[Subject] = []
    if plan.sanity:
        shown = [real] if real is not None else []
        shown += sanity(real or some_of(reference, sample.count, plan.seed, "reference"))
    if real is None:
        context.notice(
            f"{reference.name} has no other images, so there is no floor; type --against with a "
            "name that has a training and a test split"
        )
    elif real.count < sample.count:
        context.notice(
            f"{reference.name} has {real.count} other images and not {sample.count}, which fd depends "
            f"on, so no fdr is reported; type -n {real.count}"
        )
        real = None
    return Beside(real, shown)


def _splits(
    judges: Sequence[Judge],
    data: str | None,
    sample: Subject,
    reference: ImageSet,
    context: Context,
) -> dict[str, ImageSet]:
    """Return the further splits that metrics look at: of a run's own data what it was trained on."""
    opened = {}
    own = sample.run.recipe.data if data is None and sample.run is not None else None
    for split in sorted({s for j in judges for m in j.metrics.values() for s in m.also}):
        if split == "train" and own is not None:
            opened[split] = open_data(own, context.registry, context.notice)
        else:
            name = own or reference.name
            opened[split] = open_split(name, split, context.registry, context.notice)
    return opened


def _refuse_unfit(
    judge: Judge, text: str, sample: Subject, reference: ImageSet, splits: Mapping[str, ImageSet]
) -> None:
    """Refuse values that would look at the same images twice, or at something else than asked."""
    for name, metric in judge.metrics.items():
        for split in metric.also:
            if splits[split].fingerprint() == reference.fingerprint():
                raise Incompatible(
                    f"metric {name!r} sets the reference beside the {split} split, and {reference.name} "
                    "is that split; type --against NAME,split=test, or hold images out"
                )
        if "labels" in metric.needs and sample.run is None and Path(text).exists():
            raise Incompatible(
                f"metric {name!r} judges an extractor on labelled data and does not look at the images "
                f"of {text}; type the name of the data in its place, such as cifar10"
            )


def _other_images(reference: ImageSet, count: int, seed: int, registry: Registry) -> Subject | None:
    """Return as many training images as there are samples, or test images where those are the
    reference; None where there are no others.
    """
    split = "test" if reference.view.split == "train" else "train"
    try:
        images = open_split(reference.name, split, registry, lambda message: None)
    except GentkError:
        return None
    if images.fingerprint() == reference.fingerprint():
        return None
    return some_of(images, count, seed, f"real images ({split})")
