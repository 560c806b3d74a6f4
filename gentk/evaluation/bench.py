"""The bench: subjects are compared with a reference in one extractor's features, made once for all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..cache import Cache
from ..data.imageset import ImageSet
from ..engine.world import World
from ..errors import GentkError
from ..feature_space import FeatureSpace
from ..interfaces import Metric, MetricValue
from ..runs.features import extractor_space
from ..selection import Selection
from ..statistics import Chunks, chunks_of, summarise_all
from ..summary import Samples, Summary
from .edited import code_now
from .judges import Judge
from .measurement import Measurement, preparation_of, protocol_of
from .plan import Context
from .subjects import Subject

__all__ = ["RATIO", "Bench", "Beside", "has_ratio"]

RATIO = {"fd": "fdr"}
"""Values whose ratio to that of real images is reported, and what it is called."""


@dataclass(frozen=True)
class Beside:
    """What is judged besides the samples.

    Attributes:
        real: As many other real images, whose values ratios are to; None if none are reported.
        shown: Whose measurements are kept: the sanity rows, if they were asked for.
    """

    real: Subject | None
    shown: list[Subject]

    def subjects(self) -> list[Subject]:
        """Return all of them once."""
        hidden = self.real is not None and self.real not in self.shown
        return [*([self.real] if self.real is not None and hidden else []), *self.shown]


Values = dict[tuple[str, str], list[MetricValue]]
"""(subject, metric) -> its values."""


@dataclass(frozen=True)
class Bench:
    """The reference and what else subjects are compared with."""

    reference: ImageSet
    splits: dict[str, ImageSet]
    world: World
    context: Context

    def measured(
        self, judge: Judge, sample: Subject, beside: Beside, seed: int
    ) -> list[Measurement]:
        """Return a judge's measurements of the samples and of what is shown beside them."""
        context = self.context
        space = extractor_space(
            (judge.extractor,),
            context.registry,
            self.reference.shape,
            self.world.device,
            context.notice,
        )
        protocol = protocol_of(sample, self.reference, seed, preparation_of(space))
        values = self._compared(judge, space, sample, beside)
        counts = {subject.name: subject.count for subject in (sample, *beside.shown)}
        # Metrics of labels judge the extractor on the reference itself: no sample is drawn for them.
        labelled = {name for name, m in judge.metrics.items() if "labels" in m.needs}
        code = {
            metric: code_now(metric, judge.extractor, protocol, context.registry)
            for metric in judge.metrics
        }
        return [
            Measurement.of(
                value,
                subject=subject,
                metric=metric,
                extractor=judge.extractor,
                trained_on=_trained_on(judge, subject, sample),
                protocol=replace(protocol, samples=0 if metric in labelled else counts[subject]),
                code=code[metric],
            )
            for (subject, metric), listed in self._with_ratios(values, beside.real, judge).items()
            if subject in counts
            for value in listed
        ]

    def _with_ratios(self, values: Values, real: Subject | None, judge: Judge) -> Values:
        """Return values with their ratios to those of real images beside them."""
        if real is None:
            return values
        with_ratios: Values = {}
        unknown: dict[str, list[str]] = {}
        for (subject, metric), listed in values.items():
            least = {value.name: value for value in values.get((real.name, metric), [])}
            rows = with_ratios[subject, metric] = []
            for value in listed:
                floor = least.get(value.name)
                ratios = _ratio(value, floor, subject == real.name)
                known = [one for one in ratios if _is_number(one, floor)]
                rows += [value, *known]
                if len(known) < len(ratios):
                    unknown.setdefault(RATIO[value.name], []).append(subject)
        for ratio, subjects in unknown.items():
            self.context.notice(
                f"{ratio} of {', '.join(subjects)} in {judge.extractor} is no number: the error of "
                "real images' value exceeds it; type a larger -n"
            )
        return with_ratios

    def _compared(
        self, judge: Judge, space: FeatureSpace, sample: Subject, beside: Beside
    ) -> Values:
        """Compare every subject with the reference, whose features are made once."""
        sides = self._references(judge.metrics, space)
        values: Values = {}
        for subject in (sample, *beside.subjects()):
            full = subject is sample or subject in beside.shown
            metrics = {n: m for n, m in judge.metrics.items() if full or has_ratio(n)}
            if subject is not sample:
                # Metrics of labels judge the extractor: they have one value, whatever the samples.
                metrics = {n: m for n, m in metrics.items() if "labels" not in m.needs}
            theirs = self._of_subject(subject, metrics, space, first=subject is sample)
            for name, metric in metrics.items():
                side = sides[name]
                try:
                    own = theirs.get(name, side.reference)
                    listed = metric.values(side.reference, own, **side.splits)
                except GentkError as error:
                    if not judge.beside:
                        raise
                    self.context.notice(f"no value in the features it was trained on: {error}")
                    continue
                values[subject.name, name] = listed
        return values

    def _references(self, metrics: Mapping[str, Metric], space: FeatureSpace) -> dict[str, _Side]:
        """Return what each metric compares samples with."""
        whole = self._of_images(self.reference, "reference", metrics, space)
        splits: dict[str, dict[str, Summary]] = {name: {} for name in metrics}
        for split, images in self.splits.items():
            wanting = {name: m for name, m in metrics.items() if split in m.also}
            for name, summary in self._of_images(images, split, wanting, space).items():
                splits[name][split] = summary
        return {name: _Side(whole[name], splits[name]) for name in metrics}

    def _of_subject(
        self, subject: Subject, metrics: Mapping[str, Metric], space: FeatureSpace, *, first: bool
    ) -> dict[str, Summary]:
        """Return the summary of a subject that each metric wants; metrics of labels want none."""
        judging = {n: m for n, m in metrics.items() if "labels" not in m.needs}
        label = "samples" if first else subject.name
        stream = _Stream(subject.stream, subject.fingerprint, subject.count, label)
        return self._summaries(stream, judging, space)

    def _of_images(
        self, images: ImageSet, label: str, metrics: Mapping[str, Metric], space: FeatureSpace
    ) -> dict[str, Summary]:
        """Return the summary of a set of images that each metric wants, with labels for some."""
        stream = _Stream(chunks_of(images), images.fingerprint(), len(images), label)
        summaries = self._summaries(stream, metrics, space)
        for name, summary in summaries.items():
            if "labels" in metrics[name].needs and isinstance(summary, Samples):
                summaries[name] = replace(summary, labels=images.labels)
        return summaries

    def _summaries(
        self, stream: _Stream, metrics: Mapping[str, Metric], space: FeatureSpace
    ) -> dict[str, Summary]:
        """Return the summary of images that each metric wants."""

        def report(done: int) -> None:
            if self.context.advance is not None:
                self.context.advance(stream.label, min(done, stream.count), stream.count)

        summaries = summarise_all(
            stream.units,
            space,
            list(metrics.values()),
            count=stream.count,
            device=self.world.device,
            fingerprint=stream.fingerprint,
            cache=Cache(),
            advance=report,
            peers=self.world,
        )
        return dict(zip(metrics, summaries, strict=True))


@dataclass(frozen=True)
class _Side:
    """What a metric compares samples with: the reference, and further splits by name."""

    reference: Summary
    splits: dict[str, Summary]


@dataclass(frozen=True)
class _Stream:
    """Images to be summarised: chunks in [0, 1], a digest if they are worth keeping, a label."""

    units: Chunks
    fingerprint: str | None
    count: int
    label: str


def _trained_on(judge: Judge, subject: str, sample: Subject) -> bool | None:
    """Say whether what is shown was made by training in a judge's features; None if unknown."""
    if subject != sample.name:
        return False
    return judge.trained_on if sample.known else None


def _ratio(value: MetricValue, least: MetricValue | None, itself: bool) -> list[MetricValue]:
    """Return a value as a multiple of the floor's; nothing where there is no floor above 0.

    With value v +- e and floor f +- s: r = v / f, error sqrt(e^2 + (r s)^2) / f; none for the floor.
    """
    if value.name not in RATIO or least is None or least.value <= 0:
        return []
    ratio, error = value.value / least.value, None
    if not itself and value.error is not None and least.error is not None:
        error = math.hypot(value.error, ratio * least.error) / least.value
    return [MetricValue(RATIO[value.name], ratio, error, value.direction)]


def _is_number(ratio: MetricValue, floor: MetricValue | None) -> bool:
    """Say whether a ratio, and the floor that it is to, exceed their errors."""
    parts = [ratio] if floor is None else [ratio, floor]
    return all(one.error is None or one.error <= one.value for one in parts)


def has_ratio(metric: str) -> bool:
    """Say whether a metric has a value whose ratio is reported."""
    return Selection.parse(metric).name in RATIO
