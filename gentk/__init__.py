"""gentk: generative models that match distributions in feature space, composed by name.

`compose` checks a recipe and builds its parts, `run` trains (or resumes) it, `load` opens a run,
`sample` draws from it, `evaluate` compares its samples with data, `compare` sets runs side by side,
`sweep` makes and judges many.
Importing this package imports neither torch nor any plugin; the names below do so on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .errors import GentkError as GentkError
    from .evaluation.evaluate import Evaluation as Evaluation
    from .families.composition import Composition as Composition
    from .grid import tile as tile
    from .keywords import OverKeys as OverKeys
    from .keywords import RecipeKeys as RecipeKeys
    from .onward import export as export
    from .onward import from_pretrained as from_pretrained
    from .onward import report as report
    from .several import compare as compare
    from .several import sweep as sweep
    from .sweeps.comparison import Comparison as Comparison
    from .sweeps.outcome import SweepOutcome as SweepOutcome
    from .verbs import Run as Run
    from .verbs import compose as compose
    from .verbs import evaluate as evaluate
    from .verbs import load as load
    from .verbs import own as own
    from .verbs import register as register
    from .verbs import run as run
    from .verbs import sample as sample

__all__ = [
    "Comparison",
    "Composition",
    "Evaluation",
    "GentkError",
    "OverKeys",
    "RecipeKeys",
    "Run",
    "SweepOutcome",
    "__version__",
    "compare",
    "compose",
    "evaluate",
    "export",
    "from_pretrained",
    "load",
    "own",
    "register",
    "report",
    "run",
    "sample",
    "sweep",
    "tile",
]

# Hidden from type checkers, which would take every misspelt name for one that is there.
if not TYPE_CHECKING:
    PLACES = {
        "Comparison": "sweeps.comparison",
        "Composition": "families.composition",
        "Evaluation": "evaluation.evaluate",
        "GentkError": "errors",
        "OverKeys": "keywords",
        "RecipeKeys": "keywords",
        "SweepOutcome": "sweeps.outcome",
        "compare": "several",
        "export": "onward",
        "from_pretrained": "onward",
        "report": "onward",
        "sweep": "several",
        "tile": "grid",
    }

    def __getattr__(name: str) -> object:
        """Import the public names when they are first asked for."""
        if name not in __all__:
            raise AttributeError(f"module 'gentk' has no attribute {name!r}", name=name)
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{PLACES.get(name, 'verbs')}"), name)

    def __dir__() -> list[str]:
        """List the public names, also those not asked for yet, and none of the modules."""
        return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
