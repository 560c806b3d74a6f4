"""`make soak`: faults are tried and counted, a row a kind in docs/results/soak.jsonl, and their page.

python tests/soak/soak.py                     all kinds, as often as the page says
python tests/soak/soak.py --kind kills --trials 50
python tests/soak/soak.py --page              the page alone, of the rows there are
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faults import Tried, commands, flips, full_disks, fuzz, kills, owners
from hostile import hostile

from gentk import journal
from gentk.version import __version__

ROOT = Path(__file__).parent.parent.parent
ROWS, PAGE = ROOT / "docs/results/soak.jsonl", ROOT / "docs/results/soak.md"

Kind = Callable[[Path, int, random.Random], Tried]
KINDS: dict[str, tuple[Kind, int, str]] = {
    "kills": (kills, 500, "SIGKILLs over a fast run of each family; the ends are bit-identical"),
    "flips": (flips, 300, "bits flipped and cuts in files that are read back; none is silent"),
    "full disks": (
        full_disks,
        500,
        "writes, all of a run of each family; the disk is full from there",
    ),
    "hostile files": (hostile, 100, "files made to harm; none runs, none over 5 s or 1 GiB"),
    "fuzz": (fuzz, 20_000, "command lines in process; exit status 0, 1 or 2, no traceback"),
    "commands": (commands, 300, "well-formed runs of two steps; trained, or refused in a sentence"),
    "owners": (owners, 30, "times two, three or four processes on one folder or one cache"),
}
"""Kind -> what tries it, how often, and what its trials are."""


def trial(kind: str, trials: int, seed: int = 0) -> Tried:
    """Try a kind in a folder of its own and return how often, and what did not hold."""
    here, cache = Path.cwd(), os.environ.get("GENTK_CACHE")
    try:
        with tempfile.TemporaryDirectory() as place:
            os.environ["GENTK_CACHE"] = str(Path(place, "cache"))
            return KINDS[kind][0](Path(place), trials, random.Random(seed))
    finally:
        os.chdir(here)
        os.environ.pop("GENTK_CACHE", None)
        if cache is not None:
            os.environ["GENTK_CACHE"] = cache


def page(rows: Sequence[dict[str, Any]]) -> str:
    """Return the page of the latest row of each kind."""
    latest = {row["kind"]: row for row in rows}
    lines = [
        "# Faults that were tried",
        "",
        "| kind | tried | did not hold | what | date |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, (_, _, text) in KINDS.items():
        if kind in latest:
            row = latest[kind]
            failed = len(row["failures"])
            lines.append(
                f"| {kind} | {row['trials']:,} | {failed or 'none'} | {text} | {row['date']} |"
            )
    lines += [
        "",
        "Made by `make soak`; the rows, with what did not hold, are in `soak.jsonl`. A share of each "
        "kind runs in `make test` (`tests/soak`).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Try kinds, write rows and the page; exit status 1 if something did not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--trials", type=int, help="instead of the usual number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry", action="store_true", help="keep no row")
    parser.add_argument("--page", action="store_true", help="only render the page")
    arguments = parser.parse_args()
    failed = False
    for kind in () if arguments.page else arguments.kind or KINDS:
        count = arguments.trials or KINDS[kind][1]
        begin = time.monotonic()
        count, failures = trial(kind, count, arguments.seed)
        failed = failed or bool(failures)
        print(f"{kind}: {count} in {time.monotonic() - begin:.0f} s, {len(failures)} did not hold")
        for failure in failures:
            print(f"  {failure!a}")
        row = {
            "kind": kind,
            "trials": count,
            "seed": arguments.seed,
            "failures": [ascii(text)[:300] for text in failures[:20]],
            "seconds": round(time.monotonic() - begin),
            "version": __version__,
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        }
        if not arguments.dry:
            journal.append(ROWS, [row])
    if not arguments.dry:
        PAGE.write_text(page(journal.read(ROWS)), encoding="utf-8")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
