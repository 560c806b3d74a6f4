"""Summaries: what is kept of a set of samples, so that parts of the set can be added up."""

from ..interfaces import Summary
from .checking import (
    both,
    check_batch,
    check_finite,
    check_layouts,
    check_statistics,
    check_tensors,
    checked,
)
from .classwise import ClassMoments
from .covariances import Covariances
from .layerwise import LayerMoments
from .moments import MomentSums, flat_rows
from .pooling import pooled
from .samples import Samples

__all__ = [
    "ClassMoments",
    "Covariances",
    "LayerMoments",
    "MomentSums",
    "Samples",
    "Summary",
    "both",
    "check_batch",
    "check_finite",
    "check_layouts",
    "check_statistics",
    "check_tensors",
    "checked",
    "flat_rows",
    "pooled",
]
