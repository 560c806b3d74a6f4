"""Protocols: what decides a figure besides the samples, so that unlike ones are not compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .. import __version__
from ..data.imageset import ImageSet
from ..feature_space import FeatureSpace
from .subjects import Subject

__all__ = ["describe_space", "differing", "flat", "key_of", "protocol_of"]

OF_THE_SUBJECT = frozenset({"subject", "weights", "identity", "gentk"})
"""Parts of a protocol that say what was judged and by what program, and make no figures unlike."""


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
        protocol["batch_norm"] = "eval"
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


def key_of(row: Mapping[str, Any]) -> str:
    """Return a text that is the same for figures which may stand in one column."""
    return json.dumps(flat(row), sort_keys=True, default=str)


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must agree of a figure with its protocol."""
    protocol = row["protocol"]
    found = {k: row[k] for k in ("metric", "figure", "extractor")}
    for name, value in protocol.items():
        if name in OF_THE_SUBJECT or name == "batch_norm":
            continue
        if name == "reference":
            # The fingerprint says what the images are; a path to them may be another elsewhere.
            found["reference split"] = value["split"]
            found["reference count"] = value["count"]
        elif name == "extractor":
            found["extractor fingerprint"] = value["fingerprint"]
        else:
            found[name] = value
    return found


def differing(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return in what figures differ: `samples: 5000 or 10000`."""
    seen: dict[str, dict[str, None]] = {}
    for row in rows:
        for name, value in flat(row).items():
            seen.setdefault(name, {})[str(value)] = None
    return [f"{name}: {' or '.join(values)}" for name, values in seen.items() if len(values) > 1]
