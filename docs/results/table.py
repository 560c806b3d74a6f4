"""Results: the committed tables, from the real commands, resumable.

`python docs/results/table.py NAME` reads `NAME.toml`, makes every run that `NAME.jsonl` has no row for,
appends its row as soon as it is judged, and renders `NAME.md` from the rows. Nothing is typed by hand.

    title = "..."                 what the table shows
    text = "..."                  how to read it
    seeds = [0, 1, 2]
    pictures = ["grid"]           what is kept of the first seed, as `gentk sample --as`; [] for nothing
    [run]                         keys of a recipe, common to all rows (`recipe` names one to start from)
    [judge]                       data, metric, extractors, count: as `gentk evaluate`; `figures`, which
                                  are shown (the first). `run` among the extractors is the run's own
                                  encoder. Several judges are written [[judge]].
    [stage]                       name -> a recipe made once, before all rows: they write stage:NAME
    [[claim]]                     says, and the names of the rows that are `better` and `worse` by it;
                                  `judge`, the number of another column than the first (0)
    [[row]]                       name, and the keys of a recipe it changes; or `subject`, images by
                                  name that are judged as they are, once, or what `gentk evaluate
                                  --floor` makes of them (`floor`); `published`, to show beside it;
                                  `seeds`, if fewer than the table's; `alone`, if of the keys common to
                                  all rows it shares the data only
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import statistics
import subprocess
import tomllib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatch
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import gentk
from gentk.evaluation.evaluate import evaluate
from gentk.observers.metrics import MetricsFile
from gentk.runs.sheets import export
from gentk.selection import Selection
from gentk.sweep.compare import Cell

OWN = frozenset({"name", "published", "seeds", "alone"})
"""Keys of a row that are not a recipe's."""

SHOWN = {"grid": 64, "reconstruction": 24}
"""How many samples a picture shows."""

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def main() -> None:
    """Make the missing rows, then render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("--only", default="*", help="pattern of row names to make")
    parser.add_argument("--seed", type=int, action="append", help="only these seeds")
    parser.add_argument("--threads", type=int, help="CPU threads of each run")
    parser.add_argument("--render", action="store_true", help="make no run")
    arguments = parser.parse_args()
    table = tomllib.loads((HERE / f"{arguments.name}.toml").read_text(encoding="utf-8"))
    if not arguments.render:
        commit()
        make(arguments.name, table, arguments)
    render(arguments.name, table)


def make(name: str, table: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Run and judge what is not there yet, one seed of all rows before the next seed."""
    for seed in table["seeds"]:
        for row in table["row"]:
            wanted = fnmatch(row["name"], arguments.only) and seed in (arguments.seed or [seed])
            wanted = wanted and seed in row.get("seeds", table["seeds"])
            wanted = wanted and ("subject" not in row or seed == table["seeds"][0])
            if wanted and (row["name"], seed) not in {(r["row"], r["seed"]) for r in read(name)}:
                kind = measure_images if "subject" in row else measure
                made = kind(name, table, row, seed, arguments.threads)
                with (HERE / f"{name}.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps(made) + "\n")
                render(name, table)


def measure(
    name: str, table: dict[str, Any], row: dict[str, Any], seed: int, threads: int | None
) -> dict[str, Any]:
    """Make one run and judge it."""
    shared = {"data": table["run"]["data"]} if row.get("alone") else table["run"]
    flags = {**shared, **{k: v for k, v in row.items() if k not in OWN}}
    recipe = flags.pop("recipe", None)
    made = {"recipe": recipe, "flags": dict(flags)}
    flags = staged(name, table, flags, threads)
    slug = "-".join(re.findall(r"\w+", row["name"]))
    out = ROOT / "runs" / "results" / name / f"{slug}-{seed}"
    logged = {"threads": threads, "out": str(out), "observers": [MetricsFile()]}
    run = gentk.run(recipe, **flags, seed=seed, **logged)
    if seed == table["seeds"][0]:
        for form in table.get("pictures", ["grid"]):
            suffix = "" if form == "grid" else f"-{form}"
            export(run, form, SHOWN[form], HERE / name / f"{slug}{suffix}.png")
    assert run.result is not None
    made |= {"result": run.result, "threads": threads}
    return {"row": row["name"], "seed": seed, **judged(str(out), table, threads), **made}


def staged(
    name: str, table: dict[str, Any], flags: dict[str, Any], threads: int | None
) -> dict[str, Any]:
    """Make the stages that a row's flags name, and write their folders in their place."""

    def placed(text: str) -> str:
        for stage, keys in table.get("stage", {}).items():
            if f"stage:{stage}" in text:
                out = ROOT / "runs" / "results" / name / "stages" / stage
                own = {k: v for k, v in keys.items() if k != "recipe"}
                shared = {"out": str(out), "threads": threads, "observers": [MetricsFile()]}
                gentk.run(keys.get("recipe"), **own, **shared)
                text = text.replace(f"stage:{stage}", f"run:{out}")
        return text

    return {
        key: placed(value)
        if isinstance(value, str)
        else list(map(placed, value))
        if isinstance(value, list)
        else value
        for key, value in flags.items()
    }


def measure_images(
    name: str, table: dict[str, Any], row: dict[str, Any], seed: int, threads: int | None
) -> dict[str, Any]:
    """Judge images that are there already: real ones, for the floor."""
    return {
        "row": row["name"],
        "seed": seed,
        **judged(row["subject"], table, threads, row.get("floor")),
        "subject": row["subject"],
    }


@dataclass(frozen=True)
class Judge:
    """A column of figures: a metric in an extractor's features."""

    metric: str
    extractor: str
    data: str
    count: int
    figure: str | None = None

    @property
    def title(self) -> str:
        """What stands above the column."""
        if self.figure is not None:
            return self.figure
        return self.extractor if self.metric == "fd" else f"{self.metric} of {self.extractor}"

    def of_run(self) -> bool:
        """Say whether it judges the run's own encoder."""
        return Selection.parse(self.extractor).name == "run"

    def where(self, run: str) -> str:
        """Return the extractor, the folder written in if it is the run's own encoder."""
        own = Selection.parse(self.extractor)
        return str(replace(own, argument=run)) if self.of_run() else self.extractor

    def made(self, figure: dict[str, Any]) -> bool:
        """Say whether it made a figure; those of tables with one metric do not name it."""
        own = (self.metric, self.extractor, self.figure or figure["figure"])
        return own == (
            figure.get("metric", self.metric),
            figure["extractor"],
            figure["figure"],
        )


def judges(table: dict[str, Any]) -> list[Judge]:
    """Return the columns of a table."""
    found = table["judge"] if isinstance(table["judge"], list) else [table["judge"]]
    return [
        Judge(one.get("metric", "fd"), extractor, one["data"], one.get("count", 5000), figure)
        for one in found
        for extractor in one["extractors"]
        for figure in one.get("figures", [None])
    ]


def judged(
    subject: str, table: dict[str, Any], threads: int | None, floor: str | None = None
) -> dict[str, Any]:
    """Return the figures of a run or of images, with what decides them.

    A run without an encoder has no figure by a judge of encoders, and images have none. With `floor`
    the figures are those of the sanity row of that name.
    """
    run = gentk.load(subject) if (Path(subject) / "run.json").exists() else None
    columns = [j for j in judges(table) if not j.of_run() or (run and run.encoder is not None)]
    figures = []
    protocol: dict[str, Any] = {}
    # What shares features is measured in one pass.
    for (extractor, data, count), group in groupby(
        columns, lambda j: (j.extractor, j.data, j.count)
    ):
        shared = list(group)
        found = evaluate(
            subject,
            data=data,
            metrics=tuple(dict.fromkeys(judge.metric for judge in shared)),
            extractors=(shared[0].where(subject),),
            count=count,
            ratio=any(judge.figure == "fdr" for judge in shared),
            floor=floor is not None,
            threads=threads,
        )
        for judge in shared:
            row = next(
                row
                for row in found.rows
                if (row["subject"], row["metric"]) == (floor or subject, judge.metric)
                and row["figure"] == (judge.figure or row["figure"])
            )
            keys = ("metric", "figure", "value", "error", "better", "trained_on")
            figures.append({key: row[key] for key in keys} | {"extractor": extractor})
        protocol = protocol or found.protocol
    return {
        "figures": figures,
        "samples": protocol["samples"],
        "reference": protocol["reference"]["name"],
        "reference_count": protocol["reference"]["count"],
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
    }


def read(name: str) -> list[dict[str, Any]]:
    """Return the rows made so far."""
    path = HERE / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def render(name: str, table: dict[str, Any]) -> None:
    """Write NAME.md from the rows."""
    rows = read(name)
    columns = judges(table)
    head = ["run", *(f"{c.title} ({direction(rows, c)} is better)" for c in columns)]
    head += ["published"] if any("published" in row for row in table["row"]) else []
    head += ["images seen", "seeds"]
    lines = [f"# {table['title']}", "", table["text"].strip(), ""]
    lines += [" | ".join(["", *head, ""]).strip(), "|" + " --- |" * len(head)]
    for row in table["row"]:
        made = [r for r in rows if r["row"] == row["name"]]
        if made:
            cells = [spread(made, column) for column in columns]
            if "published" in head:
                cells.append(str(row.get("published", "")))
            if "subject" in made[0]:
                cells += ["", ""]
            else:
                cells += [f"{made[0]['result']['images']:,}", str(len(made))]
            lines.append(" | ".join(["", row["name"], *cells, ""]).strip())
        else:
            lines.append(f"| {row['name']} | not made yet |" + " |" * (len(head) - 2))
    lines += claims(table, rows)
    lines += ["", protocol(name, table, rows)]
    for path in sorted((HERE / name).glob("*.png")):
        lines += ["", f"{path.stem}:", "", f"![{path.stem}]({name}/{path.name})"]
    (HERE / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def claims(table: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Say of each claim whether the rows bear it out, by the first judge, or by the one it names.

    A claim holds if the better row's mean is better by Welch's t-test at 95 %, as in `gentk compare`;
    with one seed a side nothing is said of noise.
    """
    lines = []
    for claim in table.get("claim", []):
        judge = judges(table)[claim.get("judge", 0)]
        sides = [
            values([r for r in rows if r["row"] == claim[side]], judge)
            for side in ("better", "worse")
        ]
        if not all(sides):
            continue
        better, worse = map(statistics.fmean, sides)
        verdict = (
            "holds" if (better < worse) == (direction(rows, judge) == "lower") else "does not hold"
        )
        if min(map(len, sides)) > 1:
            cells = [Cell(tuple(side), None, False) for side in sides]
            verdict = verdict if cells[0].differs(cells[1]) else "is within the noise"
        seeds = min(map(len, sides))
        numbers = f"{better:.4g} against {worse:.4g}, {seeds} seed{'s' * (seeds > 1)}"
        lines.append(f"- {claim['says']}: **{verdict}** ({numbers}).")
    return ["", *lines] if lines else []


def made_by(judge: Judge, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a judge's figures, one a row that has one."""
    return [figure for row in rows for figure in row["figures"] if judge.made(figure)]


def values(rows: list[dict[str, Any]], judge: Judge) -> list[float]:
    """Return a judge's values."""
    return [float(figure["value"]) for figure in made_by(judge, rows)]


def direction(rows: list[dict[str, Any]], judge: Judge) -> str:
    """Return which way a judge's figures are better."""
    return next((f.get("better", "lower") for f in made_by(judge, rows)), "lower")


def spread(rows: list[dict[str, Any]], judge: Judge) -> str:
    """Return mean +- standard deviation over seeds; of one seed the standard error, where known.

    Real images have no seeds. Figures in features that the run was trained in are marked.
    """
    found = made_by(judge, rows)
    if not found:
        return "-"
    mean = statistics.fmean(values(rows, judge))
    error = found[0].get("error")
    if "subject" in rows[0]:
        return f"{mean:.4g}"
    if len(found) > 1:
        cell = f"{mean:.4g} ± {statistics.stdev(values(rows, judge)):.2g}"
    else:
        cell = f"{mean:.4g} (1 seed)"
        if error is not None:
            cell = f"{mean:.4g} ± {error:.2g} s.e. (1 seed)"
    return cell + " (trained on)" * any(figure["trained_on"] for figure in found)


def protocol(name: str, table: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return the sentence that says how the figures were made."""
    if not rows:
        return ""
    common = command(table["run"])
    names = {"fd": "Frechet distance", "parzen": "Parzen log-likelihood in nats"}
    metrics = dict.fromkeys(judge.metric for judge in judges(table))
    what = ", ".join(names.get(metric, f"`{metric}`") for metric in metrics)
    return (
        f"Made by `make results-{name}` (rows: `{common}` and the row's own flags, listed in "
        f"`{name}.jsonl`), {rows[0]['date']} to {rows[-1]['date']}, commits "
        f"{', '.join(sorted({r['commit'] for r in rows}))}. {what} of {rows[0]['samples']:,} "
        f"samples (averaged weights where the recipe averages, batch norm in eval mode, rounded to 8 "
        f"bits) to the {rows[0]['reference_count']:,} images of {Path(rows[0]['reference']).name}."
    )


def command(flags: dict[str, Any]) -> str:
    """Return what to type for a run of these keys."""
    words = ["gentk", "run"]
    for key, value in flags.items():
        values = value if isinstance(value, list) else [value]
        for item in values:
            if isinstance(item, dict):
                continue  # a schedule: it is listed with the row
            words += [str(item)] if key == "recipe" else [f"--{key}", str(item)]
    return shlex.join(words)


@cache
def commit() -> str:
    """Return the commit the code stood at when this process began."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
