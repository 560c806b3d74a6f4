"""Evaluation: a run, a folder or a file of images is compared with data, and the protocol is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from .. import __version__
from ..cache import Cache
from ..data.imageset import ImageSet, to_unit
from ..data.permutation import permutation
from ..errors import DataError, Incompatible, UsageError
from ..feature_space import FeatureSpace
from ..interfaces import ImageShape, Metric
from ..registry import Registry
from ..selection import Selection
from ..statistics import CHUNK, summarise_images, summarise_stream
from ..summary import Samples, Summary
from .composition import extractor_space, open_data, test_split
from .device import choose_device, set_threads
from .family import Advance
from .trained import Run, load

__all__ = ["DEFAULT_JUDGE", "Evaluation", "evaluate"]

DEFAULT_JUDGE = ("timm:tf_efficientnet_lite1,last=1,resize=64",)
"""The extractor that judges where none is named: ImageNet features that recipes do not train on."""

DRAW = 2
"""The key of permutations that choose images to be judged; splits and samplers use others."""


@dataclass(frozen=True)
class Evaluation:
    """Figures with the protocol they were measured by.

    Attributes:
        rows: One mapping per figure: metric, extractor, value, error, better, trained_on.
        protocol: What decides the figures besides the samples.
    """

    rows: list[dict[str, Any]]
    protocol: dict[str, Any]


@dataclass(frozen=True)
class _Sample:
    """The images to be judged."""

    name: str
    shape: ImageShape
    count: int
    stream: Callable[[], Iterator[Tensor]]
    run: Run | None = None


def evaluate(
    subject: str,
    *,
    data: str | None = None,
    metrics: tuple[str, ...] = ("fd",),
    extractors: tuple[str, ...] = (),
    count: int = 5000,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    registry: Registry | None = None,
    notice: Callable[[str], None] = lambda message: None,
    advance: Advance | None = None,
) -> Evaluation:
    """Compare samples with data.

    Args:
        subject: A run's folder, a folder or npz file of images, or data by name (real images against
            real images give the floor: what a perfect generator would get).
        data: The reference, as `Recipe.data`; for a run by default its own data's test split.
        metrics: What to compute.
        extractors: Where to compare: each is a judge of its own. By default an extractor that no
            recipe trains on.
        count: Number of samples; generated values are rounded to 8 bits, as files would be.
        seed: Seed of the latents.
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
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed {seed} is out of range; type a whole number from 0 to 2^63 - 1")
    if count < 2:
        raise UsageError(f"{count} samples cannot be compared with anything; type -n 5000")
    if data is not None:
        registry.check("data", data)
    measures = [_metric(text, registry) for text in metrics]
    where = choose_device(device)
    sample = _sample(subject, count, seed, registry, device, notice)
    reference = open_data(_reference(data, sample), registry, notice)
    if reference.shape != sample.shape:
        raise Incompatible(
            f"samples are {tuple(sample.shape)}, the reference {reference.name!r} is "
            f"{tuple(reference.shape)} (channels, height, width); add size={sample.shape.height},"
            f"channels={sample.shape.channels} to --data"
        )
    wanted = {
        split: _split(reference.name, split, registry, notice)
        for split in sorted({split for _, metric in measures for split in metric.also})
    }
    rows = []
    for text, those in _judges(measures, extractors).items():
        space = extractor_space((text,), registry, reference.shape, where, notice)
        for name, metric in those:
            also = {split: wanted[split] for split in metric.also}
            figures = _figures(metric, space, reference, also, sample, where, advance)
            rows += [
                {"metric": name, "extractor": text, **figure, "trained_on": _trained(text, sample)}
                for figure in figures
            ]
    return Evaluation(rows, _protocol(sample, reference, seed))


def _judges(
    measures: list[tuple[str, Metric]], extractors: tuple[str, ...]
) -> dict[str, list[tuple[str, Metric]]]:
    """Return extractor -> the metrics taken in it: those asked for, or each metric's own."""
    judges: dict[str, list[tuple[str, Metric]]] = {}
    for name, metric in measures:
        own = (metric.extractor,) if metric.extractor else DEFAULT_JUDGE
        for text in extractors or own:
            judges.setdefault(text, []).append((name, metric))
    return judges


def _split(name: str, split: str, registry: Registry, notice: Callable[[str], None]) -> ImageSet:
    """Open another split of the reference's data."""
    own = Selection.parse(name)
    kept = {k: v for k, v in own.options.items() if k not in ("split", "limit")}
    return open_data(str(replace(own, options={**kept, "split": split})), registry, notice)


def _metric(text: str, registry: Registry) -> tuple[str, Metric]:
    return text, cast(Metric, registry.build("metric", text)[0])


def _figures(
    metric: Metric,
    space: FeatureSpace,
    reference: ImageSet,
    also: dict[str, ImageSet],
    sample: _Sample,
    device: torch.device,
    advance: Advance | None,
) -> list[dict[str, Any]]:
    """Summarise both sides, and what else the metric asks for, and compare."""

    def told(what: str, total: int) -> Callable[[int], None]:
        return lambda done: advance(what, done, total) if advance else None

    def summarised(images: ImageSet, what: str) -> Summary:
        # Sums are worth keeping; features of every image are as large as the images.
        cache = None if issubclass(metric.summary, Samples) else Cache()
        done = told(what, len(images))
        return summarise_images(images, space, metric, device=device, cache=cache, advance=done)

    ours = summarised(reference, "reference")
    more = {split: summarised(images, split) for split, images in also.items()}
    units = (chunk.to(device) for chunk in sample.stream())
    theirs = summarise_stream(units, space, metric, told("samples", sample.count))
    return [
        {"figure": f.name, "value": f.value, "error": f.error, "better": f.better}
        for f in metric.figures(ours, theirs, **more)
    ]


def _sample(
    subject: str,
    count: int,
    seed: int,
    registry: Registry,
    device: str,
    notice: Callable[[str], None],
) -> _Sample:
    """Open what is to be judged: a run, or images."""
    path = Path(subject)
    if (path / "run.json").exists():
        run = load(path, registry=registry, device=device)

        def rounded() -> Iterator[Tensor]:
            for images in run.stream(count, seed=seed):
                yield (images * 255).round() / 255

        return _Sample(subject, run.image, count, rounded, run)
    if path.exists():
        name = f"{'npz' if path.suffix == '.npz' else 'folder'}:{subject}"
    elif registry.knows("data", subject):
        name = subject
    else:
        raise DataError(
            f"there is no {subject!r}; type the folder of a run, a folder or npz of images, or a "
            "data name such as cifar10"
        )
    images = open_data(name, registry, notice)
    if len(images) < count:
        notice(f"{subject} has {len(images)} images, not {count}: all of them are used")
    # Files are often sorted by class: the first ones would be some classes only.
    chosen = torch.from_numpy(permutation(len(images), DRAW, seed)[:count])

    def units() -> Iterator[Tensor]:
        return (to_unit(images.batch(part)) for part in chosen.split(CHUNK))

    return _Sample(subject, images.shape, len(chosen), units)


def _reference(data: str | None, sample: _Sample) -> str:
    if data is not None:
        return data
    if sample.run is None:
        raise UsageError(f"{sample.name} has no data of its own to be compared with; add --data")
    return test_split(sample.run.recipe.data)


def _trained(text: str, sample: _Sample) -> bool:
    """Say whether the judge is one the run trained on: its figure then says little."""
    if sample.run is None:
        return False
    head = Selection.parse(text)
    return any(
        (own.name, own.argument) == (head.name, head.argument)
        for own in map(Selection.parse, sample.run.recipe.extractor)
    )


def _protocol(sample: _Sample, reference: ImageSet, seed: int) -> dict[str, Any]:
    protocol: dict[str, Any] = {
        "subject": sample.name,
        "samples": sample.count,
        "seed": seed,
        "rounding": "8 bits",
        "reference": reference.description(),
        "reference_fingerprint": reference.fingerprint(),
        "gentk": __version__,
    }
    if sample.run is not None:
        protocol["weights"] = "averaged" if sample.run.recipe.ema else "last"
        protocol["batch_norm"] = "eval"
        protocol["identity"] = sample.run.record["identity"]
    return protocol
