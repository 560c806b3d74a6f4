"""Families: what a run of one kind of loss consists of, and how it is trained."""

from ..engine import Phase
from .base import Family, Program, samples
from .composition import Composition

__all__ = ["Composition", "Family", "Phase", "Program", "samples"]
