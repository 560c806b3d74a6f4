"""Rules: what must hold between the tables of a sweep file for its page to say what is so."""

from __future__ import annotations

from ..errors import did_you_mean
from ..selection import Selection
from .file import KEYS, KINDS, JudgeTable, RowTable, SweepFile, no_key

__all__ = ["broken"]


def broken(file: SweepFile) -> str | None:
    """Return what is wrong between the tables of a file, if anything is."""
    names = [row.name for row in file.row]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return f"two [[row]] are called {twice!r}; write another name for one of them"
    for row in file.row:
        fault = _row_fault(file, row)
        if fault is not None:
            return f"[[row]] {row.name!r} {fault}"
    return _claims_fault(file) or _judges_fault(file) or _tries_fault(file)


def _claims_fault(file: SweepFile) -> str | None:
    """Refuse claims of what was not measured, or of nothing."""
    names = [row.name for row in file.row]
    shown = [name for judge in file.judge for name in _shown(judge)]
    cited = [row.name for row in file.row if row.cited is not None]
    for claim in file.claim:
        if claim.better == claim.worse:
            return (
                f"[[claim]] {claim.says!r} compares {claim.better!r} with itself; write the name of "
                "another row as worse"
            )
        for side in (claim.better, claim.worse):
            if side in cited:
                return (
                    f"[[claim]] {claim.says!r}: {side!r} is cited and was not measured here; name a row "
                    "that is run"
                )
            if side not in names:
                hint = did_you_mean(side, names)
                return (
                    f"[[claim]] {claim.says!r}: no row is called {side!r}; {hint}rows are {names}"
                )
        if claim.judge >= len(shown):
            return (
                f"[[claim]] {claim.says!r}: there is no column {claim.judge}; write judge = 0 to "
                f"{len(shown) - 1}"
            )
    return None


def _judges_fault(file: SweepFile) -> str | None:
    """Refuse judges whose values could not be told apart."""
    for number, judge in enumerate(file.judge):
        for other in file.judge[:number]:
            same = judge.metric == other.metric and (
                judge.extractors == other.extractors
                or set(judge.extractors) & set(other.extractors)
            )
            way, before = ((one.data, one.count, one.seed) for one in (judge, other))
            one_default = (judge.data is None) != (other.data is None)
            if same and (way == before or (one_default and way[1:] == before[1:])):
                what = "in the same way" if way == before else "and once without data"
                return (
                    f"two [[judge]] show {judge.metric!r} of the same features {what}; write "
                    'data = "...", count or seed that differ, or drop one of them'
                )
    return None


def _shown(judge: JudgeTable) -> list[str]:
    """Return the names of a judge's columns."""
    return [*(judge.values or (judge.metric,))] * max(len(judge.extractors), 1)


def _row_fault(file: SweepFile, row: RowTable) -> str | None:
    for key in row.keys:
        if key not in KEYS:
            return f"has {no_key(key, [*KEYS, *RowTable.model_fields])}"
    if row.floor is not None and row.subject is None:
        return 'has a floor of nothing; write subject = "DATA" beside it'
    if row.cited is not None and row.published is None:
        return 'is cited and says nothing; write published = "..." beside it'
    for kind, what in KINDS.items():
        if getattr(row, kind) is not None:
            others = [one for one in (*KINDS, "tries", "seeds", "alone") if one != kind]
            keys = ", ".join([*row.keys, *(one for one in others if getattr(row, one))])
            if keys:
                return f"{what} and trains nothing; drop {keys}, or drop {kind}"
    if isinstance(row.published, dict):
        names = {name for judge in file.judge for name in _shown(judge)}
        for name in row.published:
            if name not in names:
                hint = did_you_mean(name, names)
                known = ", ".join(sorted(names))
                return f"has a published {name!r}, which no judge shows; {hint}names are {known}"
    return None


def _tries_fault(file: SweepFile) -> str | None:
    """Return what makes a comparison of tuned rows unfair."""
    counts = {row.name: len(file.settings(row)) for row in file.row}
    tuned = {name: count for name, count in counts.items() if count}
    if len(set(tuned.values())) > 1:
        (least, few), *_, (most, many) = sorted(tuned.items(), key=lambda pair: pair[1])
        return (
            f"[[row]] {most!r} has {many} tries and {least!r} has {few}; give every row that is tuned "
            "the same number"
        )
    if not tuned:
        return None
    data = file.tries_data()
    if data is None:
        return '[tries] has no data, nor has [run]; write data = "..." of held-out training images'
    judged = {judge.data for judge in file.judge}
    if data in judged or Selection.parse(data).options.get("split") == "test":
        return (
            f"[tries] chooses by {data}, by which rows are judged or which are test images; write "
            "data of held-out training images, such as split=validation"
        )
    return None
