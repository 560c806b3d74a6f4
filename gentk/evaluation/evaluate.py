"""Evaluation: a run, a folder or a file of images is compared with data, and the protocol is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from ..cache import Cache
from ..data.imageset import ImageSet, to_unit
from ..engine.device import choose_device, set_threads
from ..errors import GentkError, Incompatible, UsageError
from ..families.base import Advance
from ..feature_space import FeatureSpace
from ..interfaces import Figure, Metric
from ..registry import Registry
from ..runs.features import extractor_space
from ..runs.images import open_data, test_split
from ..seed import check_seed
from ..selection import Selection
from ..statistics import CHUNK, summarise_all
from ..summary import Samples, Summary
from .judges import DEFAULT_JUDGE, Judge, judges_of, standard_judges
from .protocol import describe_space, protocol_of
from .subjects import Subject, open_subject, sanity, some_of

__all__ = ["DEFAULT_JUDGE", "Evaluation", "evaluate"]

RATIO = {"fd": "fdr"}
"""Figures whose ratio to that of real images is told, and what it is called."""

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Evaluation:
    """Figures with the protocol they were measured by.

    Attributes:
        rows: One mapping per figure: subject, metric, extractor, figure, value, error, better,
            trained_on.
        protocol: What decides the figures besides the samples; by extractor what decides features.
    """

    rows: list[dict[str, Any]]
    protocol: dict[str, Any]


def evaluate(
    subject: str,
    *,
    data: str | None = None,
    metrics: tuple[str, ...] = ("fd",),
    extractors: tuple[str, ...] = (),
    count: int = 5000,
    seed: int = 0,
    floor: bool = False,
    ratio: bool = False,
    standard: bool = False,
    beside: bool = True,
    device: str = "auto",
    threads: int | None = None,
    registry: Registry | None = None,
    notice: Notice = lambda message: None,
    advance: Advance | None = None,
) -> Evaluation:
    """Compare samples with data.

    Args:
        subject: A run's folder, a folder or npz file of images, or data by name (real images against
            real images give the floor: what a perfect generator would get).
        data: The reference, as `Recipe.data`; for a run by default its own data's test split.
        metrics: What to compute.
        extractors: Where to compare: each is a judge of its own. By default an extractor that no
            recipe trains on, and beside it, marked, those that the run was trained with.
        count: Number of samples; generated values are rounded to 8 bits, as files would be.
        seed: Seed of the latents.
        floor: Judge training images, noise, blurred images and one repeated image too.
        ratio: Tell the ratio of `fd` to that of as many training images, `fdr`.
        standard: Take the published Inception figures instead of `metrics`; the only extractor that
            may be named is `inception,weights=PATH`.
        beside: Whether figures in the features that a run was trained with stand beside the default's.
        device: Where to compute.
        threads: CPU threads.
        registry: Where names are looked up.
        notice: Called with sentences people should read.
        advance: Called with what is being done, the number done, and the total.

    Raises:
        GentkError: Anything unknown, missing or unfit.
    """
    registry = registry or Registry()
    set_threads(threads)
    check_seed(seed)
    if count < 2:
        raise UsageError(f"{count} samples cannot be compared with anything; type -n 5000")
    if data is not None:
        registry.check("data", data)
    measures = {text: cast(Metric, registry.build("metric", text)[0]) for text in metrics}
    where = choose_device(device)
    sample = open_subject(subject, count, seed, registry, device, notice)
    reference = open_data(_reference(data, sample), registry, notice)
    if reference.shape != sample.shape:
        raise Incompatible(
            f"samples are {tuple(sample.shape)}, the reference {reference.name!r} is "
            f"{tuple(reference.shape)} (channels, height, width); add size={sample.shape.height},"
            f"channels={sample.shape.channels} to --data"
        )
    run = sample.run
    judges = (
        standard_judges(registry, run, extractors)
        if standard
        else judges_of(measures, extractors, run, registry, beside=beside)
    )
    wanted = _others(judges, data, sample, reference, registry, notice)
    for judge in judges:
        _refuse_unfit(judge, subject, sample, reference, wanted)
    ratio = ratio and any(_has_ratio(name) for judge in judges for name in judge.metrics)
    train = _train(reference, sample.count, seed, registry) if floor or ratio else None
    fewer = train is not None and train.count < sample.count
    if train is not None and fewer:
        notice(
            f"{reference.name} has {train.count} other images and not {sample.count}, which fd depends "
            f"on, so no fdr is told; type -n {train.count}"
        )
        train = train if floor else None
    elif train is None and (floor or ratio):
        notice(
            f"{reference.name} has no other images, so there is no floor; type --data with a name that "
            "has a training and a test split"
        )
    others = [train] if train is not None else []
    if floor:
        others += sanity(train or some_of(reference, sample.count, seed, "reference"))
    bench = _Bench(reference, wanted, where, notice, advance)
    rows: list[dict[str, Any]] = []
    spaces: dict[str, dict[str, Any]] = {}
    for judge in judges:
        try:
            space = extractor_space((judge.extractor,), registry, reference.shape, where, notice)
            found = bench.judged(judge, space, [sample, *others], all_of_them=floor)
        except GentkError as error:
            if not judge.beside:
                raise
            notice(f"no figures in the features it was trained on: {error}")
            continue
        rows += _rows(judge, found, sample, None if fewer else train, floor)
        spaces[judge.extractor] = describe_space(space)
    return Evaluation(rows, {**protocol_of(sample, reference, seed), "extractors": spaces})


Found = dict[tuple[str, str], list[Figure]]
"""(subject, metric) -> figures."""


@dataclass(frozen=True)
class _Bench:
    """The reference and what else subjects are compared with."""

    reference: ImageSet
    also: dict[str, ImageSet]
    device: torch.device
    notice: Notice
    advance: Advance | None

    def judged(
        self, judge: Judge, space: FeatureSpace, subjects: list[Subject], *, all_of_them: bool
    ) -> Found:
        """Compare every subject with the reference, whose features are made once.

        Args:
            judge: The metrics.
            space: The judge's features.
            subjects: The samples, and what they are read by.
            all_of_them: Whether the latter are to have all figures, or those of ratios only.
        """
        metrics = judge.metrics
        ours = self._of_images(self.reference, "reference", metrics, space)
        more: dict[str, dict[str, Summary]] = {name: {} for name in metrics}
        for split, images in self.also.items():
            those = {name: m for name, m in metrics.items() if split in m.also}
            for name, summary in self._of_images(images, split, those, space).items():
                more[name][split] = summary
        found = {}
        for subject in subjects:
            first = subject is subjects[0]
            label = "samples" if first else subject.name
            those = {n: m for n, m in metrics.items() if first or all_of_them or _has_ratio(n)}
            judging = {n: m for n, m in those.items() if "labels" not in m.needs}
            theirs = self._summaries(
                subject.stream, subject.fingerprint, subject.count, label, judging, space
            )
            for name, metric in those.items():
                if name not in judging and not first:
                    continue
                try:
                    made = metric.figures(ours[name], theirs.get(name, ours[name]), **more[name])
                except GentkError as error:
                    if not judge.beside:
                        raise
                    self.notice(f"no figure in the features it was trained on: {error}")
                    continue
                found[subject.name, name] = made
        return found

    def _of_images(
        self, images: ImageSet, label: str, metrics: dict[str, Metric], space: FeatureSpace
    ) -> dict[str, Summary]:
        def stream() -> Iterator[Tensor]:
            return (to_unit(chunk) for chunk in images.chunks(CHUNK))

        made = self._summaries(stream, images.fingerprint(), len(images), label, metrics, space)
        for name, summary in made.items():
            if "labels" in metrics[name].needs and isinstance(summary, Samples):
                made[name] = replace(summary, labels=images.labels)
        return made

    def _summaries(
        self,
        stream: Callable[[], Iterator[Tensor]],
        fingerprint: str | None,
        total: int,
        label: str,
        metrics: dict[str, Metric],
        space: FeatureSpace,
    ) -> dict[str, Summary]:
        """Return the summary of images that each metric wants."""

        def told(done: int) -> None:
            if self.advance is not None:
                self.advance(label, done, total)

        made = summarise_all(
            stream,
            space,
            list(metrics.values()),
            device=self.device,
            fingerprint=fingerprint,
            cache=Cache(),
            advance=told,
        )
        return dict(zip(metrics, made, strict=True))


def _rows(
    judge: Judge, found: Found, sample: Subject, train: Subject | None, floor: bool
) -> list[dict[str, Any]]:
    """Return a judge's figures as rows: of the samples, and of what they are read by if asked."""
    rows = []
    for (subject, metric), figures in found.items():
        if subject != sample.name and not floor:
            continue
        real = found.get((train.name, metric), []) if train else []
        least = {figure.name: figure for figure in real}
        for figure in figures:
            shown = [figure]
            if figure.name in RATIO and figure.name in least:
                shown += _share(figure, least[figure.name])
            rows += [_row(subject, metric, judge, each, subject == sample.name) for each in shown]
    return rows


def _row(subject: str, metric: str, judge: Judge, figure: Figure, sampled: bool) -> dict[str, Any]:
    return {
        "subject": subject,
        "metric": metric,
        "extractor": judge.extractor,
        "figure": figure.name,
        "value": figure.value,
        "error": figure.error,
        "better": figure.better,
        "trained_on": judge.trained_on and sampled,
    }


def _has_ratio(metric: str) -> bool:
    """Say whether a metric has a figure whose ratio is told."""
    return Selection.parse(metric).name in RATIO


def _share(figure: Figure, least: Figure) -> list[Figure]:
    """Return a figure as a multiple of the floor's, whose error counts too; nothing of a floor of 0."""
    if least.value <= 0:
        return []
    value, error = figure.value / least.value, None
    if figure is not least and figure.error is not None and least.error is not None:
        error = math.hypot(figure.error, value * least.error) / least.value
    return [Figure(RATIO[figure.name], value, error, figure.better)]


def _others(
    judges: list[Judge],
    data: str | None,
    sample: Subject,
    reference: ImageSet,
    registry: Registry,
    notice: Notice,
) -> dict[str, ImageSet]:
    """Return the further splits that metrics look at: of a run's own data what it was trained on."""
    wanted = {}
    for split in sorted({s for j in judges for m in j.metrics.values() for s in m.also}):
        if split == "train" and data is None and sample.run is not None:
            wanted[split] = open_data(sample.run.recipe.data, registry, notice)
        else:
            wanted[split] = _split(reference.name, split, registry, notice)
    return wanted


def _refuse_unfit(
    judge: Judge, text: str, sample: Subject, reference: ImageSet, also: dict[str, ImageSet]
) -> None:
    """Refuse figures that would look at the same images twice, or at something else than asked."""
    for name, metric in judge.metrics.items():
        for split in metric.also:
            if also[split].fingerprint() == reference.fingerprint():
                raise Incompatible(
                    f"metric {name!r} sets the reference beside the {split} split, and {reference.name} "
                    "is that split; type --data NAME,split=test"
                )
        if "labels" in metric.needs and sample.run is None and Path(text).exists():
            raise Incompatible(
                f"metric {name!r} judges an extractor on labelled data and does not look at the images "
                f"of {text}; type the name of the data in its place, such as cifar10"
            )


def _split(name: str, split: str, registry: Registry, notice: Notice) -> ImageSet:
    """Open another split of the reference's data."""
    own = Selection.parse(name)
    kept = {k: v for k, v in own.options.items() if k not in ("split", "limit")}
    return open_data(str(replace(own, options={**kept, "split": split})), registry, notice)


def _train(reference: ImageSet, count: int, seed: int, registry: Registry) -> Subject | None:
    """Return as many training images as there are samples, or test images where those are the
    reference; None where there are no others.
    """
    split = "test" if reference.view.split == "train" else "train"
    try:
        images = _split(reference.name, split, registry, lambda message: None)
    except GentkError:
        return None
    if images.fingerprint() == reference.fingerprint():
        return None
    return some_of(images, count, seed, f"real images ({split})")


def _reference(data: str | None, sample: Subject) -> str:
    if data is not None:
        return data
    if sample.run is None:
        raise UsageError(
            f"{sample.name} has no data of its own to be compared with; add --data, such as "
            "--data cifar10,split=test"
        )
    return test_split(sample.run.recipe.data)
