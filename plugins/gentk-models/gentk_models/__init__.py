"""gentk-models: small trained generators, `model:NAME` wherever a run can serve."""

from __future__ import annotations

import gentk.spec as gentk

__all__ = ["gentk_components"]


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return no components: the models are the folders of `models`, which gentk looks for."""
    return []
