"""Sharing: a run as a model that others load, a graph that other programs run, or a page to read."""

from __future__ import annotations

from .export import FORMS, export
from .hub import Repository, from_pretrained
from .report import report

__all__ = ["FORMS", "Repository", "export", "from_pretrained", "report"]
