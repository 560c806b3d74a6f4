"""Measures: how runs are judged, and whether a run has been judged in this way already."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..data.view import View
from ..errors import RunError
from ..families.base import Advance
from ..interfaces import Metric
from ..options import convert
from ..registry import Registry
from ..runs.folder import RunFolder
from ..runs.images import data_options, open_data, test_split
from .evaluate import RATIO, Evaluation, evaluate
from .figures import keep, read, rows_of
from .judges import judges_of
from .protocol import OWN, extractor_of, own_extractor

__all__ = ["Measure"]


@dataclass(frozen=True)
class Measure:
    """How runs are judged, as `gentk evaluate` does with its seed 0.

    Attributes:
        data: The reference; each run's own data, test split, by default.
        metrics: What to compute.
        extractors: In whose features; by default those that `gentk evaluate` takes.
        count: How many samples.
    """

    data: str | None = None
    metrics: tuple[str, ...] = ("fd",)
    extractors: tuple[str, ...] = ()
    count: int = 5000

    def words(self, device: str = "auto", threads: int | None = None) -> list[str]:
        """Return the options of `gentk evaluate`."""
        words = [word for metric in self.metrics for word in ("--metric", metric)]
        words += [word for text in self.extractors for word in ("--extractor", text)]
        words += ["--data", self.data] if self.data is not None else []
        words += ["-n", str(self.count)]
        words += ["--device", device] if device != "auto" else []
        return words + (["--threads", str(threads)] if threads is not None else [])

    def check(self, registry: Registry) -> None:
        """Refuse names and options that there are not; reads no data, loads no weights.

        Raises:
            GentkError: A metric, an extractor or the reference is none.
        """
        for _, text in self.pairs(registry):
            if text != OWN:
                own = registry.check("extractor", text)
                options = registry.options(registry.find("extractor", own.name))
                convert(own.options, options, f"extractor {own.name!r}")
        if self.data is not None:
            own = registry.check("data", self.data)
            shared = data_options()
            options = [*shared, *registry.options(registry.find("data", own.name))]
            values = convert(own.options, options, f"data {own.name!r}")
            View(**{o.name: values[o.name] for o in shared if o.name in values})

    def pairs(self, registry: Registry, folder: str = "") -> list[tuple[str, str]]:
        """Return the (metric, extractor) whose figures it asks for.

        Args:
            registry: Where names are looked up.
            folder: The run's; its own encoder is called `run`.
        """
        metrics = {text: cast(Metric, registry.build("metric", text)[0]) for text in self.metrics}
        own = [n for n, m in metrics.items() if m.extractor == OWN and not self.extractors]
        rest = {name: metric for name, metric in metrics.items() if name not in own}
        judges = judges_of(rest, self.extractors, None, registry, beside=False)
        found = [(n, own_extractor(j.extractor, folder)) for j in judges for n in j.metrics]
        return list(dict.fromkeys([*found, *((name, OWN) for name in own)]))

    def found(self, folder: Path, steps: int, registry: Registry) -> list[dict[str, Any]] | None:
        """Return the figures a run has after so many steps, or None if it has not been judged so."""
        rows = [row for row in read(folder, steps) if self._asked(row)]
        if not rows:
            return None
        data = self.data or test_split(RunFolder(folder).read()["recipe"]["data"])
        # What is compared are the images: one reference may be written in several ways.
        mark = open_data(data, registry, lambda message: None).fingerprint()
        rows = [row for row in rows if row["protocol"].get("reference_fingerprint") == mark]
        return self._chosen(rows, folder, registry)

    def figures(
        self,
        folder: Path,
        steps: int,
        registry: Registry,
        *,
        device: str = "auto",
        threads: int | None = None,
        advance: Advance | None = None,
    ) -> tuple[list[dict[str, Any]], Evaluation | None]:
        """Return a run's figures, and the evaluation if it had to be judged for them.

        Args:
            folder: The run's.
            steps: The steps of its last checkpoint, which is what is judged.
            registry: Where names are looked up.
            device: Where to compute.
            threads: CPU threads.
            advance: Called with what is being done, the number done, and the total.

        Raises:
            GentkError: It cannot be judged.
        """
        rows = self.found(folder, steps, registry)
        if rows is not None:
            return rows, None
        made = self._evaluated(
            str(folder), self.data, self.metrics, device, threads, registry, advance
        )
        keep(folder, made, steps)
        rows = self._chosen(rows_of(made), folder, registry)
        if rows is None:
            missing = ", ".join(" in ".join(pair) for pair in self.pairs(registry, str(folder)))
            raise RunError(
                f"the run {folder} did not get all figures of {missing}; to see which, type: "
                f"gentk evaluate {folder} {' '.join(self.words(device, threads))}"
            )
        return rows, made

    def rehearse(
        self,
        data: str,
        registry: Registry,
        *,
        device: str = "auto",
        threads: int | None = None,
        advance: Advance | None = None,
    ) -> None:
        """Judge real images as runs of some data will be: what fails then fails now.

        Raises:
            GentkError: Such runs cannot be judged.
        """
        built = {text: cast(Metric, registry.build("metric", text)[0]) for text in self.metrics}
        metrics = tuple(n for n, metric in built.items() if "labels" not in metric.needs)
        real = test_split(data)
        against = self.data if self.data is not None else real
        if metrics:
            self._evaluated(real, against, metrics, device, threads, registry, advance)
        else:
            open_data(against, registry, lambda message: None)

    def _evaluated(
        self,
        subject: str,
        data: str | None,
        metrics: tuple[str, ...],
        device: str,
        threads: int | None,
        registry: Registry,
        advance: Advance | None,
    ) -> Evaluation:
        return evaluate(
            subject,
            data=data,
            metrics=metrics,
            extractors=self.extractors,
            count=self.count,
            beside=False,
            device=device,
            threads=threads,
            registry=registry,
            advance=advance,
        )

    def _chosen(
        self, rows: Iterable[dict[str, Any]], folder: Path, registry: Registry
    ) -> list[dict[str, Any]] | None:
        """Return the figures that were asked for, a metric's all of one evaluation."""
        chosen = []
        asked = [row for row in rows if self._asked(row)]
        for pair in self.pairs(registry, str(folder)):
            last = _last([row for row in asked if (row["metric"], extractor_of(row)) == pair])
            if not last:
                return None
            chosen += last
        return chosen

    def _asked(self, row: Mapping[str, Any]) -> bool:
        """Say whether a figure is one of these metrics', of so many samples, and no ratio to others."""
        protocol = row["protocol"]
        ours = (row["metric"] in self.metrics) and row["figure"] not in RATIO.values()
        return ours and (protocol["samples"], protocol["seed"]) == (self.count, 0)


def _last(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the figures of the last evaluation: another begins where a name comes again."""
    batch: dict[str, dict[str, Any]] = {}
    before = None
    for row in rows:
        protocol = json.dumps(row["protocol"], sort_keys=True)
        if row["figure"] in batch or protocol != before:
            batch = {}
        batch[row["figure"]] = row
        before = protocol
    return list(batch.values())
