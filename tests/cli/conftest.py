"""Fixtures of the tests of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gentk.cli.group import cli

Gentk = Callable[..., Result]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working folder; the cache is elsewhere."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GENTK_BLOCK_PLUGINS", raising=False)
    return folder


@pytest.fixture
def gentk() -> Gentk:
    """Return a function that runs a command line in this process."""

    def call(*words: str) -> Result:
        return CliRunner().invoke(cli, words, prog_name="gentk")

    return call


@pytest.fixture
def shell(place: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs Python in a process of its own, with packages of `path`."""

    def call(
        code: str, *, path: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **more}
        if path is not None:
            before = os.environ.get("PYTHONPATH")
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(path), before]))
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            cwd=place,
            env=environment,
        )

    return call


@pytest.fixture
def refused(gentk: Gentk, place: Path) -> Callable[..., str]:
    """Return a function that runs a command which is refused, and returns the sentence."""

    def call(*words: str, code: int) -> str:
        before = sorted(place.rglob("*"))
        result = gentk(*words)
        lines = result.stderr.splitlines()
        assert (code, "") == (result.exit_code, result.stdout), result.output
        assert len(lines) == 1, result.stderr
        assert lines[0].startswith("Error: ")
        assert sorted(place.rglob("*")) == before, "a refused command wrote something"
        return lines[0]

    return call
