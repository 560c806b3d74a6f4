"""Commands in processes of their own, forked from one that has imported what takes them long.

A command that trains needs four processor seconds for importing torch, its compiler and scikit-learn. A
test that wants a process to send signals to, or several that talk to each other, takes forks of one that
has done so. What happens before torch is imported is tested on processes that are started whole.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TextIO

PRELOADED = ("gentk.cli", "gentk.runs.training", "sklearn.datasets", "torch._dynamo")

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(list(PRELOADED))


class Forked:
    """A process of `gentk WORDS`, with what is used of `subprocess.Popen`.

    Args:
        place: Its working directory.
        words: What is typed after `gentk`.
        environment: Its whole environment.
        before: Code that it runs first.
    """

    def __init__(
        self, place: Path, words: Sequence[str], environment: Mapping[str, str], before: str = ""
    ) -> None:
        pipes = [_SERVER.Pipe(duplex=False) for _ in range(2)]
        written = [writer for _, writer in pipes]
        arguments = (str(place), list(words), dict(environment), before, *written)
        self._process = _SERVER.Process(target=_command, args=arguments)
        self._process.start()
        self.stdout, self.stderr = (_text(reader) for reader, _ in pipes)
        for writer in written:
            writer.close()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit status, -N after signal N; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without asking."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return what is left of both streams once it has ended.

        Raises:
            TimeoutError: It has not within these seconds; it is killed.
        """
        with ThreadPoolExecutor(2) as readers:
            both = [readers.submit(stream.read) for stream in (self.stdout, self.stderr)]
            self._process.join(timeout)
            late = self.returncode is None
            self.kill()
            out, told = (one.result() for one in both)
        for stream in (self.stdout, self.stderr):
            stream.close()
        if late:
            raise TimeoutError(f"it ran for more than {timeout} s and told: {told}")
        return out, told


def _text(reader: Connection) -> TextIO:
    stream = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
    reader.close()
    return stream


def _command(
    place: str,
    words: list[str],
    environment: dict[str, str],
    before: str,
    out: Connection,
    told: Connection,
) -> None:
    for descriptor, written in enumerate((out, told), start=1):
        os.dup2(written.fileno(), descriptor)
        written.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    # As a terminal's process has it, also where the tests run under `nohup`.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    exec(before, {})
    from gentk.cli import main

    sys.argv = ["gentk", *words]
    main()
