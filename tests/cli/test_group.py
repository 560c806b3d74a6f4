"""The group: help, version, and how errors are told."""

from __future__ import annotations

import errno

import click
import pytest

from gentk.cli import list as listing
from gentk.cli.group import COMMANDS
from gentk.errors import DataError, UsageError
from gentk.version import __version__


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Return a function that makes `gentk list` raise."""

    def install(error: BaseException) -> None:
        def callback(**_: object) -> None:
            raise error

        monkeypatch.setattr(listing.command, "callback", callback)

    return install


def test_version(gentk) -> None:
    """`--version` prints name and version."""
    result = gentk("--version")

    assert (result.exit_code, result.stdout) == (0, f"gentk {__version__}\n")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_names_every_command(gentk, words) -> None:
    """Help, also that of `gentk` alone, names all commands."""
    result = gentk(*words)

    assert result.exit_code == 0
    assert all(f"\n  {name} " in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_debug(gentk, name) -> None:
    """Each command explains itself and takes --debug."""
    result = gentk(name, "--help")

    assert result.exit_code == 0
    assert f"Usage: gentk {name} " in result.stdout
    assert "--debug" in result.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["lsit"], "no command 'lsit'; did you mean 'list'? type: gentk --help"),
        (["xyz"], "no command 'xyz'; type: gentk --help"),
        (["run", "--bacth", "4"], "did you mean '--batch'? type: gentk run --help"),
        (["--verson"], "no option '--verson'; did you mean '--version'? type: gentk --help"),
        (["sample"], "missing argument 'RUN'; type: gentk sample --help"),
        (["sample", "x", "--as", "movie"], "'movie' is not one of"),
        (["sample", "x", "-n", "many"], "'many' is not a number"),
    ],
)
def test_misspelt_commands_are_one_sentence(refused, words, sentence) -> None:
    """What click refuses is told in one sentence with what to type, exit code 2."""
    assert sentence in refused(*words, code=2)


@pytest.mark.parametrize(("kind", "code"), [(UsageError, 2), (DataError, 1)])
def test_errors_keep_their_exit_code(refused, failing, kind, code) -> None:
    """A GentkError is its sentence, on one line, with its own exit code."""
    failing(kind("it is\n wrong; type it right"))

    assert refused("list", code=code) == "Error: it is wrong; type it right"


@pytest.mark.parametrize("words", [("--debug", "list"), ("list", "--debug")])
def test_debug_shows_the_traceback(gentk, failing, words) -> None:
    """`--debug`, before or after the command, adds the traceback to the sentence."""
    failing(DataError("it is wrong"))

    result = gentk(*words)

    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1] == "Error: it is wrong"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_interrupt_says_how_to_go_on(gentk, failing, error) -> None:
    """Ctrl-C ends with code 130 and what to type."""
    failing(error)

    result = gentk("list")

    assert result.exit_code == 130
    assert result.stderr.strip() == "stopped; type the same command to go on"


def test_full_disk_is_a_sentence(refused, failing) -> None:
    """A full disk names the file and what to do."""
    failing(OSError(errno.ENOSPC, "No space left on device", "runs/a/run.json"))

    assert "the disk is full (runs/a/run.json); make room" in refused("list", code=1)


def test_other_system_errors_name_the_file(refused, failing) -> None:
    """What the system refuses is told with the path."""
    failing(PermissionError(errno.EACCES, "Permission denied", "/root/x"))

    assert "permission denied (/root/x); type another path" in refused("list", code=1)


def test_bugs_ask_for_debug(refused, failing) -> None:
    """An unexpected exception is no traceback, but the way to one."""
    failing(ZeroDivisionError("division by zero"))

    told = refused("list", code=1)

    assert "ZeroDivisionError: division by zero" in told
    assert "--debug" in told


def test_closed_pipe_is_silent(shell) -> None:
    """A reader that has seen enough (`| head -1`) is no error."""
    done = shell(
        "import os, sys\n"
        "reader, writer = os.pipe(); os.close(reader); os.dup2(writer, 1)\n"
        "sys.argv = ['gentk', 'list', '--json']\n"
        "from gentk.cli import main; main()"
    )

    assert (done.returncode, done.stderr) == (1, "")
