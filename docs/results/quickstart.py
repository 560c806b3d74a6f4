"""How long the quickstart takes: `python docs/results/quickstart.py` (or `make results-quickstart`).

Runs the recipe `quickstart` as a stranger would, in a folder of its own with an empty cache, and
appends what that took to `quickstart.jsonl`. Renders `quickstart.md`, which README and the
recipe's summary quote: the last row of each sort of machine counts. `--judge RUN...` judges finished
runs of the recipe, one a seed, as its test does, and writes that to `quickstart-judged.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gentk.sweeps.row import commit

if TYPE_CHECKING:
    from torch import Tensor

HERE = Path(__file__).parent
ROWS = HERE / "quickstart.jsonl"
JUDGED = HERE / "quickstart-judged.jsonl"
PAGE = HERE / "quickstart.md"
COUNT = 1000
"""How many samples are judged."""
IDLE = 0.5
"""The load per core from which on a machine is too busy to be timed."""


def main() -> None:
    """Time a run, unless told not to, and render the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--render", action="store_true", help="run nothing")
    parser.add_argument("--busy", action="store_true", help="also on a machine that is at work")
    parser.add_argument(
        "--judge", nargs="+", default=[], metavar="RUN", help="time nothing; judge runs"
    )
    arguments = parser.parse_args()
    if arguments.judge:
        found = [reality(), *map(judged, arguments.judge)]
        JUDGED.write_text("".join(f"{json.dumps(row)}\n" for row in found), encoding="utf-8")
    elif not arguments.render:
        row = timed(busy=arguments.busy)
        with ROWS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    PAGE.write_text(render(rows()), encoding="utf-8")


def timed(*, busy: bool) -> dict[str, Any]:
    """Run the quickstart and return its row."""
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    if load > IDLE * cores and not busy:
        sys.exit(f"the load is {load:.1f} on {cores} cores; wait, or type --busy")
    made_by = commit()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        words = [sys.executable, "-m", "gentk", "run", "quickstart", "--out", str(place / "run")]
        environment = {**os.environ, "GENTK_CACHE": str(place / "cache")}
        start = time.perf_counter()
        subprocess.run(words, check=True, cwd=place, env=environment)
        whole = time.perf_counter() - start
        record = json.loads((place / "run" / "run.json").read_text(encoding="utf-8"))
    return {
        "command": "gentk run quickstart",
        "steps": record["result"]["steps"],
        "seconds": round(record["result"]["seconds"], 1),
        "whole": round(whole, 1),
        "cores": cores,
        "avx512": "avx512f" in _flags(),
        "load": round(load, 1),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": made_by,
    }


def judged(folder: str) -> dict[str, Any]:
    """Return what the judge of the tests finds in a run's samples."""
    import gentk

    record = json.loads((Path(folder) / "run.json").read_text(encoding="utf-8"))
    if record["recipe_name"] != "quickstart":
        sys.exit(
            f"{folder} is a run of the recipe {record['recipe_name']}; judge runs of quickstart"
        )
    seed = record["recipe"]["seed"]
    # A commit may stand between training and judging; what decides the samples is the run's digest.
    return {
        "what": f"seed {seed}",
        "command": f"gentk run quickstart --seed {seed} --threads 1",
        "steps": record["result"]["steps"],
        **_verdict(gentk.load(folder).sample(COUNT)),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit(),
    }


def reality() -> dict[str, Any]:
    """Return the same of the digits that are held out."""
    sys.path.append(str(HERE.parents[1] / "tests"))
    from judge import digits

    images, _ = digits("test")
    return {"what": f"{len(images)} held-out digits", **_verdict(images)}


def _verdict(images: Tensor) -> dict[str, float]:
    from judge import DigitJudge

    found = DigitJudge()(images)
    return {"sure": found.sure, "spread": found.spread, "share": found.share}


def _flags() -> str:
    """Return what Linux says that the processor can do."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def rows() -> list[dict[str, Any]]:
    """Return the last row of each sort of machine, the fastest first."""
    lines = ROWS.read_text(encoding="utf-8").splitlines()
    last = {(row["cores"], row["avx512"]): row for row in map(json.loads, lines)}
    return sorted(last.values(), key=lambda row: float(row["whole"]))


def verdicts() -> list[dict[str, Any]]:
    """Return what was judged, reality first."""
    return [json.loads(line) for line in JUDGED.read_text(encoding="utf-8").splitlines()]


def machine(row: Mapping[str, Any]) -> str:
    """Return what a row was made on: `2 cores with AVX-512`."""
    return f"{row['cores']} cores {'with' if row['avx512'] else 'without'} AVX-512"


def minutes(row: Mapping[str, Any]) -> str:
    """Return the minutes that a row's command took as a whole."""
    return f"{row['whole'] / 60:.1f}"


def sentence(made: Sequence[Mapping[str, Any]]) -> str:
    """Return what README says: it took 2.3 minutes on 2 cores with AVX-512, and so on."""
    told = [f"{minutes(row)} minutes on {machine(row)}" for row in made]
    return f"`gentk run quickstart` took {' and '.join(told)}"


def span(made: Sequence[Mapping[str, Any]]) -> str:
    """Return what the recipe's summary says: `2 to 7 minutes`, in whole ones."""
    whole = sorted({max(1, round(row["whole"] / 60)) for row in made})
    return f"{' to '.join(map(str, (whole[0], *whole[-1:]) if whole[1:] else whole))} minutes"


def render(made: Sequence[Mapping[str, Any]]) -> str:
    """Return the page."""
    lines = [
        "# How long the quickstart takes",
        "",
        "The recipe `quickstart`: the whole command, from typing it to its last line, and the training "
        "within it. Before training come the start of Python with torch, and one pass over "
        "the data. The last row of each sort of machine is shown; other machines differ.",
        "",
        "| machine | whole, s | training, s | steps | load before | command | made |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {machine(row)} | {row['whole']:.1f} | {_or_dash(row['seconds'])} | "
            f"{_or_dash(row['steps'])} | {_or_dash(row['load'])} | `{row['command']}` | {row['date']}, "
            f"commit {row['commit']} |"
            for row in made
        ),
        "",
        "## What it draws",
        "",
        f"{COUNT:,} samples, judged by a support vector machine that was trained on the digits that the "
        "recipe takes: the mean of its largest class probability, the variance within classes relative "
        "to that of those digits, and the share of the rarest class. README shows the seed in the "
        "middle by the first of these.",
        "",
        "| what | sure | spread | rarest class | steps | made |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {row['what']} | {row['sure']:.3f} | {row['spread']:.2f} | {row['share']:.1%} | "
            + (
                f"{row['steps']:,} | `{row['command']}`, {row['date']}, commit {row['commit']} |"
                if "steps" in row
                else "- | - |"
            )
            for row in verdicts()
        ),
        "",
        "Made by `make results-quickstart`, which refuses a machine that is busy unless `--busy` is "
        "typed; rows: `quickstart.jsonl` and, by `--judge`, `quickstart-judged.jsonl`.",
    ]
    return "\n".join(lines) + "\n"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"


if __name__ == "__main__":
    main()
