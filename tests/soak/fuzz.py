"""Fuzz: command lines, recipes and sweep files that nobody would write, and some that somebody would."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from arena import child, command
from faults import Failures, Tried

from gentk import registry
from gentk.first_party import FIRST_PARTY

BLOCK = 250
"""Cases in one process."""

SECONDS = 10.0
"""The most processor time of one case."""

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
    "--penalty": ["gradient", "none", "gradient,at=data"],
    "--steps": ["1", "2", "0", "-1", "1e9"],
    "--batch": ["2", "3", "16", "1", "x", "16777216"],
    "--chunk": ["1", "2", "5", "0"],
    "--reference": ["2", "7", "0", "1e99"],
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
    "--stage": ["x.steps=2", "x.y.z=1", "x", "x.generator=mlp"],
}
NOISE = ",=:+;'\"\\\x00\x1b[31m\n\r\t \u202e\udcff🙂ß" + "az09-_./"

BASES: list[dict[str, Any]] = [
    {"generator": "mlp,latent=4,widths=8", "extractor": "pixels"},
    {"generator": "mlp", "extractor": "pixels", "loss": "mmd", "estimator": "batch"},
    {"generator": "mlp", "encoder": "mlp", "loss": "reconstruction"},
    {
        "generator": "mlp",
        "extractor": ["pixels", "identity"],
        "loss": ["moments", "mmd"],
        "estimator": ["ama", "batch"],
    },
    {
        "generator": "sngan-cnn,latent=4,width=4",
        "critic": "sngan-cnn,width=4",
        "loss": "hinge",
        "penalty": ["gradient"],
        "data": "digits,size=32",
    },
    {
        "generator": "bigan,latent=4,widths=8+8",
        "encoder": "bigan,widths=8+8",
        "critic": "bigan,widths=8+8",
        "loss": "logistic",
    },
]
"""Recipes that fit, from which cases start: what is wrong in few places gets far."""

KEYS = [
    *(flag.removeprefix("--") for flag in WORDS),
    *("minutes", "schedule", "phase", "summary", "out", "recipe", "nobody", "a-b"),
]
WRONG: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 16, 2**63, 10**400, 0.5, -0.0, 1e308, float("inf")),
    *(float("nan"), "", "x", "digits", "none", "run:nowhere", "stage:x", "\x1b[31m", "a\nb", "ß"),
    *("9" * 5000, date(1, 1, 1), [], {}, [[]], [{}], {"": {}}, ["mlp", 1], ["mlp", "mlp"]),
    *({"lr": 1}, {"at": 0, "set": {"lr": 1}}, [{"at": -1, "set": {}}], {"x": {"steps": 1}}),
    *({"critic": {"repeat": 2}}, {"critic": {"penalty": [], "clamp": float("nan")}}),
]


def fuzz(place: Path, first: int, trials: int, chance: random.Random) -> Tried:
    """Command lines, recipe files and sweep files, rehearsed: exit status 0, 1 or 2, and no bug."""
    failures: Failures = []
    os.chdir(place)
    makers = [
        partial(_line, chance),
        partial(_recipe, chance, place),
        partial(_sweep, chance, place),
    ]
    for begin in range(0, trials, BLOCK):
        # Written by us and read in the child: a file a case, so that what failed can be shown.
        cases = [chance.choices(makers, (2, 1, 1))[0]() for _ in range(min(BLOCK, trials - begin))]
        ended = child(partial(_tried, cases, place / "now"), limit=600)
        if ended.value is None:
            last = (place / "now").read_text() if (place / "now").exists() else "nothing"
            failures.append(f"the process ended at {last}: {ended.code} {ended.error}")
            continue
        for (code, text, seconds), (words, content) in zip(ended.value, cases, strict=True):
            name = f"{words} {content or ''}"
            if code not in (0, 1, 2) or "Traceback" in text or "(this is a bug)" in text:
                failures.append(f"{code} {text[-200:]} of {name}")
            if seconds > SECONDS:
                failures.append(f"{seconds:.0f} s of {name}")
    return Tried(trials, failures)


Case = tuple[list[str], str | None]
"""The words of a command, and what the file that they name holds."""


def _tried(cases: list[Case], now: Path) -> list[tuple[int, str, float]]:
    """Run commands in this process, for all of which what is installed is looked up once."""
    known = registry.discover(FIRST_PARTY)
    registry.discover = lambda own=(): known
    ends = []
    for words, content in cases:
        now.write_text(f"{words!a} {content!a}")
        if content is not None:
            Path(words[1]).write_text(content, "utf-8", "surrogateescape")
        begin = time.process_time()
        code, text = command(words)
        ends.append((code, text, time.process_time() - begin))
    return ends


def _line(chance: random.Random) -> Case:
    """Return a command line."""
    words = ["run", "--dry-run"]
    flags = {f"--{key}": value for key, value in chance.choice(BASES).items()}
    for flag in chance.sample(list(WORDS), chance.randrange(4)):
        value = chance.choice(WORDS[flag])
        flags[flag] = _noisy(value, chance) if chance.random() < 0.2 else value
    for flag, value in flags.items():
        for item in value if isinstance(value, list) else [value]:
            words += [flag, item]
    if chance.random() < 0.1:
        words.insert(1, "".join(chance.choice(NOISE) for _ in range(4)))
    if chance.random() < 0.05:
        words[0] = chance.choice(["sample", "evaluate", "show", "list", "compare", "rnu"])
    return words, None


def _noisy(text: str, chance: random.Random) -> str:
    """Put noise into a text, sometimes in place of a character."""
    place = chance.randrange(len(text) + 1)
    noise = "".join(chance.choice(NOISE) for _ in range(chance.randrange(1, 6)))
    return text[:place] + noise + text[place + chance.randrange(2) :]


def _recipe(chance: random.Random, place: Path) -> Case:
    """Return a recipe in a file: good and wrong values, nested tables, dotted keys, noise."""
    table: dict[str, Any] = {"steps": 2, **chance.choice(BASES)}
    _fill(table, chance)
    if chance.random() < 0.3:
        stage: dict[str, Any] = {"generator": "mlp", "encoder": "mlp", "loss": "reconstruction"}
        _fill(stage, chance)
        table["stage"] = {chance.choice(["x", "code", "a.b", "", "ß"]): stage}
        table["codec"] = chance.choice(["stage:x", "stage:code", "stage:"])
    if chance.random() < 0.3:
        own = {chance.choice(["optimizer", "schedule", "repeat", "clamp", "y"]): _value(chance)}
        table["phase"] = {chance.choice(["critic", "generator", "x"]): own}
    return ["run", "./fuzz.toml", "--dry-run"], _text(table, chance)


def _sweep(chance: random.Random, place: Path) -> Case:
    """Return a sweep file, rehearsed or rendered."""
    table: dict[str, Any] = {
        "title": "t",
        "run": {"steps": 2, "data": "digits", **chance.choice(BASES)},
        "judge": {"metric": "fd", "extractors": ["pixels"], "count": 20},
        "row": [{"name": "a", "batch": 8}, {"name": "b", "seeds": [1]}],
    }
    extra: dict[str, list[Any]] = {
        "seeds": [[0, 1], [0, 0], [-1], []],
        "pictures": [[], ["grid"], ["nothing"]],
        "rows": ["nowhere.toml", ["fuzz.toml"], ["/dev/zero"]],
        "tries": [{"steps": 1, "settings": [{"lr": 1}]}, {"seeds": []}, {"data": "digits"}],
        "claim": [[{"says": "x", "better": "a", "worse": "b"}], [{"better": "nobody"}]],
        "stage": [{"x": {"generator": "mlp"}}, {"x": {"codec": "stage:x"}}, {"": {}}],
    }
    for key in chance.sample(list(extra), chance.randrange(3)):
        table[key] = chance.choice(extra[key])
    _fill(chance.choice([table["run"], table["run"], table["judge"], *table["row"]]), chance)
    if chance.random() < 0.3:
        table[chance.choice(["run", "judge", "row", "title", *extra])] = _value(chance)
    return ["sweep", "./fuzz.toml", chance.choice(["--dry-run", "--render"])], _text(table, chance)


def _fill(table: dict[str, Any], chance: random.Random) -> None:
    """Set some keys of a recipe's table, well or badly, or drop one."""
    for _ in range(chance.randrange(3)):
        key = chance.choice(KEYS)
        known = WORDS.get(f"--{key}")
        good = known is not None and chance.random() < 0.8
        table[key] = chance.choice(known) if known and good else _value(chance)
        if good and table[key].lstrip("-").isdecimal():
            table[key] = int(table[key])
    if table and chance.random() < 0.1:
        del table[chance.choice(list(table))]


def _value(chance: random.Random, depth: int = 0) -> Any:
    """Return a value of some type, nested now and then, seldom very deep."""
    way = chance.random()
    if way < 0.7 or depth > 3:
        return chance.choice(WRONG)
    if way < 0.72:
        deep: Any = 1
        for _ in range(chance.choice([5, 20, 200])):
            deep = [deep] if chance.random() < 0.5 else {"a": deep}
        return deep
    items = [_value(chance, depth + 1) for _ in range(chance.randrange(3))]
    if way < 0.86:
        return items
    return {chance.choice(KEYS): item for item in items}


def _text(table: Mapping[str, Any], chance: random.Random) -> str:
    """Write a table as TOML: inline, under headers or with dotted keys; then spoil it now and then."""
    lines = _lines(table, "", chance)
    text = "\n".join(lines) + "\n"
    spoil: list[Callable[[str], str]] = [
        lambda text: text[: chance.randrange(len(text) + 1)],
        lambda text: _noisy(text, chance),
        lambda text: text + text,
        lambda text: text + ".".join(["a"] * chance.choice([10, 70, 3000])) + " = 1\n",
        lambda text: "x = " + "[" * chance.choice([10, 3000]) + "\n" + text,
        lambda text: text + "[" + ".".join(["stage"] * chance.choice([3, 30])) + "]\nsteps = 1\n",
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
    ]
    return chance.choice(spoil)(text) if chance.random() < 0.25 else text


def _lines(table: Mapping[str, Any], head: str, chance: random.Random) -> list[str]:
    """Write a table's values, then its tables."""
    plain, tables = [], []
    for key, value in table.items():
        name = f"{head}.{_key(key)}" if head else _key(key)
        if isinstance(value, dict) and chance.random() < 0.6 and len(name) < 500:
            tables += [f"[{name}]", *_lines(value, name, chance)]
        elif isinstance(value, dict) and value and not head and chance.random() < 0.5:
            plain += [f"{name}.{_key(k)} = {_inline(v)}" for k, v in value.items()]
        elif value is not None:
            plain.append(f"{_key(key)} = {_inline(value)}")
    return plain + tables


def _key(key: str) -> str:
    bare = key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)
    return key if bare else json.dumps(key)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, bool) or value is None:
        return str(bool(value)).lower()
    return json.dumps(value) if isinstance(value, str) else str(value)


def commands(place: Path, first: int, trials: int, chance: random.Random) -> Tried:
    """Well-formed runs of two steps: they train, or are refused in a sentence."""
    failures: Failures = []
    os.chdir(place)
    for number in range(first, first + trials):
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
