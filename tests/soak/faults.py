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

from arena import FAMILIES, child, command, end_of, train

Failures = list[str]


class Tried(NamedTuple):
    """How often something was tried, and what did not hold."""

    count: int
    failures: Failures


def kills(place: Path, trials: int, chance: random.Random) -> Tried:
    """SIGKILL at random moments of a run of each family, until it ends: the same end, bit for bit."""
    failures: Failures = []
    whole: dict[str, tuple[dict[str, str], float]] = {}
    names = list(FAMILIES)
    done = number = 0
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


def flips(place: Path, trials: int, chance: random.Random) -> Tried:
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


def full_disks(place: Path, trials: int, chance: random.Random) -> Tried:
    """A disk that is full from the n-th write of a run on, for every n: said, and then the same end."""
    failures: Failures = []
    options = {"observer": ["metrics", "grids"], "ema": None, "steps": 12}
    tried = 0
    for family in FAMILIES:
        whole, folder = place / family, place / "full"

        def run(folder: Path = folder, family: str = family) -> None:
            train(folder, family, **options)

        assert child(partial(run, whole)).code == 0
        number = 0
        while tried < trials:
            first = child(partial(_starved, run, number))
            if first.code == 0 and not first.value:
                shutil.rmtree(folder)
                break  # It has no such write any more.
            tried += 1
            if first.code and not first.refused:
                failures.append(f"{family}, write {number}: {first.error}")
            second = child(run)
            if second.code or end_of(folder)["state"] != end_of(whole)["state"]:
                failures.append(f"{family}, write {number}: then {second.error or 'another end'}")
            shutil.rmtree(folder, ignore_errors=True)
            number += 1
    return Tried(tried, failures)


def _starved(call: Callable[[], Any], number: int) -> bool:
    """Make a call with a disk that is full at its n-th write and after; say whether that was met."""
    sync, count = os.fsync, 0

    def full(handle: int) -> None:
        nonlocal count
        count += 1
        if count > number:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    os.fsync = full
    call()
    return count > number


def owners(place: Path, trials: int, chance: random.Random) -> Tried:
    """Two, three and four processes on one folder, and on one cache."""
    failures: Failures = []
    os.environ["GENTK_CACHE"] = str(place / "cache")
    assert child(lambda: train(place / "whole", "matching")).code == 0
    expected = end_of(place / "whole")
    for number in range(trials):
        count = 2 + number % 3
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


def fuzz(place: Path, trials: int, chance: random.Random) -> Tried:
    """Command lines of words, of noise and of both, with --dry-run: 0, 1 or 2, and no bug."""
    failures: Failures = []
    os.chdir(place)
    block = 500
    for start in range(0, trials, block):
        lines = [_line(chance) for _ in range(min(block, trials - start))]
        ended = child(lambda: [(command(words), words) for words in lines], limit=600)  # noqa: B023
        if ended.value is None:
            failures.append(f"the process ended: {ended.code} {ended.error}")
            continue
        for (code, text), words in ended.value:
            if code not in (0, 1, 2) or "Traceback" in text or "(this is a bug)" in text:
                failures.append(f"{words}: {code} {text[-200:]}")
    return Tried(trials, failures)


WORDS = {
    "--data": [
        "digits",
        "digits,size=32",
        "mnist",
        "folder:nowhere",
        "npz:x.npz",
        "digits,limit=9",
    ],
    "--generator": ["mlp", "bigan", "resnet,width=4", "dcgan", "mlp,latent=4,widths=8+8"],
    "--encoder": ["mlp", "bigan", "vgg", "none"],
    "--critic": ["bigan", "none"],
    "--loss": ["moments", "mmd", "reconstruction", "logistic", "hinge", "moments,covariance=full"],
    "--estimator": ["ama", "ma", "batch", "queue"],
    "--steps": ["1", "2", "0", "-1", "1e9"],
    "--batch": ["2", "3", "16", "1", "x"],
    "--chunk": ["1", "2", "5", "0"],
    "--seed": ["0", "-1", "9" * 30],
    "--optimizer": ["adam,lr=1e-3", "sgd,lr=nan", "adam,betas=2+3", "lbfgs"],
    "--ema": ["0.9", "1", "none"],
    "--decay": ["none", "cosine", "x"],
    "--clip": ["1", "0", "inf"],
    "--dtype": ["float32", "float16"],
    "--threads": ["1", "0", "10000000"],
    "--device": ["cpu", "cuda:99", "toaster"],
    "--init": ["run:nowhere", "stage:x", "nonsense"],
    "--codec": ["run:nowhere", "run:"],
    "--observer": ["metrics", "evaluate,every=0", "nobody"],
}
NOISE = ",=:+;'\"\\\x00\x1b[31m\n\r\t \u202e\udcff🙂ß" + "az09-_./"


def _line(chance: random.Random) -> list[str]:
    """Return a command line."""
    words = ["run", "--dry-run", "--extractor", "pixels"]
    for flag in chance.sample(list(WORDS), chance.randrange(1, 6)):
        value = chance.choice(WORDS[flag])
        if chance.random() < 0.4:
            place = chance.randrange(len(value) + 1)
            noise = "".join(chance.choice(NOISE) for _ in range(chance.randrange(1, 6)))
            value = value[:place] + noise + value[place + chance.randrange(2) :]
        words += [flag, value]
    if chance.random() < 0.1:
        words.insert(1, "".join(chance.choice(NOISE) for _ in range(4)))
    if chance.random() < 0.05:
        words[0] = chance.choice(["sample", "evaluate", "show", "list", "compare", "rnu"])
    return words


def commands(place: Path, trials: int, chance: random.Random) -> Tried:
    """Well-formed runs of two steps: they train, or are refused in a sentence."""
    failures: Failures = []
    os.chdir(place)
    for number in range(trials):
        words = ["run", "--extractor", "pixels", "--device", "cpu", "--threads", "1", "--quiet"]
        words += ["--steps", "2", "--batch", chance.choice(["2", "3", "8"])]
        words += ["--data", chance.choice(["digits", "digits,size=32", "digits,channels=3"])]
        for flag in ("--generator", "--encoder", "--critic", "--loss", "--estimator", "--chunk"):
            if chance.random() < 0.7:
                words += [flag, chance.choice([v for v in WORDS[flag] if v not in ("0", "vgg")])]
        words += ["--out", f"out-{number}"]
        ended = child(lambda: command(words))  # noqa: B023
        code, text = ended.value or (ended.code, str(ended.error))
        if code not in (0, 1, 2) or "Traceback" in text or "(this is a bug)" in text:
            failures.append(f"{' '.join(words)}: {code} {text[-300:]}")
        shutil.rmtree(place / f"out-{number}", ignore_errors=True)
    return Tried(trials, failures)


def _differing(one: dict[str, str], other: dict[str, str]) -> str:
    return "other " + ", ".join(key for key in other if one.get(key) != other[key])
