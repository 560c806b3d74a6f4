"""Remedies: what to type where a plugin, or the class of one of its components, does not import.

What is missing decides: a distribution that the plugin needs, a module that nobody declares, a name that
this gentk or another library does not have, or the plugin itself. Only what none of these explains is
mended by another version of the plugin.
"""

from __future__ import annotations

import re
from importlib.util import find_spec

from .installed import distribution_of
from .spec import PROJECT
from .version import DISTRIBUTION, __version__

__all__ = ["AGAIN", "remedy_of", "upgrade"]

AGAIN = f"pip install --force-reinstall {DISTRIBUTION}"
"""What to type where the core's own parts are not whole."""

NAME = re.compile(r"cannot import name '(\w+)' from")


def upgrade(distribution: str, *others: str) -> str:
    """Return how to get another version of a plugin, and of `others` before it.

    One that was installed from a folder is not upgraded: it is corrected there.
    """
    if distribution == DISTRIBUTION:
        return AGAIN
    known = distribution_of(distribution)
    if known is not None and known.place is not None:
        upgraded = [f"pip install --upgrade {' '.join(others)}, or"] if others else []
        again = "" if known.source.startswith("-e ") else f" and pip install {known.source}"
        return " ".join([*upgraded, f"correct it in {known.place}{again}"])
    return f"pip install --upgrade {' '.join([*others, distribution])}"


def remedy_of(error: BaseException, distribution: str, module: str) -> str | None:
    """Return what to type for an import that failed, None if nothing is known to be missing.

    Args:
        error: What was raised.
        distribution: The plugin's distribution.
        module: The module that was to be imported.
    """
    missing = error.name if isinstance(error, ImportError) else None
    if not missing:
        return None
    if distribution == DISTRIBUTION:
        return AGAIN
    if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{missing}."):
        return _whole(missing, distribution)
    top = missing.partition(".")[0]
    if top == module.partition(".")[0]:
        return None  # What the plugin lacks of its own is for its author to mend.
    return _of_others(error, missing, distribution)


def _of_others(error: BaseException, missing: str, distribution: str) -> str | None:
    """Return what to type where what is missing is no part of the plugin."""
    named = NAME.match(str(error))
    what = f"{named[1]!r} in {missing}" if named else f"module {missing!r}"
    top = missing.partition(".")[0]
    if top == PROJECT:
        newest = upgrade(distribution, DISTRIBUTION)
        return f"{newest}: {DISTRIBUTION} {__version__} has no {what}, so one of the two is too old"
    if isinstance(error, ModuleNotFoundError) and not _is_there(top):
        return f"{_lacking(missing, distribution)}, or pip uninstall {distribution}"
    if isinstance(error, ModuleNotFoundError) or named:
        return f"{upgrade(distribution)}, or another version of {top}, with {what}"
    return None


def _whole(missing: str, distribution: str) -> str:
    """Say how to mend a plugin whose own module is not there."""
    known = distribution_of(distribution)
    source = distribution if known is None else known.source
    wrong = " or names a module that it has not" if _is_there(missing.partition(".")[0]) else ""
    return (
        f"pip install --force-reinstall {source}, or pip uninstall {distribution}: it is half "
        f"uninstalled{wrong}"
    )


def _lacking(missing: str, distribution: str) -> str:
    """Say how to get a module that no distribution here has."""
    known = distribution_of(distribution)
    absent = [] if known is None else known.absent()
    if absent:
        names = " ".join(absent)
        return f"pip install {names}: {distribution} requires it, and module {missing!r} is missing"
    return (
        f"pip install what has the missing module {missing!r}, which {distribution} does not require as "
        "it should (tell its author)"
    )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
