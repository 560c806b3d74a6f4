"""Summaries: what is kept of a set of samples, so that parts of the set can be added up."""

from .base import Summary, pooled
from .moments import MomentSums
from .samples import Samples

__all__ = ["MomentSums", "Samples", "Summary", "pooled"]
