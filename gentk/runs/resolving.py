"""Resolving: a recipe by name and what is typed beside it, without any library of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..library import Library
from ..recipe import Resolved, resolve
from ..registry import Registry

__all__ = ["resolve_recipe"]


def resolve_recipe(
    recipe: str | None = None, flags: Mapping[str, Any] | None = None, *, registry: Registry
) -> Resolved:
    """Find a recipe by name or path (`quickstart` without one) and lay flags over it."""
    name, table = Library(registry.modules).read(recipe or "quickstart")
    return resolve(name, table, flags or {})
