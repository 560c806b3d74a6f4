"""The group of all commands: loaded when they are called, errors told in one sentence."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import traceback
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click

from .. import __version__
from ..errors import GentkError, Note, UsageError, did_you_mean
from ..interrupts import catching, stopped_by
from ..launch import launched, settle
from ..numerals import whole_meant
from ..printable import printable
from .meant import command_meant, extra_meant, missing_meant, option_meant

__all__ = ["Commands", "cli", "debug_option"]

COMMANDS = (
    "run",
    "list",
    "show",
    "sample",
    "evaluate",
    "compare",
    "sweep",
    "export",
    "report",
    "doctor",
    "plugin",
    "weights",
    "completion",
)
"""The commands, each the attribute `command` of the module of its name."""

TOGETHER = ("run", "evaluate", "doctor")
"""The commands that several processes carry out together."""

RENAMED = {"grid": "sweep"}
"""Names that commands had, which still work, and the names they have."""

EXTRA = re.compile(r"unexpected extra arguments? \((.*)\)")
"""What click says of words that a command has no room for."""

ALLOCATION = re.compile(
    r"can't allocate memory|[Ss]torage size calculation overflowed|not enough memory|"
    r"numel: integer multiplication overflow|out of memory"
)
"""What torch says of tensors that are too large for this machine, or for any."""


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    failures = context.find_object(Failures)
    if failures is not None and value:
        failures.debug = True


def debug_option() -> click.Option:
    """Return the option `--debug`, which every command takes."""
    return click.Option(
        ["--debug"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_set_debug,
        help="Show the traceback of an error.",
    )


class Commands(click.Group):
    """A group that imports a command's module when it is named, and explains what goes wrong."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"gentk.cli.{cmd_name}").command
        if not any(parameter.name == "debug" for parameter in command.params):
            command.params.append(debug_option())
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for, or say which one is near."""
        name = args[0]
        if name in RENAMED:
            click.echo(f"note: gentk {name} is now called gentk {RENAMED[name]}", err=True)
            args = [RENAMED[name], *args[1:]]
        elif name == "help":
            if not args[1:]:
                click.echo(ctx.get_help())
                ctx.exit()
            return self.resolve_command(ctx, [*args[1:], "--help"])
        elif name not in COMMANDS and not name.startswith("-"):
            meant = command_meant(name)
            hint = f"did you mean {meant}?" if meant else did_you_mean(name, COMMANDS)
            ctx.fail(f"no command {name!r}; {hint}".rstrip("; "))
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run a command line and exit; whatever fails is told in one sentence on stderr."""
        failures = Failures()
        extra |= {"standalone_mode": False, "obj": failures}
        _tell_notes()
        settle()
        if "_GENTK_COMPLETE" in os.environ:
            from .completion import prepare

            prepare()
        with catching():
            try:
                _refuse_crowd(sys.argv[1:])
                if launched().rank:
                    # What all processes have to say is said by the first of them.
                    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - to the end
                code = super().main(*args, **extra)
                sys.stdout.flush()
            except (Exception, KeyboardInterrupt) as error:
                code = failures.tell(error)
            _close(sys.stdout)
            _close(sys.stderr)
        sys.exit(code if isinstance(code, int) else 0)


def _refuse_crowd(words: list[str]) -> None:
    """Refuse commands that would be given once and done N times."""
    commands = [word for word in words if not word.startswith("-")]
    if launched().size > 1 and commands and commands[0] not in TOGETHER:
        raise UsageError(
            f"{launched().size} processes were started, and gentk {commands[0]} is one process's work; "
            f"type: gentk {commands[0]}"
        )


def _speaks() -> bool:
    """Whether this process tells of its error: the first one of several that fails does."""
    if launched().size == 1 or "gentk.engine.processes" not in sys.modules:
        return launched().rank == 0
    from ..engine.processes import speaks

    return speaks()


def _tell_notes() -> None:
    """Have what stops nothing told as a note."""
    shown = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, Note):
            click.echo(f"note: {printable(str(message))}", err=True)
        else:
            shown(message, category, filename, lineno, file, line)

    warnings.simplefilter("always", Note)
    warnings.showwarning = show


def _close(stream: TextIO) -> None:
    """Write out what is left; where nobody listens any more, let the end of the process be silent."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Failures:
    """Errors -> a sentence on stderr and an exit code; with `debug` also the traceback."""

    def __init__(self) -> None:
        self.debug = False

    def tell(self, error: BaseException) -> int:
        """Tell of an error and return the exit code."""
        if self.debug:
            traceback.print_exception(error)
        number = stopped_by(error)
        if not _speaks():
            return 128 + number if number else getattr(error, "exit_code", 1)
        if number is not None or isinstance(error, click.Abort):
            by = (
                "" if number in (None, signal.SIGINT) else f" by {signal.Signals(number or 0).name}"
            )
            # A terminal that hung up hears nothing.
            with suppress(OSError):
                click.echo(f"stopped{by}; type the same command to go on", err=True)
            return 128 + (number or signal.SIGINT)
        if isinstance(error, click.ClickException):
            text, code = _usage(error), error.exit_code
        elif isinstance(error, GentkError):
            text, code = str(error), error.exit_code
        elif isinstance(error, OSError) and error.strerror:
            text, code = _system(error), 1
        elif isinstance(error, MemoryError) or ALLOCATION.search(str(error)):
            text, code = f"there is not enough memory ({str(error)[:200] or 'MemoryError'})", 1
            text += (
                "; type smaller sizes, such as --batch 64, or --chunk 16 for less memory at once"
            )
        elif isinstance(error, ValueError) and "null byte" in str(error):
            text, code = "a path cannot hold a null character; type another path", 2
        else:
            text, code = _unforeseen(error), 1
        text = printable(" ".join(text.split()))
        if launched().rank:
            text = f"process {launched().rank}: {text}"
        click.echo(f"Error: {text}", file=sys.__stderr__ if launched().rank else sys.stderr)
        return code


def _unforeseen(error: BaseException) -> str:
    """Return the sentence about an error that nobody raised on purpose: whose it is, and what to do."""
    from ..blame import blame_of
    from ..installed import distribution_of

    reason, blame = f"{type(error).__name__}: {error}", blame_of(error)
    if blame is not None:
        known = distribution_of(blame.distribution) if blame.distribution else None
        mine = blame.distribution is None or (known is not None and known.place is not None)
        theirs = "tell its author, with what the same command prints with --debug"
        own = "correct it there, or type the same command with --debug for the traceback"
        return f"{blame} raised {reason}; {own if mine else theirs}"
    if isinstance(error, RecursionError):
        return "the input is nested too deeply; write it flatter"
    return f"{reason} (this is a bug); type the same command with --debug"


def _usage(error: click.ClickException) -> str:
    """Return click's message with what to type."""
    context = getattr(error, "ctx", None)
    message = error.format_message()
    parameters = context.command.get_params(context) if context else []
    names = [name for each in parameters for name in each.opts]
    extra = EXTRA.search(message)
    if extra is not None:
        message = f"{message.rstrip('.')}; {extra_meant(extra[1].split(), names)}"
    elif isinstance(error, click.MissingParameter) and isinstance(error.param, click.Option):
        value = error.param.make_metavar(context) if context else "VALUE"
        message = f"{message.rstrip('.')}; add {error.param.opts[0]} {value}"
    elif isinstance(error, click.MissingParameter):
        hint = missing_meant(error.param.name if error.param else None)
        message = f"{message.rstrip('.')}; {hint}" if hint else message
    elif isinstance(error, click.NoSuchOption):
        name = error.option_name
        known = option_meant(name, names)
        hint = f"did you mean {known}?" if known else did_you_mean(name, names)
        message = f"no option {name!r}; {hint}"
    elif isinstance(error, click.BadParameter):
        message += _value_meant(error, message)
        # click names the type of a range, and ranges as a mathematician would.
        message = re.sub(r"a valid (integer|float)( range)?", r"a number", message)
        message = re.sub(
            r"is not in the range x>=(\S+?)\.?$", r"is too small: at least \1", message
        )
    help_of = context.command_path if context else "gentk"
    message = message.rstrip(".; ")
    joint = " type:" if message.endswith("?") else "; type:"
    return f"{message[:1].lower()}{message[1:]}{joint} {help_of} --help"


def _value_meant(error: click.BadParameter, message: str) -> str:
    """Return a hint, or nothing, for a value that an option does not take."""
    given = re.search(r"'([^']*)' is not", message)
    if given is None or error.param is None:
        return ""
    if isinstance(error.param.type, click.Choice):
        return f"; {did_you_mean(given[1], map(str, error.param.type.choices))}".rstrip("; ")
    number = (
        whole_meant(given[1]) if isinstance(error.param.type, click.types.IntParamType) else None
    )
    return "" if number is None else f"; did you mean '{error.param.opts[0]} {number}'?"


def _system(error: OSError) -> str:
    """Return what the system refused."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{where}; make room and type the same command to go on"
    reason = str(error.strerror)
    told = f"{reason[:1].lower()}{reason[1:]}{where}"
    return f"{told}; type another path, or the same command with --debug"


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[debug_option()],
)
@click.version_option(__version__, message="gentk %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Compose, by name, generative models that match distributions in feature space.

    \b
    gentk run quickstart                            train a first generator: digits
    gentk run --extractor timm:vgg19 --loss moments --estimator ama
    gentk list                                      everything that can be named
    gentk show ama                                  one part and its options
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
