"""Protocols: what decides a figure besides the samples, so that unlike ones are not compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.imageset import ImageSet
from ..feature_space import FeatureSpace
from ..selection import Selection
from ..version import __version__
from .subjects import Subject

__all__ = [
    "OWN",
    "describe_space",
    "differing",
    "extractor_of",
    "flat",
    "head_of",
    "key_of",
    "labels_of",
    "own_extractor",
    "protocol_of",
]

OF_THE_SUBJECT = frozenset({"subject", "weights", "identity", "gentk"})
"""Parts of a protocol that say what was judged and by what program, and make no figures unlike."""

OWN = "run"
"""What the encoder of the run that is judged is called as an extractor, in whatever folder it is."""


def protocol_of(subject: Subject, reference: ImageSet, seed: int) -> dict[str, Any]:
    """Return what decides the figures in all features."""
    protocol: dict[str, Any] = {
        "subject": subject.name,
        "samples": subject.count,
        "seed": seed,
        "values": "[0, 1]",
        "rounding": "8 bits",
        "size": f"{subject.shape.height} x {subject.shape.width}",
        "reference": reference.description(),
        "reference_fingerprint": reference.fingerprint(),
        "gentk": __version__,
    }
    if subject.run is not None:
        protocol["weights"] = "averaged" if subject.run.recipe.ema else "last"
        standing = subject.run.generator.standing
        protocol["batch_norm"] = f"eval, of {standing} batches" if standing else "eval"
        protocol["identity"] = subject.run.record["identity"]
    return protocol


def describe_space(space: FeatureSpace) -> dict[str, Any]:
    """Return what decides features: a digest of weights and preparation, and the preparation itself."""
    found: dict[str, Any] = {"fingerprint": space.fingerprint()}
    for extractor in space.extractors:
        describe = getattr(getattr(extractor, "preparation", extractor), "describe", None)
        resize = describe() if callable(describe) else None
        found["resize"] = resize if resize is not None else "none"
        found["range"] = getattr(extractor, "range", "unit")
    return found


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


def extractor_of(row: Mapping[str, Any]) -> str:
    """Return the extractor of a figure, as it is called in comparisons."""
    return own_extractor(row["extractor"], str(row["protocol"].get("subject", "")))


def head_of(row: Mapping[str, Any]) -> str:
    """Return a text that is the same for figures of one name in one extractor, however measured."""
    return json.dumps([row["metric"], row["figure"], extractor_of(row)])


def key_of(row: Mapping[str, Any]) -> str:
    """Return a text that is the same for figures which may stand in one column."""
    return json.dumps(flat(row), sort_keys=True, default=str)


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must agree of a figure with its protocol."""
    protocol, extractor = row["protocol"], extractor_of(row)
    found = {"metric": row["metric"], "figure": row["figure"], "extractor": extractor}
    for name, value in protocol.items():
        if name in OF_THE_SUBJECT or name == "batch_norm":
            continue
        if name == "reference":
            # The fingerprint says what the images are; a path to them may be another elsewhere.
            found["reference split"] = value["split"]
            found["reference count"] = value["count"]
        elif name == "extractor":
            head = Selection.parse(extractor)
            if (head.name, head.argument) != (OWN, None):
                # The weights of a run's own encoder are part of what is judged.
                found["extractor fingerprint"] = value["fingerprint"]
        else:
            found[name] = value
    return found


def labels_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return in what the protocols of figures differ, for each: `samples 200, seed 7`."""
    own = ("metric", "figure")
    tables = [{k: v for k, v in flat(row).items() if k not in own} for row in rows]
    names = list(dict.fromkeys(name for table in tables for name in table))
    unlike = [name for name in names if len({str(table.get(name)) for table in tables}) > 1]
    references = [f"against {row['protocol']['reference'].get('name')}" for row in rows]
    if len(set(references)) == 1:
        prints = [str(table.get("reference_fingerprint"))[:8] for table in tables]
        references = [f"{text} {mark}" for text, mark in zip(references, prints, strict=True)]
    labels = []
    for table, reference in zip(tables, references, strict=True):
        parts = dict.fromkeys(
            reference
            if name.startswith("reference")
            else f"{name} {str(table.get(name))[: 8 if name.endswith('fingerprint') else None]}"
            for name in unlike
        )
        labels.append(", ".join(parts))
    return labels


def differing(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return in what figures differ: `samples: 5000 or 10000`."""
    seen: dict[str, dict[str, None]] = {}
    for row in rows:
        for name, value in flat(row).items():
            seen.setdefault(name, {})[str(value)] = None
    return [f"{name}: {' or '.join(values)}" for name, values in seen.items() if len(values) > 1]
