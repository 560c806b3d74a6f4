"""Fairness: what candidate settings of a row must be for the best of them to say something."""

from __future__ import annotations

from os.path import normpath

from ..errors import UsageError
from ..evaluation.plan import Plan
from ..selection import Selection
from .trial import Trial

__all__ = ["be_fair", "not_held_out"]


def be_fair(row: str, plan: Plan, trials: list[list[Trial]]) -> None:
    """Refuse settings that are tried twice, and images to choose by that are trained on.

    Args:
        row: The row's name.
        plan: How its settings are judged.
        trials: Those of each setting, one a seed.

    Raises:
        UsageError: A setting is there twice, or its images are among those of its run.
    """
    first: dict[str, str] = {}
    for trial in (tried[0] for tried in trials):
        if trial.resolved is None or trial.refused is not None:
            continue
        twin = first.setdefault(trial.key, trial.name)
        if twin != trial.name:
            raise UsageError(
                f"[[row]] {row!r} has one setting twice, {twin!r} and {trial.name!r}; write another "
                "setting for one of them"
            )
        for made in (trial.resolved, *trial.stages):
            instead = not_held_out(str(plan.data), made.recipe.data)
            if instead is not None:
                raise UsageError(
                    f"[tries] chooses by {plan.data}, which may be among the images of "
                    f"{made.recipe.data} that {trial.name!r} trains on; write {instead}"
                )


def not_held_out(judged: str, trained: str) -> str | None:
    """Return what to write where images of the one data may be among those of the other, or None.

    Other data than those that are trained on are taken to be other images. Of the same, only a
    validation split is held out, and only of a run that leaves the same images out: the first
    `validation` of one permutation.
    """
    own, other = Selection.parse(judged), Selection.parse(trained)
    if _source(own) != _source(other):
        return None
    held, left = own.options.get("validation"), other.options.get("validation")
    if own.options.get("split") == "validation" and other.options.get("split", "train") == "train":
        seeds = {one.options.get("split_seed", "0") for one in (own, other)}
        if held is None or (len(seeds) == 1 and _number(held) <= _number(left)):
            return None
    if held is not None and left is None:
        return f'data = "{_with(other, validation=held)}" for what is trained'
    return f'data = "{_with(other, split="validation")}" in [tries]'


def _source(data: Selection) -> tuple[str, str | None]:
    """Return what images are of, whichever part of them is taken."""
    return data.name, None if data.argument is None else normpath(data.argument)


def _number(text: str | None) -> int:
    """Return how many images are held out; what is no number is refused where data are opened."""
    return int(text) if text is not None and text.isdecimal() else 0


def _with(data: Selection, **options: str) -> Selection:
    return Selection(data.name, data.argument, {**data.options, **options})
