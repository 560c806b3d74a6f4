"""Sharing: a run as a model that others load, or that other programs run."""

from __future__ import annotations

from .export import FORMS, export
from .hub import from_pretrained, push

__all__ = ["FORMS", "export", "from_pretrained", "push"]
