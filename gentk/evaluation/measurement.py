"""Measurements: values of metrics, each with all that decides it, so that only like are compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from ..data.imageset import ImageSet
from ..feature_space import FeatureSpace
from ..interfaces import MetricValue
from ..markup import caption, page, rows_of
from ..numerals import decimal
from ..selection import Selection
from ..version import __version__
from .subjects import Subject

__all__ = [
    "OF_RUN",
    "OWN",
    "Direction",
    "Measurement",
    "Preparation",
    "Protocol",
    "Reference",
    "by_subject",
    "differing",
    "labels_of",
    "own_extractor",
    "preparation_of",
    "protocol_of",
    "table_of",
]

Direction = Literal["lower", "higher", "none"]
"""Which values of a metric are better; `none` where neither are."""

OWN = "run"
"""What the encoder of the run that is judged is called as an extractor, in whatever folder it is."""

OF_RUN = {"run": OWN, "critic": f"{OWN},of=critic"}
"""`Metric.extractor` of a network of the run that is judged -> what that is called as an extractor."""


@dataclass(frozen=True)
class Reference:
    """The images that samples are compared with.

    Attributes:
        name: As typed.
        split: `train` or `test`.
        count: How many there are.
        fingerprint: A digest of them: a path to the same images may be another elsewhere. Empty where
            an old record does not have it.
        details: What else is recorded of them (`gentk.data.ImageSet.description`).
    """

    name: str
    split: str
    count: int
    fingerprint: str = ""
    details: dict[str, JsonValue] = field(default_factory=dict)

    @classmethod
    def of(cls, images: ImageSet) -> Reference:
        """Return the record of a set of images."""
        details = {**images.description()}
        name, split, count = (details.pop(key) for key in ("name", "split", "count"))
        return cls(name, split, count, images.fingerprint(), details)


@dataclass(frozen=True)
class Preparation:
    """What decides an extractor's features.

    Attributes:
        fingerprint: A digest of weights, layers and preparation.
        resize: How images are resized, or `none`.
        range: The range of values it is given.
    """

    fingerprint: str
    resize: str = "none"
    range: str = "unit"


@dataclass(frozen=True)
class Protocol:
    """What decides a measurement besides the weights that are judged.

    Attributes:
        subject: What was judged, as typed.
        samples: How many samples were compared; 0 for metrics of an extractor.
        seed: The seed of the samples.
        reference: What they were compared with.
        preparation: What decides the features; None where an old record does not have it.
        values: The range of pixel values.
        rounding: What pixel values are rounded to.
        size: Height and width of a sample, in pixels.
        gentk: The version that measured.
        weights: Of a run: `averaged` or `last`.
        batch_norm: Of a run: the mode of its batch norms.
        identity: Of a run: its identity.
    """

    subject: str
    samples: int
    seed: int
    reference: Reference
    preparation: Preparation | None = None
    values: str = "[0, 1]"
    rounding: str = "8 bits"
    size: str = ""
    gentk: str = __version__
    weights: str | None = None
    batch_norm: str | None = None
    identity: str | None = None

    def sentence(self) -> str:
        """Return how it was measured, as people read it."""
        images = self.reference.name
        if "split=" not in images:
            images = f"{images} (split {self.reference.split})"
        count = f"{self.reference.count:,}"
        if self.samples == 0:
            return f"on the {count} labelled images of {images}, no samples"
        seed = f" of seed {self.seed}" if self.seed else ""
        return (
            f"{self.samples:,} samples{seed}, values rounded to {self.rounding}, against the {count} "
            f"images of {images}"
        )

    def shared(self) -> dict[str, JsonValue]:
        """Return what the protocols of many subjects may have in common, by name."""
        own = ("subject", "weights", "identity", "gentk")
        return {k: v for k, v in asdict(self).items() if v is not None and k not in own}


@dataclass(frozen=True)
class Measurement:
    """One value of a metric.

    Attributes:
        subject: What it is of: what was judged, or a sanity row such as `noise`.
        metric: The metric, as typed.
        extractor: In whose features, as typed.
        name: What the value is called: a metric may have several.
        value: The value.
        error: Its standard error over other samples, or None where none is known.
        direction: Which values are better.
        trained_on: Whether the run was trained in these features: then they are no judge of it. None
            for images of unknown origin: who made them may have trained in any features.
        protocol: How it was measured.
        code: Third parties' parts that measured it, with the code they had.
    """

    subject: str
    metric: str
    extractor: str
    name: str
    value: float
    error: float | None
    direction: Direction
    trained_on: bool | None
    protocol: Protocol
    code: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        value: MetricValue,
        *,
        subject: str,
        metric: str,
        extractor: str,
        trained_on: bool | None,
        protocol: Protocol,
        code: dict[str, str],
    ) -> Measurement:
        """Return a metric's value with all that decides it."""
        return cls(
            subject,
            metric,
            extractor,
            value.name,
            value.value,
            value.error,
            value.direction,
            trained_on,
            protocol,
            code,
        )

    @property
    def own(self) -> bool:
        """Whether it is of what was judged, not of a sanity row."""
        return self.subject == self.protocol.subject

    def renamed(self, name: str) -> Measurement:
        """Return it as of a subject that is called otherwise now: a run that became a model."""
        extractor = self.extractor
        if self.place != extractor:
            extractor = str(replace(Selection.parse(extractor), argument=name))
        subject = name if self.own else self.subject
        protocol = replace(self.protocol, subject=name)
        return replace(self, subject=subject, extractor=extractor, protocol=protocol)

    def standing(self, place: str, extractor: str) -> Measurement:
        """Return it as of an extractor that is judged itself, in the place of a run's own network."""
        protocol = replace(self.protocol, subject=extractor)
        return replace(self, subject=extractor, extractor=place, protocol=protocol)

    def written(self) -> str:
        """Return the value and its standard error, if one is known, as text."""
        error = "" if self.error is None else f" ± {decimal(self.error, 2)}"
        return f"{decimal(self.value, 4)}{error}"

    def better(self) -> str:
        """Return which values are better, as text; nothing where neither are."""
        return "" if self.direction == "none" else self.direction

    def mark(self) -> str:
        """Return what stands behind the extractor if the run was trained in its features."""
        return " (trained in these features)" if self.trained_on else ""

    def __str__(self) -> str:
        """Write the value, its error and where it was measured."""
        return f"{self.name} {self.written()} in {self.extractor}{self.mark()}"

    def __repr__(self) -> str:
        """Write it with what it is of, on one line."""
        return f"<{self} of {self.subject!r}>"

    def _repr_html_(self) -> str:
        """Show it and how it was measured in a notebook."""
        return page(table_of([self]), caption(self.protocol.sentence()))

    @property
    def place(self) -> str:
        """The extractor, as it is called in comparisons: `run` for the run's own encoder."""
        return own_extractor(self.extractor, self.protocol.subject)

    @property
    def head(self) -> tuple[str, str, str]:
        """What is the same for values of one name in one extractor, however measured."""
        return self.metric, self.name, self.place

    @property
    def key(self) -> str:
        """A text that is the same for values which may stand in one column."""
        return json.dumps(self.decisive(), sort_keys=True)

    def decisive(self) -> dict[str, str]:
        """Return what must agree of two measurements to be compared, by name."""
        protocol, place = self.protocol, self.place
        parts = {
            "metric": self.metric,
            "figure": self.name,
            "extractor": place,
            "samples": str(protocol.samples),
            "seed": str(protocol.seed),
            "values": protocol.values,
            "rounding": protocol.rounding,
            "size": protocol.size,
            # The fingerprint says what the images are; a path to them may be another elsewhere.
            "reference split": protocol.reference.split,
            "reference count": str(protocol.reference.count),
            "reference fingerprint": protocol.reference.fingerprint,
        }
        head = Selection.parse(place)
        if (head.name, head.argument) != (OWN, None) and protocol.preparation is not None:
            # The weights of a run's own encoder are part of what is judged.
            parts["extractor fingerprint"] = protocol.preparation.fingerprint
        return parts


def table_of(measurements: Sequence[Measurement]) -> str:
    """Return measurements as a table that a notebook shows, a row each."""
    rows = [
        [one.subject, one.name, one.written(), one.better(), f"{one.extractor}{one.mark()}"]
        for one in measurements
    ]
    return rows_of(["subject", "metric", "value", "better", "extractor"], rows)


def by_subject(measurements: Iterable[Measurement]) -> dict[str, dict[str, Measurement]]:
    """Return subject -> column -> the last value of it.

    What was judged is one subject, called as it was typed last. A column is called as its values are,
    and by their metric too where several have values of that name.
    """
    rows = list(measurements)
    metrics: dict[str, set[str]] = {}
    judged = ""
    for one in rows:
        metrics.setdefault(one.name, set()).add(one.metric)
        judged = one.subject if one.own else judged
    table: dict[str, dict[str, Measurement]] = {}
    for one in rows:
        column = f"{one.name} ({one.metric})" if len(metrics[one.name]) > 1 else one.name
        table.setdefault(judged if one.own else one.subject, {})[column] = one
    return table


def protocol_of(
    subject: Subject, reference: ImageSet, seed: int, preparation: Preparation
) -> Protocol:
    """Return how a subject is measured in one extractor's features."""
    protocol = Protocol(
        subject.name,
        subject.count,
        seed,
        Reference.of(reference),
        preparation,
        size=f"{subject.shape.height} x {subject.shape.width}",
    )
    run = subject.run
    if run is None:
        return protocol
    standing = run.generator.standing
    return replace(
        protocol,
        weights="averaged" if run.recipe.ema else "last",
        batch_norm=f"eval, of {standing} batches" if standing else "eval",
        identity=run.record["identity"],
    )


def preparation_of(space: FeatureSpace) -> Preparation:
    """Return what decides the features of a space with one extractor."""
    (extractor,) = space.extractors
    describer = (
        extractor if hasattr(extractor, "describe") else getattr(extractor, "preparation", None)
    )
    describe = getattr(describer, "describe", None)
    resize = describe() if callable(describe) else None
    return Preparation(
        space.fingerprint(),
        "none" if resize is None else str(resize),
        str(getattr(extractor, "range", "unit")),
    )


def own_extractor(text: str, folder: str) -> str:
    """Return an extractor as it is called in comparisons: `run`, and its options, for a run's own.

    Args:
        text: The extractor.
        folder: What is judged.
    """
    head = Selection.parse(text)
    if head.name != OWN or head.argument is None or not folder:
        return text
    places = [Path(place).expanduser().resolve() for place in (head.argument, folder)]
    return str(replace(head, argument=None)) if places[0] == places[1] else text


def labels_of(measurements: Sequence[Measurement]) -> list[str]:
    """Return in what protocols differ, for each measurement: `samples 200, seed 7`."""
    tables = [m.decisive() for m in measurements]
    for table in tables:
        del table["metric"], table["figure"]
    names = list(dict.fromkeys(name for table in tables for name in table))
    unlike = [name for name in names if len({table.get(name) for table in tables}) > 1]
    references = [f"against {m.protocol.reference.name}" for m in measurements]
    if len(set(references)) == 1:
        references = [
            f"{text} {m.protocol.reference.fingerprint[:8]}"
            for text, m in zip(references, measurements, strict=True)
        ]
    return [
        ", ".join(dict.fromkeys(_part(name, table, reference) for name in unlike))
        for table, reference in zip(tables, references, strict=True)
    ]


def _part(name: str, table: Mapping[str, str], reference: str) -> str:
    """Write one thing in which protocols differ."""
    if name.startswith("reference"):
        return reference
    value = table.get(name, "unknown")
    return f"{name} {value[:8] if name.endswith('fingerprint') else value}"


def differing(measurements: Iterable[Measurement]) -> list[str]:
    """Return in what measurements differ: `samples: 5000 or 10000`."""
    seen: dict[str, dict[str, None]] = {}
    for measurement in measurements:
        for name, value in measurement.decisive().items():
            shown = value[:8] if name.endswith("fingerprint") else value
            seen.setdefault(name, {})[shown or "unknown"] = None
    return [f"{name}: {' or '.join(values)}" for name, values in seen.items() if len(values) > 1]
