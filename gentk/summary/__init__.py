"""Summaries: what is kept of a set of samples, so that parts of the set can be added up."""

from .base import Summary, pooled
from .moments import MomentSums

__all__ = ["MomentSums", "Summary", "pooled"]
