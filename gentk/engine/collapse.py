"""Collapse: a critic that has stopped telling anything from anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["Collapse"]

FLAT = 1e-4
"""Scores whose deviation and whose sides' distance are below this part of their size are alike."""

PATIENCE = 50
"""Steps in a row after which that is no accident."""


class Collapse:
    """Watches logged steps and says once that a score has become the same for all samples.

    A score s has collapsed in a step if its deviation on each side, and the distance of the two sides'
    means, are below `FLAT` * (1 + |mean|): neither generator nor encoder then learns anything from it.
    """

    def __init__(self) -> None:
        self.flat: dict[str, int] = {}
        self.told: set[str] = set()

    def __call__(self, rows: Sequence[Mapping[str, float]]) -> str | None:
        """Look at logged steps and return a sentence about what has collapsed since the last time."""
        collapsed: list[str] = []
        for row in rows:
            for name in sorted({key.split("/")[1] for key in row if key.startswith("spread/")}):
                self.flat[name] = self.flat.get(name, 0) + 1 if _is_flat(row, name) else 0
                if self.flat[name] >= PATIENCE and name not in self.told:
                    self.told.add(name)
                    collapsed.append(name)
        if not collapsed:
            return None
        names = " and ".join(collapsed)
        return (
            f"the critic's score {names} has been the same for all samples for {PATIENCE} steps: it "
            "teaches nothing any more; type the command again with a smaller learning rate, such as "
            "--optimizer adam,lr=1e-4,betas=0.5+0.999"
        )


def _is_flat(row: Mapping[str, float], name: str) -> bool:
    spreads = [value for key, value in row.items() if key.startswith(f"spread/{name}/")]
    means = [value for key, value in row.items() if key.startswith(f"score/{name}/")]
    size = 1 + max(abs(mean) for mean in means)
    return max(*spreads, max(means) - min(means)) < FLAT * size
