"""Runs: from a recipe to trained weights in a folder, opened again afterwards."""

from .composing import compose
from .folder import RunFolder
from .trained import Run, load
from .training import run

__all__ = ["Run", "RunFolder", "compose", "load", "run"]
