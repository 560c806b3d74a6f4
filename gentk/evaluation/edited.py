"""Edited: what third parties' judges do now, beside what they did when something was measured."""

from __future__ import annotations

from ..registry import Registry
from ..runs.edited import changed, code_by_part
from .measurement import Measurement, Protocol

__all__ = ["code_now", "edited_since"]


def code_now(metric: str, extractor: str, protocol: Protocol, registry: Registry) -> dict[str, str]:
    """Return the code of third parties that measures so: of a metric, an extractor and data."""
    # A subject that is a folder is no data by name, and has no code.
    data = [("data", name) for name in (protocol.subject, protocol.reference.name)]
    return code_by_part([("metric", metric), ("extractor", extractor), *data], registry)


def edited_since(measurement: Measurement, registry: Registry) -> list[str]:
    """Return the parts that measured and have been edited since."""
    # What only gentk's own parts measured has no code, and nothing is looked up for it.
    if not measurement.code:
        return []
    m = measurement
    return changed(m.code, code_now(m.metric, m.extractor, m.protocol, registry))
