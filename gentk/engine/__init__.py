"""The engine: phases and one loop. It knows no names and no model family."""

from .adversarial import Adversarial
from .autoencoding import Autoencoding
from .averaging import WeightAverage
from .collapse import Collapse
from .contest import Contest, check_summary, summarises
from .discrepancy import Discrepancy
from .loop import Budget, Loop
from .matching import Matching
from .phase import Phase
from .playing import Part, Players, Turn
from .randomness import Draws
from .schedule import Schedule
from .world import World

__all__ = [
    "Adversarial",
    "Autoencoding",
    "Budget",
    "Collapse",
    "Contest",
    "Discrepancy",
    "Draws",
    "Loop",
    "Matching",
    "Part",
    "Phase",
    "Players",
    "Schedule",
    "Turn",
    "WeightAverage",
    "World",
    "check_summary",
    "summarises",
]
