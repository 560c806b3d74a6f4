"""Chapters: what a report shows of runs, each from what lies in their folders."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from ..errors import GentkError, RunError
from ..evaluation.measurement import Measurement, by_subject
from ..evaluation.record import read, read_all
from ..markup import block, caption, drawing, heading, legend, page, paragraph, picture, rows_of
from ..numerals import typed
from ..runs.folder import RunFolder
from ..runs.history import History
from ..runs.model import ModelFolder
from ..runs.trained import Run
from ..session import OBJECT
from ..sweeps.compare import compare
from .facts import data_rows, environment_rows, recipe_lines, recipe_rows, start_of
from .lines import lines_of
from .pictures import chosen, embedded

__all__ = [
    "comparison",
    "composition",
    "data",
    "environment",
    "losses",
    "overview",
    "samples",
    "values",
]

Runs = Mapping[str, Run]
"""What runs are called -> the runs."""

Facts = Mapping[str, Mapping[str, str]]
"""What runs are called -> what something is called -> what is said of it."""

GRIDS: Final = 6
"""The most sample grids of one run."""

ALL_GRIDS: Final = 24
"""The most sample grids of all runs, but one of each is shown."""

PANELS: Final = 12
"""The most plots of one chapter."""

NARROW: Final = 4.6
"""Inches that a plot is wide, so that its letters can be read on a telephone."""

LETTERS: Final = 28
"""Letters of a run's name in a line of a plot: what is beside it gets the room."""

SHEETS: Final = {
    "grid": "samples",
    "interpolation": "from latent to latent",
    "neighbours": "samples, each above the training image nearest to it",
    "reconstruction": "held-out images, each above its reconstruction",
}
"""What `gentk sample` has drawn -> what it shows."""


def overview(runs: Runs) -> str:
    """Return what became of each run."""
    unfinished = [name for name, run in runs.items() if not run.result and not _is_model(run)]
    told = [
        paragraph(f"{name} is not finished; to go on, type its command again.")
        for name in unfinished
    ]
    return _table({name: _outcome(run) for name, run in runs.items()}) + "".join(told)


def samples(runs: Runs, budget: int) -> str:
    """Return sample grids of each run and what else was drawn, in so many bytes together."""
    count = max(1, min(GRIDS, ALL_GRIDS // len(runs)))
    drawn = {name: chosen(run.folder.grids(), count) for name, run in runs.items()}
    sheets = {
        name: [path for form in SHEETS if (path := run.folder.samples / f"{form}.png").is_file()]
        for name, run in runs.items()
    }
    total = sum(map(len, drawn.values())) + sum(map(len, sheets.values()))
    share = budget // max(1, total)

    def shown(name: str, run: Run) -> str:
        unit = "steps" if _is_model(run) else "images"
        captions = {path: f"after {int(path.stem):,} {unit}" for path in drawn[name]}
        captions |= {path: SHEETS[path.stem] for path in sheets[name]}
        figures, notes = [], []
        for path, text in captions.items():
            try:
                fitted = embedded(path, share)
            except OSError as error:
                notes.append(f"{path.name} cannot be shown: {error.strerror or error}.")
                continue
            if fitted is None:
                notes.append(f"{path.name} is left out, since it does not fit.")
                continue
            below = f"{text} ({fitted.remark})" if fitted.remark else text
            figures.append(picture(fitted.data, f"{name}: {text}", fitted.form, below))
        all_grids = len(run.folder.grids())
        if all_grids > len(drawn[name]):
            notes.append(f"{len(drawn[name])} of {all_grids} sample grids are shown.")
        if not captions:
            return _hint("No samples were drawn; for a grid, type", run, "sample")
        return page(*figures, name="pictures") + "".join(map(caption, notes))

    return _each(runs, shown)


def losses(runs: Runs) -> str:
    """Return what was logged, a plot a quantity with a line a run."""
    histories = {name: run.metrics for name, run in runs.items()}
    silent = [name for name, history in histories.items() if not history.rows]
    told = [
        paragraph(
            f"{name} is a model, which has no log."
            if _is_model(runs[name])
            else f"{name} has no log; the observer metrics writes one while a run trains."
        )
        for name in silent
    ]
    return _plots(histories) + "".join(told)


def values(runs: Runs) -> str:
    """Return metric values of each run with their protocol, the sanity rows beside them."""
    over_time = {name: lines_of(run) for name, run in runs.items()}
    plots = _plots(over_time)
    return _each(runs, _measured) + (heading("While it trained", 3) + plots if plots else "")


def comparison(runs: Runs) -> str:
    """Return what the values of all finished runs say of them beside each other."""
    measured = {
        name: {row.measurement.key for row in read(run.folder.path, steps)}
        for name, run in runs.items()
        if (steps := run.folder.ended(run.record)) is not None
    }
    counts = Counter(key for keys in measured.values() for key in keys)
    common = max(counts, key=lambda key: counts[key], default="")
    ready = {name: runs[name] for name, keys in measured.items() if common in keys}
    left = ", ".join(name for name in runs if name not in ready)
    told = f"Not compared, since not finished or not measured alike: {left}."
    notes = caption(told) if left else ""
    if len(ready) < 2:
        return (
            paragraph("No two finished runs have metric values that were measured alike.") + notes
        )
    try:
        compared = compare([str(run.folder.path) for run in ready.values()])
    except GentkError as error:
        return paragraph(f"They cannot be compared: {error}.") + notes
    from ..sweeps.plot import draw

    figures = [
        drawing(
            draw(compared, [column], LETTERS).svg(f"compared{place}"),
            f"{column.heading} in {column.place}: "
            + ", ".join(
                f"{group} {cell}"
                for group in compared.groups
                if (cell := compared.cells.get((group, column))) is not None
            ),
        )
        for place, column in enumerate(compared.columns[:PANELS])
    ]
    return compared._repr_html_() + page(*figures, name="plots wide") + notes


def composition(runs: Runs) -> str:
    """Return the recipe of each run, and in what the recipes differ."""
    _, unlike = _parted({name: recipe_rows(run.recipe) for name, run in runs.items()})
    differences = paragraph("The recipes differ in:") + _table(unlike) if unlike else ""

    def shown(name: str, run: Run) -> str:
        stages = [
            f"{place.name}: {_outcome_line(RunFolder(place))}"
            for place in sorted(run.folder.stages.glob("*"))
            if (place / "run.json").is_file()
        ]
        told = [caption(f"Built on the run {stage}.") for stage in stages]
        if start := start_of(run.record):
            told.append(caption(f"Started from {start}."))
        return block(recipe_lines(run.recipe)) + "".join(told)

    return differences + _each(runs, shown)


def data(runs: Runs) -> str:
    """Return what each run learnt from."""
    return _facts({name: data_rows(run.record) for name, run in runs.items()})


def environment(runs: Runs) -> str:
    """Return what each run was trained with."""
    return _facts({name: environment_rows(run.record) for name, run in runs.items()})


def _is_model(run: Run) -> bool:
    return isinstance(run.folder, ModelFolder)


def _each(runs: Runs, shown: Callable[[str, Run], str]) -> str:
    """Return what is shown of each run, below its name if there are several."""
    return "".join(
        (heading(name, 3) if len(runs) > 1 else "") + shown(name, run) for name, run in runs.items()
    )


def _parted(rows: Facts) -> tuple[dict[str, str], Facts]:
    """Return the facts that all runs have alike, and of each run the others; none if all are alike."""
    first, *others = rows.values()
    names = dict.fromkeys(name for facts in rows.values() for name in facts)
    alike = {n: first[n] for n in names if n in first and all(f.get(n) == first[n] for f in others)}
    unlike = [name for name in names if name not in alike]
    if not unlike:
        return alike, {}
    return alike, {run: {n: facts.get(n, "") for n in unlike} for run, facts in rows.items()}


def _facts(rows: Facts) -> str:
    """Return what all runs have alike, and below in what they differ."""
    alike, unlike = _parted(rows)
    return rows_of((), list(alike.items())) + (_table(unlike) if unlike else "")


def _table(rows: Facts) -> str:
    """Return facts as a table: of one run a row a fact, of several a row a run."""
    if len(rows) == 1:
        (facts,) = rows.values()
        return rows_of((), list(facts.items()))
    names = list(dict.fromkeys(name for facts in rows.values() for name in facts))
    return rows_of(
        ["run", *names],
        [[run, *(facts.get(name, "") for name in names)] for run, facts in rows.items()],
    )


def _hint(text: str, run: Run, command: str, options: str = "") -> str:
    """Return a paragraph that ends in a command on a run."""
    if command == "evaluate" and f"{OBJECT}:" in str(run.recipe):
        # No command knows the objects that a run of Python was made with.
        return paragraph(text, f"gentk.load({str(run.folder.path)!r}, ...).evaluate(sanity=True)")
    place = shlex.quote(str(run.folder.path))
    return paragraph(text, " ".join(filter(None, ["gentk", command, place, options])))


def _outcome(run: Run) -> dict[str, str]:
    """Return what became of a run."""
    result, r = run.result or {}, run.recipe
    budgets = [
        f"{r.steps:,} steps" if r.steps else "",
        f"{r.minutes:g} minutes" if r.minutes else "",
        f"{typed(r.operations)} operations" if r.operations else "",
    ]
    state = "a model" if _is_model(run) else "finished" if result else "not finished"
    facts = {
        "recipe": run.record["recipe_name"],
        "state": state,
        "steps": f"{_steps(run):,}",
        "budget": " or ".join(filter(None, budgets)),
        "images": f"{result['images']:,}" if "images" in result else "",
        "seconds": f"{result['seconds']:,.1f}" if "seconds" in result else "",
        "parameters": f"{run.record['parameters']:,}" if "parameters" in run.record else "",
        "loss": f"{result['loss']:.5g}" if isinstance(result.get("loss"), (int, float)) else "",
    }
    return {name: text for name, text in facts.items() if text}


def _steps(run: Run) -> int:
    """Return how many steps a run has taken, as its result, its log or its checkpoints say."""
    if run.result and "steps" in run.result:
        return int(run.result["steps"])
    history = run.metrics
    logged = int(history["step"][-1]) if history.rows else 0
    return max([logged, *run.folder.checkpoints.steps()])


def _outcome_line(folder: RunFolder) -> str:
    """Return what a stage is, in a line."""
    record = folder.read()
    steps = (record.get("result") or {}).get("steps")
    return f"recipe {record['recipe_name']}, {f'{steps:,} steps' if steps else 'not finished'}"


def _measured(name: str, run: Run) -> str:
    """Return the newest values of a run, a table for each way of measuring."""
    rows = read_all(run.folder.path)
    own = [row for row in rows if row.measurement.own]
    if not own:
        return _hint(
            "It has not been evaluated; for metric values, type", run, "evaluate", "--floor"
        )
    steps = max(row.steps for row in own)
    ways: dict[str, list[Measurement]] = {}
    for row in rows:
        if row.steps == steps:
            one = row.measurement
            way = json.dumps([one.place, one.protocol.shared()], sort_keys=True, default=str)
            ways.setdefault(way, []).append(one)
    parts = [_way(measurements) for measurements in ways.values()]
    newest = _steps(run)
    if steps < newest:
        parts.append(caption(f"Measured after {steps:,} of the {newest:,} steps it has taken."))
    if all(row.measurement.own for row in rows):
        parts.append(_hint("For sanity rows beside it, type", run, "evaluate", "--floor"))
    return "".join(parts)


def _way(measurements: list[Measurement]) -> str:
    """Return a table of values measured in one way, a row for the run and for each sanity row."""
    table = by_subject(measurements)
    headers = {
        name: f"{name} ({one.direction} is better)" if one.better() else name
        for cells in table.values()
        for name, one in cells.items()
    }
    marks = {one.mark() for one in measurements if one.own}
    rows = [
        ["this run" if any(one.own for one in cells.values()) else subject]
        + [cells[name].written() if name in cells else "" for name in headers]
        for subject, cells in table.items()
    ]
    title = f"in {measurements[0].place}{''.join(sorted(marks))}"
    sentence = measurements[0].protocol.sentence()
    return rows_of(["", *headers.values()], rows, title=title) + caption(sentence)


def _plots(histories: Mapping[str, History]) -> str:
    """Return a plot for each quantity, with a line for each run that has it."""
    try:
        from ..runs.plot import columns_of, plot, style
    except ImportError as error:
        raise RunError(
            f"a report needs matplotlib ({error}); type: pip install matplotlib"
        ) from error
    columns = columns_of(histories)
    drawn = columns[:PANELS]
    figures = [
        drawing(
            plot(histories, [name], width=NARROW).svg(f"{_word(name)}{place}"),
            f"{name} over the steps: {_ends(histories, name)}",
        )
        for place, name in enumerate(drawn)
    ]
    lines = [
        (name, *style(place))
        for place, (name, history) in enumerate(histories.items())
        if history.rows
    ]
    key = legend(lines) if len(histories) > 1 and figures else ""
    rest = ", ".join(columns[PANELS:])
    if not figures:
        return ""
    return key + page(*figures, name="plots") + (caption(f"Not drawn: {rest}.") if rest else "")


def _ends(histories: Mapping[str, History], column: str) -> str:
    """Say between which values a quantity went, for those who cannot see it."""
    told = []
    for name, history in histories.items():
        if column in history:
            line = history[column]
            line = line[np.isfinite(line)]
            if not len(line):
                continue
            told.append(f"{name} from {line[0]:.4g} to {line[-1]:.4g}")
    return ", ".join(told)


def _word(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)
