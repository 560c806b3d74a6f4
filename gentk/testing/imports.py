"""Imports: what importing a plugin does, watched from processes of its own.

Hooks are imported where torch is not. What torch has to be there for, the modules of the targets, is
imported in a process that has it: importing torch takes longer than all checks of a small component, so
that one process imports it once, and forks for each distribution.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["Imports"]

FORKS = sys.platform == "linux"
"""Whether a process that has imported torch can be forked; if not, each answers one question."""

PROBE = r"""
import contextlib, importlib, io, json, os, sys, time

# Whatever else is printed, by C too, is no answer.
answers = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
sys.dont_write_bytecode = True
sys.path[:], needed, forks = json.loads(sys.argv[1])
for module in needed:
    importlib.import_module(module)

work, watching, packages = [], [], set()
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
TOLD = {
    "os.mkdir": "makes the folder", "os.rename": "renames", "os.remove": "removes",
    "socket.connect": "connects to", "subprocess.Popen": "starts",
}


def own(frame):
    # The plugin itself, and no library that it imports on the way.
    while frame:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] in packages:
            return True
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return False
        frame = frame.f_back
    return False


def watch(event, arguments):
    if not watching or event not in TOLD and event != "open" or not own(sys._getframe(1)):
        return
    if event == "open":
        path, mode, flags = arguments
        writes = any(c in mode for c in "wax+") if mode else (flags or 0) & WRITES
        if writes and path != os.devnull:
            work.append(f"{watching[0]} writes {path}")
    elif event in TOLD:
        what = arguments[-1] if event == "socket.connect" else arguments[0]
        work.append(f"{watching[0]} {TOLD[event]} {what}")


def load(module):
    printed = io.StringIO()
    watching.append(module)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            importlib.import_module(module)
    finally:
        watching.clear()
    if text := " ".join(printed.getvalue().split()):
        work.append(f"{module} prints {text[:80]!r}")


def answer(question):
    sys.path[:] = question["path"]
    os.chdir(question["folder"])
    os.environ.clear()
    os.environ.update(question["environment"])
    packages.update(name.partition(".")[0] for name in question["modules"])
    sys.addaudithook(watch)
    begin = time.process_time()
    try:
        for module in question["modules"]:
            load(module)
    except BaseException as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"seconds": time.process_time() - begin, "torch": "torch" in sys.modules, "work": work}


for line in sys.stdin:
    child = os.fork() if forks else 0
    if not child:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)
        os._exit(0)
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        print(json.dumps({"error": f"the process ends with {code}"}), file=answers, flush=True)
"""


@dataclass(frozen=True)
class Imports:
    """What importing a distribution's modules does.

    Attributes:
        hook: The modules of its entry points.
        seconds: Of computing that importing these takes.
        torch: Whether they import torch.
        work: What they, or the modules of the targets, print, write or connect to meanwhile.
    """

    hook: str
    seconds: float
    torch: bool
    work: tuple[str, ...]

    @classmethod
    def of(cls, hooks: tuple[str, ...], targets: tuple[str, ...]) -> Imports:
        """Import modules in a new process.

        Args:
            hooks: Modules of entry points, imported first, and timed.
            targets: Modules of components, imported once torch is there.
        """
        return _watched(hooks, targets, tuple(sys.path))


@lru_cache(maxsize=32)
def _watched(hooks: tuple[str, ...], targets: tuple[str, ...], path: tuple[str, ...]) -> Imports:
    bare = _Importer(("gentk.spec",), forks=False)
    try:
        answer = bare.ask(hooks)
    finally:
        bare.close()
    work = answer["work"]
    if targets:
        work += _after_torch(hooks + targets)["work"]
    return Imports(
        " and ".join(hooks), answer["seconds"], answer["torch"], tuple(dict.fromkeys(work))
    )


class _Importer:
    """A process that has imported some modules, and says what importing others does.

    It ends with the standard input that it reads questions from.

    Args:
        needed: What it imports before any question.
        forks: Whether it answers each question in a process of its own, and can be asked again.
    """

    def __init__(self, needed: tuple[str, ...], forks: bool) -> None:
        self.forks = forks
        command = [sys.executable, "-c", PROBE, json.dumps([sys.path, needed, forks])]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # Threads, of which a fork has only one, are of no use to it.
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def ask(self, modules: tuple[str, ...]) -> dict[str, Any]:
        """Return what importing these does, in this order, from where this process would import them.

        Raises:
            AssertionError: One of them cannot be imported.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        question = {
            "path": sys.path,
            "modules": modules,
            "folder": str(Path.cwd()),
            "environment": dict(os.environ),
        }
        try:
            print(json.dumps(question), file=self.process.stdin, flush=True)
            said = self.process.stdout.readline()
        except BrokenPipeError:
            said = ""
        answer: dict[str, Any] = json.loads(said or '{"error": "the process ends"}')
        assert "error" not in answer, f"it does not import: {answer['error']}"
        return answer

    def close(self) -> None:
        """End the process."""
        with self.process:
            pass


def _after_torch(modules: tuple[str, ...]) -> dict[str, Any]:
    """Return what importing modules does once torch and gentk's interfaces are there."""
    importer = _shared()
    if importer.process.poll() is not None:
        _shared.cache_clear()
        importer = _shared()
    try:
        return importer.ask(modules)
    finally:
        if not importer.forks:
            importer.close()


@lru_cache(maxsize=1)
def _shared() -> _Importer:
    """Return the process that all distributions of a session are imported in."""
    needed = ("torch", "gentk.interfaces", "gentk.data", "gentk.summary")
    importer = _Importer(needed, FORKS)
    atexit.register(importer.close)
    return importer
