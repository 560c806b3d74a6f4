"""Judges: in whose features a metric is taken, and whether a run was trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..errors import GentkError, UsageError
from ..interfaces import Metric
from ..registry import Registry
from ..runs.trained import Run
from ..selection import Selection
from .measurement import OF_RUN, OWN

__all__ = ["DEFAULT_JUDGE", "STANDARD", "Judge", "judges_of", "standard_judges"]

DEFAULT_JUDGE = ("timm:tf_efficientnet_lite1,last=1,resize=64",)
"""The extractor that judges where none is named: ImageNet features that recipes do not train on."""

STANDARD = {
    "inception": ("fd", "kid", "prdc,k=3"),
    "inception,layer=logits_unbiased": ("is",),
}
"""The published figures: extractor -> metrics."""


@dataclass
class Judge:
    """An extractor and what is measured in its features.

    Attributes:
        extractor: As it is typed.
        metrics: Name as typed -> metric.
        trained_on: Whether the run that is judged was trained in its features.
        beside: Whether it is only shown beside the judges that count: it may be left away.
    """

    extractor: str
    metrics: dict[str, Metric] = field(default_factory=dict)
    trained_on: bool = False
    beside: bool = False


def judges_of(
    metrics: dict[str, Metric],
    extractors: Sequence[str],
    run: Run | None,
    registry: Registry,
    *,
    beside: bool = True,
) -> list[Judge]:
    """Return who measures what: the extractors asked for, or each metric's own.

    Where nobody was asked for, the extractors that a run was trained with judge beside, in their last
    layer: how far a run is ahead where it was trained is part of the picture.
    """
    judges: dict[str, Judge] = {}
    for name, metric in metrics.items():
        own = (metric.extractor,) if metric.extractor else DEFAULT_JUDGE
        if metric.extractor in OF_RUN and not extractors:
            own = (_of_run(OF_RUN[metric.extractor], run, name),)
        for text in extractors or own:
            judge = judges.setdefault(text, Judge(text, trained_on=_trained(text, run)))
            judge.metrics[name] = metric
    if run is not None and not extractors and beside:
        free = {name: metric for name, metric in metrics.items() if metric.extractor is None}
        for text in _beside(run, registry) if free else ():
            if text not in judges:
                judges[text] = Judge(text, dict(free), trained_on=True, beside=True)
    return list(judges.values())


def _of_run(text: str, run: Run | None, metric: str) -> str:
    """Return a network of a run as an extractor."""
    if run is None:
        raise UsageError(
            f"metric {metric!r} judges an extractor, and there is none; add --extractor run:FOLDER"
        )
    options = text.removeprefix(OWN)
    return f"{OWN}:{run.folder.path}{options}"


def standard_judges(
    registry: Registry, run: Run | None, extractors: Sequence[str] = ()
) -> list[Judge]:
    """Return the judges of published figures; an extractor `inception` says where its weights are."""
    options: dict[str, str] = {}
    for given in map(Selection.parse, extractors):
        if given.name != "inception" or set(given.options) - {"weights"} or len(extractors) > 1:
            raise UsageError(
                f"--standard is the Inception network's figures, and --extractor {given} is not that; "
                "drop one of them, or type --extractor inception,weights=PATH"
            )
        options = given.options
    judges = []
    for text, names in STANDARD.items():
        own = Selection.parse(text)
        here = str(replace(own, options={**own.options, **options}))
        metrics = {name: registry.build("metric", name)[0] for name in names}
        judges.append(Judge(here, metrics, trained_on=_trained(here, run)))
    return judges


def _beside(run: Run, registry: Registry) -> list[str]:
    """Return the extractors that a run was trained with, in their last layer where they have many."""
    extractors = []
    for text in run.recipe.extractor if "extractor" in run.record else ():
        own = Selection.parse(run.folder.locate(text))
        if own.name == "identity":
            continue
        try:
            provided = registry.find("extractor", own.name)
            options = {o.name for o in registry.options(provided)}
            sees = getattr(registry.target(provided), "sees", None)
        except GentkError:
            continue
        if sees == "critic":
            # There is no critic outside of the run's training.
            continue
        # Options of an extractor in training (its weight) are none of a judge's.
        own = replace(own, options={k: v for k, v in own.options.items() if k in options})
        if "last" in options:
            own = replace(own, options={**own.options, "last": "1"})
        extractors.append(str(own))
    return list(dict.fromkeys(extractors))


def _trained(text: str, run: Run | None) -> bool:
    """Say whether the judge is one the run trained on: its figure then says little."""
    if run is None:
        return False
    # Without a codec `identity` looks at what `pixels` looks at.
    alike = {"identity": "pixels"} if run.recipe.codec is None else {}
    head = Selection.parse(text)
    return any(
        alike.get(own.name, own.name) == alike.get(head.name, head.name)
        and _same(own.argument, head.argument)
        for own in map(Selection.parse, map(run.folder.locate, run.recipe.extractor))
    )


def _same(one: str | None, other: str | None) -> bool:
    """Say whether two arguments may mean the same weights: `vgg19` may be `vgg19.tv_in1k`."""
    if one is None or other is None or one == other:
        return one == other
    names = sorted((one, other), key=len)
    return names[1].startswith(f"{names[0]}.")
