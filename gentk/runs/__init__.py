"""Runs: from a recipe to trained weights in a folder, and what can be done with them afterwards."""

from .composition import Composition, compose
from .folder import RunFolder
from .trained import Run, load
from .training import run

__all__ = ["Composition", "Run", "RunFolder", "compose", "load", "run"]
