"""Conformance suites: what gentk expects of each kind of component, for authors to inherit.

    from gentk.testing import ExtractorSuite

    class TestMine(ExtractorSuite):
        spec = "my-extractor"

`gentk plugin check my-extractor` runs the same checks without pytest. See `gentk.testing.suite`.
"""

from __future__ import annotations

from .critic import CriticSuite
from .data import DataSuite
from .encoder import EncoderSuite
from .estimator import EstimatorSuite
from .extractor import ExtractorSuite
from .family import FamilySuite
from .generator import GeneratorSuite
from .loss import LossSuite
from .metric import MetricSuite
from .observer import ObserverSuite
from .penalty import PenaltySuite
from .plays import play_of
from .suite import Suite
from .verdict import Verdict, examine

__all__ = [
    "SUITES",
    "CriticSuite",
    "DataSuite",
    "EncoderSuite",
    "EstimatorSuite",
    "ExtractorSuite",
    "FamilySuite",
    "GeneratorSuite",
    "LossSuite",
    "MetricSuite",
    "ObserverSuite",
    "PenaltySuite",
    "Suite",
    "Verdict",
    "examine",
    "play_of",
]

SUITES: dict[str, type[Suite]] = {
    suite.kind: suite
    for suite in (
        ExtractorSuite,
        EncoderSuite,
        GeneratorSuite,
        CriticSuite,
        LossSuite,
        PenaltySuite,
        FamilySuite,
        EstimatorSuite,
        DataSuite,
        MetricSuite,
        ObserverSuite,
    )
}
"""Kind -> suite."""
