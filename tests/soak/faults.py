"""The faults: each function tries one kind a number of times and returns what did not hold."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from arena import FAMILIES, child, end_of, train

Failures = list[str]


class Tried(NamedTuple):
    """How often something was tried, and what did not hold."""

    count: int
    failures: Failures


def kills(place: Path, first: int, trials: int, chance: random.Random) -> Tried:
    """SIGKILL at random moments of a run of each family, until it ends: the same end, bit for bit."""
    failures: Failures = []
    whole: dict[str, tuple[dict[str, str], float]] = {}
    names = list(FAMILIES)
    done, number = 0, first
    while done < trials:
        family = names[number % len(names)]
        number += 1
        if family not in whole:
            ended = child(lambda f=family: train(place / f, f))
            assert ended.code == 0, ended
            whole[family] = (end_of(place / family), ended.seconds)
        expected, seconds = whole[family]
        folder = place / f"killed-{number}"
        while True:
            after = chance.uniform(0, seconds) if done < trials else None
            ended = child(lambda: train(folder, family), kill_after=after)  # noqa: B023
            done += ended.code < 0
            if ended.code >= 0:
                break
        if ended.code or end_of(folder) != expected:
            failures.append(f"{family}: {ended.error or _differing(end_of(folder), expected)}")
        shutil.rmtree(folder, ignore_errors=True)
    return Tried(trials, failures)


def flips(place: Path, first: int, trials: int, chance: random.Random) -> Tried:
    """A flipped bit, or a cut, in one file that is read back: said, or of no effect on the end."""
    failures: Failures = []
    cache = place / "cache"
    os.environ["GENTK_CACHE"] = str(cache)
    assert child(lambda: train(place / "half", "matching", steps=12)).code == 0
    shutil.copytree(place / "half", place / "whole")
    assert child(lambda: train(place / "whole", "matching")).code == 0
    kept = place / "kept"
    shutil.copytree(cache, kept)
    expected = end_of(place / "whole")
    folder = place / "run"

    def go_on() -> None:
        train(folder, "matching")

    for _ in range(trials):
        shutil.copytree(place / "half", folder)
        shutil.rmtree(cache)
        shutil.copytree(kept, cache)
        files = [p for base in (folder, cache) for p in sorted(base.rglob("*")) if p.is_file()]
        path = chance.choice([p for p in files if p.suffix in (".json", ".jsonl", ".safetensors")])
        what = _damage(path, chance)
        ended = child(go_on)
        name = f"{path.relative_to(place)} {what}"
        if ended.code and not ended.refused:
            failures.append(f"{name}: {ended.error}")
        elif not ended.code and not ended.told and end_of(folder) != expected:
            failures.append(f"{name}: silent, {_differing(end_of(folder), expected)}")
        shutil.rmtree(folder)
    return Tried(trials, failures)


def _damage(path: Path, chance: random.Random) -> str:
    content = bytearray(path.read_bytes())
    if chance.random() < 0.2:
        size = chance.randrange(len(content))
        path.write_bytes(content[:size])
        return f"cut to {size}"
    bit = chance.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    return f"bit {bit}"


def full_disks(place: Path, first: int, trials: int, chance: random.Random) -> Tried:
    """A disk that is full from the n-th write of a run on, for every n: said, and then the same end."""
    failures: Failures = []
    runs = {name: partial(_plain, name) for name in FAMILIES}
    writes = []
    for family, run in runs.items():
        ended = child(partial(_starved, partial(run, place / family), None))
        assert ended.code == 0, ended
        writes += [(family, number) for number in range(ended.value)]
    tried = writes[first : first + trials]
    folder = place / "full"
    for family, number in tried:
        run = partial(runs[family], folder)
        starved = child(partial(_starved, run, number))
        name = f"{family}, write {number}"
        if starved.code and not starved.refused:
            failures.append(f"{name}: {starved.error}")
        again = child(run)
        expected = end_of(place / family)
        if again.code or end_of(folder) != expected:
            why = again.error or _differing(end_of(folder), expected)
            failures.append(f"{name}: then {why}")
        shutil.rmtree(folder, ignore_errors=True)
    return Tried(len(tried), failures)


def _plain(family: str, folder: Path) -> None:
    train(folder, family, observer=["metrics", "grids"], ema=None, steps=12)


def _starved(call: Callable[[], Any], number: int | None) -> int:
    """Make a call with a disk that is full at its n-th write and after; return how many it met."""
    sync, count = os.fsync, 0

    def full(handle: int) -> None:
        nonlocal count
        count += 1
        if number is not None and count > number:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    os.fsync = full
    call()
    return count


def owners(place: Path, first: int, trials: int, chance: random.Random) -> Tried:
    """Two, three and four processes on one folder, and on one cache."""
    failures: Failures = []
    os.environ["GENTK_CACHE"] = str(place / "cache")
    assert child(lambda: train(place / "whole", "matching")).code == 0
    expected = end_of(place / "whole")
    for number in range(first, first + trials):
        count = 2 + number // 2 % 3
        shutil.rmtree(place / "cache", ignore_errors=True)
        shared = number % 2 == 0
        folders = [place / (f"one-{number}" if shared else f"{number}-{n}") for n in range(count)]
        ends = child(lambda: _together(folders)).value or []  # noqa: B023
        good = [code for code, _ in ends if code == 0]
        refused = [text for code, text in ends if code and "in use by process" in text]
        if len(ends) != count or len(good) + len(refused) != count or not good:
            failures.append(f"{count} on {'a folder' if shared else 'a cache'}: {ends}")
        elif not shared and refused:
            failures.append(f"{count} folders of their own: {refused}")
        for folder in {*folders}:
            if end_of(folder) != expected:
                failures.append(f"{count}: {_differing(end_of(folder), expected)}")
    return Tried(trials, failures)


def _together(folders: list[Path]) -> list[tuple[int, str]]:
    """Train in several processes at once."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(folders)) as pool:
        ends = list(pool.map(lambda folder: child(lambda: train(folder, "matching")), folders))
    return [(ended.code, str(ended.error)) for ended in ends]


def _differing(one: dict[str, str], other: dict[str, str]) -> str:
    keys = [key for key in other if one.get(key) != other[key]]
    return f"other {', '.join(keys)}; left: {one.get('left')!r}"
