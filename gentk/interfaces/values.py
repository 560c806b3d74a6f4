"""Values: what is handed from one part to the next."""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor

__all__ = ["Features", "ImageShape", "Range", "Scores", "StatisticKind", "Statistics"]

Features = dict[str, Tensor]
"""Layer name -> features, (N, C, H, W), (N, L, D) or (N, D); the order is the network's."""

Statistics = dict[str, Tensor]
"""Statistic name -> float64 tensor; for `samples` statistics, the samples' features themselves.

A `psd` matrix may be of the features' type instead, on both sides, where a loss needs no more of it: of
1,000 features it is most of what a step reads and writes.
"""

StatisticKind = Literal["real", "psd", "samples"]
"""Where a statistic lives: real numbers; positive semi-definite matrices; sets of samples.

An estimator that leaves the cone of matrices (as `ama` does) may only track `real` statistics.
Variances are `real` where a loss does not mind a tracked one below zero, as a squared distance.
"""

Scores = dict[str, Tensor]
"""Score name -> (N,), one per sample: `x` of images, `z` of latents, `xz` of pairs."""

Range = Literal["signed", "unit"]
"""The range of image values: `signed` is [-1, 1], `unit` is [0, 1]."""

BOUNDS: dict[Range, tuple[float, float]] = {"unit": (0.0, 1.0), "signed": (-1.0, 1.0)}
"""The least and the largest value of a range."""


class ImageShape(NamedTuple):
    """The shape of one image, in pixels."""

    channels: int
    height: int
    width: int
