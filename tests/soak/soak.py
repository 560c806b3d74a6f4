"""`make soak`: faults are tried and counted, rows in docs/results/soak.jsonl, and their page.

python tests/soak/soak.py                     what is left of each kind's number of trials
python tests/soak/soak.py --kind kills --trials 50
python tests/soak/soak.py --page              the page alone, of the rows there are

Trials are numbered; a part of a kind is a row, with the number of its first trial. Stopped, it goes on
after the last row. To try all again, delete the rows.
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
from typing import Any, NamedTuple

from faults import Tried, flips, full_disks, kills, owners
from fuzz import commands, fuzz
from hostile import hostile

from gentk import journal
from gentk.version import __version__

ROOT = Path(__file__).parent.parent.parent
ROWS, PAGE = ROOT / "docs/results/soak.jsonl", ROOT / "docs/results/soak.md"

Try = Callable[[Path, int, int, random.Random], Tried]


class Kind(NamedTuple):
    """A kind of fault.

    Attributes:
        tried: Tries it: in a folder, from the number of a trial on, so many, with a source of chance.
            It tries fewer where there are no more.
        count: How often.
        part: Trials of a row.
        text: What a trial is.
    """

    tried: Try
    count: int
    part: int
    text: str


KINDS = {
    "kills": Kind(
        kills, 500, 100, "SIGKILLs over a fast run of each family; the ends are bit-identical"
    ),
    "flips": Kind(
        flips, 300, 100, "bits flipped and cuts in files that are read back; none is silent"
    ),
    "full disks": Kind(
        full_disks, 500, 50, "writes, all of a run of each family; the disk is full from there"
    ),
    "hostile files": Kind(
        hostile, 200, 200, "files made to harm; none runs, none over 5 s or 1 GiB"
    ),
    "fuzz": Kind(
        fuzz,
        20_000,
        1000,
        "command lines, recipes and sweep files, rehearsed in process; exit status 0, 1 or 2, no "
        "traceback",
    ),
    "commands": Kind(
        commands, 300, 100, "well-formed runs of two steps; trained, or refused in a sentence"
    ),
    "owners": Kind(owners, 30, 15, "times two, three or four processes on one folder or one cache"),
}


def trial(kind: str, trials: int, seed: int = 0, first: int = 0) -> Tried:
    """Try a kind in a folder of its own and return how often, and what did not hold."""
    here, cache = Path.cwd(), os.environ.get("GENTK_CACHE")
    try:
        with tempfile.TemporaryDirectory() as place:
            os.environ["GENTK_CACHE"] = str(Path(place, "cache"))
            chance = random.Random(f"{kind}, {seed}, {first}")
            return KINDS[kind].tried(Path(place), first, trials, chance)
    finally:
        os.chdir(here)
        os.environ.pop("GENTK_CACHE", None)
        if cache is not None:
            os.environ["GENTK_CACHE"] = cache


def page(rows: Sequence[dict[str, Any]]) -> str:
    """Return the page of the rows, added up for each kind."""
    lines = [
        "# Faults that were tried",
        "",
        "| kind | tried | did not hold | what | last tried |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, (_, _, _, text) in KINDS.items():
        own = [row for row in rows if row["kind"] == kind]
        if own:
            failed = sum(len(row["failures"]) for row in own)
            date = max(row["date"] for row in own)
            lines.append(f"| {kind} | {done(own):,} | {failed or 'none'} | {text} | {date} |")
    lines += [
        "",
        "Made by `make soak`; the rows, with what did not hold, are in `soak.jsonl`. A share of each "
        "kind runs in `make test` (`tests/soak`).",
    ]
    return "\n".join(lines) + "\n"


def done(rows: Sequence[dict[str, Any]]) -> int:
    """Return how many trials the rows of a kind have."""
    return sum(row["trials"] for row in rows)


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
        rows = [] if arguments.dry else [row for row in journal.read(ROWS) if row["kind"] == kind]
        first = done(rows)
        last = first + arguments.trials if arguments.trials else KINDS[kind].count
        while first < last:
            row = _part(kind, first, min(last - first, KINDS[kind].part), arguments.seed)
            if not row["trials"]:
                break
            failed = failed or bool(row["failures"])
            first += row["trials"]
            if not arguments.dry:
                journal.append(ROWS, [row])
                PAGE.write_text(page(journal.read(ROWS)), encoding="utf-8")
    if arguments.page:
        PAGE.write_text(page(journal.read(ROWS)), encoding="utf-8")
    sys.exit(1 if failed else 0)


def _part(kind: str, first: int, trials: int, seed: int) -> dict[str, Any]:
    """Try a part of a kind's trials, print what did not hold and return its row."""
    begin = time.monotonic()
    count, failures = trial(kind, trials, seed, first)
    seconds = time.monotonic() - begin
    print(
        f"{kind}: {count} from {first} in {seconds:.0f} s, {len(failures)} did not hold", flush=True
    )
    for failure in failures:
        print(f"  {failure!a}", flush=True)
    return {
        "kind": kind,
        "first": first,
        "trials": count,
        "seed": seed,
        "failures": [ascii(text)[:300] for text in failures[:20]],
        "seconds": round(seconds),
        "version": __version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


if __name__ == "__main__":
    main()
