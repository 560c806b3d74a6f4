"""gentk: generative models that match distributions in feature space, composed by name.

`compose` checks a recipe and builds its parts, `run` trains (or resumes) it, `load` opens a finished
run. Importing this package imports neither torch nor any plugin; the names below do so on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .families import Composition as Composition
    from .runs import Run as Run
    from .runs import compose as compose
    from .runs import load as load
    from .runs import run as run

__all__ = ["Composition", "Run", "__version__", "compose", "load", "run"]


def __getattr__(name: str) -> Any:
    """Import the public names when they are first asked for."""
    if name in {"Run", "compose", "load", "run"}:
        from . import runs

        return getattr(runs, name)
    if name == "Composition":
        from .families import Composition

        return Composition
    raise AttributeError(f"module 'gentk' has no attribute {name!r}")
