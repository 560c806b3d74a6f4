"""gentk: generative models that match distributions in feature space, composed by name.

`compose` checks a recipe and builds its parts, `run` trains (or resumes) it, `load` opens a finished
run. Importing this package imports neither torch nor any plugin; the names below do so on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .families import Composition as Composition
    from .runs.composing import compose as compose
    from .runs.trained import Run as Run
    from .runs.trained import load as load
    from .runs.training import run as run

__all__ = ["Composition", "Run", "__version__", "compose", "load", "run"]


def __getattr__(name: str) -> Any:
    """Import the public names when they are first asked for."""
    if name == "Composition":
        from .families import Composition

        return Composition
    if name == "compose":
        from .runs.composing import compose

        return compose
    if name in {"Run", "load"}:
        from .runs import trained

        return getattr(trained, name)
    if name == "run":
        from .runs.training import run

        return run
    raise AttributeError(f"module 'gentk' has no attribute {name!r}")
