"""Interfaces: what each kind of component must do. The only abstract classes of gentk.

A matching run is one line::

    features --loss.summarise--> Summary --loss.statistics--> statistics
             --estimator--> tracked statistics --loss--> terms

Symbols: samples x (N, C, H, W); latents z (N, latent); a feature of layer l (N, ...), the whole
dictionary phi(x); statistics are named float64 tensors of the distribution of phi(x).
"""

from __future__ import annotations

from .estimator import Estimator
from .losses import NEEDS, AdversarialLoss, Loss, MatchingLoss, ReconstructionLoss, total
from .metric import Metric, MetricValue
from .networks import Critic, Encoder, Extractor, Generator
from .observer import Observer
from .penalty import Penalty
from .play import Critique, Noise, Play, Side
from .records import PackedRecords, Records, Report
from .source import Source
from .summary import Summary
from .values import BOUNDS, Features, ImageShape, Range, Scores, StatisticKind, Statistics
from .weights import WeightsFile

__all__ = [
    "BOUNDS",
    "NEEDS",
    "AdversarialLoss",
    "Critic",
    "Critique",
    "Encoder",
    "Estimator",
    "Extractor",
    "Features",
    "Generator",
    "ImageShape",
    "Loss",
    "MatchingLoss",
    "Metric",
    "MetricValue",
    "Noise",
    "Observer",
    "PackedRecords",
    "Penalty",
    "Play",
    "Range",
    "ReconstructionLoss",
    "Records",
    "Report",
    "Scores",
    "Side",
    "Source",
    "StatisticKind",
    "Statistics",
    "Summary",
    "WeightsFile",
    "total",
]
