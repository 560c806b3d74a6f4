"""The arena: runs in forked children that may be killed, starved or fed, without paying for imports."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pickle
import resource
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

import gentk
from gentk.errors import FileWarning, GentkError
from gentk.runs.folder import RunFolder

for name in ("gentk.runs.rehearsal", "gentk_timm.extractor", "gentk.evaluation.observer"):
    import_module(name)  # What takes long to import, before any child is forked.
for name in ("pyarrow.parquet", "sklearn.datasets", "torchvision.datasets", "scipy.stats"):
    import_module(name)

EVALUATE = "evaluate,every=4,extractor=pixels,count=20,quiet=true"
COMMON: dict[str, Any] = {
    "data": "digits,limit=120",
    "batch": 12,
    "optimizer": "adam,lr=1e-3",
    "decay": "none",
    "device": "cpu",
    "threads": 1,
    "steps": 24,
    "ema": 0.9,
    "observer": ["metrics", "grids", EVALUATE],
}
PIXELS = {"extractor": ["pixels"], "generator": "mlp,latent=8,widths=16"}
FAMILIES: dict[str, dict[str, Any]] = {
    "matching": {**PIXELS, "loss": "moments", "estimator": "ama"},
    "samples": {**PIXELS, "loss": "mmd", "estimator": "batch"},
    "autoencoding": {
        "generator": "mlp,latent=8,widths=16",
        "encoder": "mlp,widths=16",
        "loss": "reconstruction",
    },
    "adversarial": {
        "generator": "bigan,latent=8,widths=16+16",
        "encoder": "bigan,widths=16+16",
        "critic": "bigan,widths=16+16",
        "loss": "logistic",
    },
}
"""A fast recipe of each family."""


@dataclass
class Ended:
    """How a child ended.

    Attributes:
        code: Its exit status, negative for a signal.
        seconds: How long it lived.
        computed: How long it computed: what a busy machine does not stretch.
        memory: The most memory it had beyond its parent's at the fork, in MiB.
        error: The class and the sentence of what it raised.
        told: What it said of damage.
        value: What it returned.
    """

    code: int
    seconds: float
    computed: float
    memory: float = 0.0
    error: tuple[str, str] | None = None
    told: list[str] = field(default_factory=list)
    value: Any = None

    @property
    def refused(self) -> bool:
        """Whether it ended with a sentence of gentk's own."""
        return self.error is not None and self.error[0] == "GentkError"


def child(
    call: Callable[[], Any], *, kill_after: float | None = None, limit: float = 120.0
) -> Ended:
    """Run something in a forked child; kill it after some seconds if asked to."""
    reader, writer = os.pipe()
    begin = time.monotonic()
    pid = os.fork()
    if not pid:
        os.close(reader)
        _work(call, writer)
    os.close(writer)
    until = begin + (limit if kill_after is None else kill_after)
    content, killed = b"", False
    os.set_blocking(reader, False)
    while True:
        with contextlib.suppress(BlockingIOError):
            while block := os.read(reader, 2**16):
                content += block
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > until and not killed:
            os.kill(pid, signal.SIGKILL)
            killed = True
        time.sleep(0.002)
    with contextlib.suppress(BlockingIOError):
        while block := os.read(reader, 2**16):
            content += block
    os.close(reader)
    code, computed = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
    ended = Ended(code, time.monotonic() - begin, computed)
    if content and ended.code >= 0:
        # Of our own child, over a pipe of our own.
        ended.memory, ended.error, ended.told, ended.value = pickle.loads(content)
    return ended


def _work(call: Callable[[], Any], writer: int) -> None:
    """Do a child's work and end it."""
    error, value = None, None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", FileWarning)
        try:
            value = call()
        except GentkError as fault:
            error = ("GentkError", str(fault))
        except BaseException as fault:  # Whatever it is, it is what the trial found.
            error = (type(fault).__name__, str(fault)[:300])
    told = [str(one.message) for one in caught]
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    with os.fdopen(writer, "wb") as file:
        file.write(pickle.dumps((memory, error, told, value)))
    os._exit(0 if error is None else 1)


def train(folder: Path, family: str, **changes: Any) -> None:
    """Train a fast recipe of a family in a folder."""
    torch.set_num_threads(1)
    gentk.run("gfmn", **{**COMMON, **FAMILIES[family], "out": str(folder), **changes})


def end_of(folder: Path) -> dict[str, str]:
    """Return digests of all that a run ends with but its times: weights, logs, figures, pictures."""
    run = RunFolder(folder)
    _, state = run.checkpoints.latest()
    state["progress"].pop("seconds")
    ends = {"state": _digest(state)}
    for name in ("metrics.jsonl", "figures.jsonl"):
        lines = (folder / name).read_text().splitlines() if (folder / name).exists() else []
        rows = [json.loads(line.replace(str(folder), "FOLDER")) for line in lines]
        ends[name] = _digest([{k: v for k, v in row.items() if k != "checksum"} for row in rows])
    pictures = sorted(run.samples.glob("*.png"))
    ends["samples"] = _digest([(path.name, path.read_bytes()) for path in pictures])
    left = [p.name for p in folder.rglob("*") if p.name.endswith(".part") or p.name == ".lock"]
    return ends | {"left": " ".join(sorted(left))}


def _digest(value: Any) -> str:
    digest = hashlib.blake2b(digest_size=8)

    def add(part: Any) -> None:
        if isinstance(part, torch.Tensor):
            digest.update(str(part.dtype).encode() + part.contiguous().numpy().tobytes())
        elif isinstance(part, dict):
            for key, item in part.items():
                digest.update(repr(key).encode())
                add(item)
        elif isinstance(part, list | tuple):
            for item in part:
                add(item)
        else:
            digest.update(repr(part).encode())

    add(value)
    return digest.hexdigest()


def command(words: list[str]) -> tuple[int, str]:
    """Run a command line in this process; return its exit status and all that it printed."""
    from gentk.cli.group import cli

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            cli.main(words, prog_name="gentk")
        except SystemExit as ended:
            return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()
