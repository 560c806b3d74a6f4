"""Families: what a run of one kind of loss consists of, and how it is trained."""

from .base import Family, Program, Turn, samples
from .composition import Composition

__all__ = ["Composition", "Family", "Program", "Turn", "samples"]
