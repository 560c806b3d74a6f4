"""Plans: what is measured and how, and what it is measured with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from ..data.view import View
from ..engine.world import World
from ..errors import UsageError
from ..families.base import Advance
from ..families.shared import shared_options
from ..interfaces import Metric
from ..registry import Registry
from ..seed import check_seed
from ..selection import Selection
from .measurement import OWN

__all__ = ["Context", "Notice", "Plan"]

Notice = Callable[[str], None]
"""Called with sentences people should read."""


@dataclass(frozen=True)
class Context:
    """What an evaluation is made with; none of it decides a value.

    Attributes:
        registry: Where names are looked up.
        device: Where to compute, as `Recipe.device`.
        threads: CPU threads; torch's own choice without it.
        notice: Called with sentences people should read.
        advance: Called with what is being done, the number done, and the total.
        world: The processes that evaluate together, all of them with the same plan; None for one alone.
    """

    registry: Registry = field(default_factory=Registry)
    device: str = "auto"
    threads: int | None = None
    notice: Notice = lambda message: None
    advance: Advance | None = None
    world: World | None = None


@dataclass(frozen=True)
class Plan:
    """What is measured and how, as `gentk evaluate` is asked for it.

    Attributes:
        data: The reference, as `Recipe.data`; for a run by default its own data's test split.
        metrics: What to compute.
        extractors: Where to compare: each is a judge of its own. By default an extractor that no
            recipe trains on.
        count: Number of samples; generated values are rounded to 8 bits, as files would be.
        seed: Seed of the samples.
        sanity: Judge training images, noise, blurred images and one repeated image too.
        ratio: Report the ratio of `fd` to that of as many training images, `fdr`.
        standard: Take the published Inception metrics instead of `metrics`; the only extractor that
            may be named is `inception,weights=PATH`.
        beside: Whether values in the features that a run was trained with, marked, stand beside those
            of the default judge.
    """

    data: str | None = None
    metrics: tuple[str, ...] = ("fd",)
    extractors: tuple[str, ...] = ()
    count: int = 5000
    seed: int = 0
    sanity: bool = False
    ratio: bool = False
    standard: bool = False
    beside: bool = True

    def words(self, device: str = "auto", threads: int | None = None) -> list[str]:
        """Return the options of `gentk evaluate`."""
        words = [word for metric in self.metrics for word in ("--metric", metric)]
        words += [word for text in self.extractors for word in ("--extractor", text)]
        words += ["--against", self.data] if self.data is not None else []
        words += ["-n", str(self.count)]
        words += ["--seed", str(self.seed)] if self.seed else []
        words += ["--device", device] if device != "auto" else []
        return words + (["--threads", str(threads)] if threads is not None else [])

    @property
    def own_extractors(self) -> tuple[str, ...]:
        """The extractors that are networks of the run that is judged, as typed."""
        return tuple(text for text in self.extractors if _is_own(text))

    @property
    def networks(self) -> frozenset[str]:
        """The networks of the run that is judged that judge it: `encoder` of `run`, as `of=` says."""
        own = [Selection.parse(text) for text in self.own_extractors]
        return frozenset(one.options.get("of", "encoder") for one in own)

    def of_run(self, folder: Path) -> Plan:
        """Return the plan for one run: its folder stands in the judges that are its own networks."""
        own = [Selection.parse(text) for text in self.extractors]
        placed = [
            str(replace(one, argument=str(folder))) if _is_own(str(one)) else str(one)
            for one in own
        ]
        return replace(self, extractors=tuple(placed))

    def of_features(self, extractor: str, registry: Registry) -> Plan | None:
        """Return the plan for an extractor that stands in the place of a run's own network.

        Only metrics that judge an extractor, on labelled images, look at no samples; without one, or
        without a judge of the run's own, there is no plan.

        Raises:
            UsageError: It names no data.
        """
        built = self.built(registry)
        metrics = tuple(name for name, metric in built.items() if "labels" in metric.needs)
        if not metrics or not self.own_extractors:
            return None
        if self.data is None:
            raise UsageError(
                f"features have no data of their own to be judged on by {metrics[0]!r}; write "
                'data = "..." in its [[judge]], such as cifar10,split=test'
            )
        return replace(self, metrics=metrics, extractors=(extractor,), beside=False)

    def built(self, registry: Registry) -> dict[str, Metric]:
        """Return the metrics by name, as typed."""
        return {
            text: cast(Metric, registry.build("metric", text)[0])
            for text in dict.fromkeys(self.metrics)
        }

    def check(self, registry: Registry) -> None:
        """Refuse names and numbers that there are not; reads no data, loads no weights.

        Raises:
            GentkError: A metric, an extractor, the reference or a number is none.
        """
        check_seed(self.seed)
        if self.count < 2:
            raise UsageError(f"{self.count} samples cannot be compared with anything; type -n 5000")
        self.built(registry)
        for text in self.extractors:
            registry.rehearse("extractor", text)
        if self.data is not None:
            shared = shared_options("data")
            values = registry.rehearse("data", self.data, shared)
            View(**{o.name: values[o.name] for o in shared if o.name in values})


def _is_own(text: str) -> bool:
    own = Selection.parse(text)
    return own.name == OWN and own.argument is None
