"""Verdicts: a suite's checks carried out one by one, without pytest."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from unittest import SkipTest

from ..plugins import muted
from .suite import Suite

__all__ = ["Verdict", "checks_of", "examine"]


@dataclass(frozen=True)
class Verdict:
    """What came of one check.

    Attributes:
        name: The method's name.
        about: What it checks: the first line of its docstring.
        outcome: `passed`, `failed`, or `skipped` where it does not apply.
        reason: Why it failed or was skipped.
    """

    name: str
    about: str
    outcome: Literal["passed", "failed", "skipped"]
    reason: str = ""


def checks_of(suite: type[Suite]) -> list[str]:
    """Return the names of a suite's checks, those of all kinds first, in the order of definition."""
    order = [name for base in reversed(suite.__mro__) for name in vars(base)]
    return list(dict.fromkeys(name for name in order if name.startswith("test_")))


def examine(suite: type[Suite]) -> Iterator[Verdict]:
    """Carry out a suite's checks, each on an instance of its own; what they print is kept back."""
    for name in checks_of(suite):
        check = getattr(suite(), name)
        about = (inspect.getdoc(check) or name).splitlines()[0]
        try:
            with muted():
                check()
        except SkipTest as error:
            yield Verdict(name, about, "skipped", str(error))
        except AssertionError as error:
            yield Verdict(name, about, "failed", str(error) or "an assertion failed")
        except Exception as error:
            yield Verdict(name, about, "failed", f"{type(error).__name__}: {error}")
        else:
            yield Verdict(name, about, "passed")
