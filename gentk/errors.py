"""Errors: everything gentk refuses, as one clear sentence that says what to type next.

Every error a user can cause is a `GentkError`. Its text is shown to people as it stands, so it
names what was asked, what is wrong and what to do. `exit_code` follows the shell's convention:
2 for a request that could not be understood (usage), 1 for a run that could not go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

__all__ = [
    "BadOption",
    "BadRecipe",
    "Busy",
    "CheckpointError",
    "DataError",
    "FileWarning",
    "GentkError",
    "Incompatible",
    "NoColumn",
    "NoSplit",
    "NonFinite",
    "Note",
    "ObserverWarning",
    "PeerLost",
    "RunError",
    "UnknownName",
    "UsageError",
    "WeightsError",
    "did_you_mean",
]

TIE = 0.1
"""Names whose likeness to a mistyped one, 0 to 1, is within this of the best's are offered beside it."""


class GentkError(Exception):
    """The root of all errors that gentk raises on purpose; `exit_code` 1."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback: the sentence.

        `traceback.print_exception(error)` shows where it was raised.
        """
        return [f"{type(self).__name__}: {self}"]


class UsageError(GentkError):
    """The request itself is wrong: a name, an option, a value; `exit_code` 2."""

    exit_code = 2


class UnknownName(UsageError):
    """No component, recipe or layer has this name."""


class NoColumn(UnknownName, KeyError):
    """A table has no column of that name."""

    __str__ = Exception.__str__  # That of a KeyError puts sentences in quotation marks.


class BadOption(UsageError):
    """A component does not take this option, or not with this value."""


class BadRecipe(UsageError):
    """A recipe that cannot be read or has unknown keys."""


class Incompatible(UsageError):
    """Parts that exist but do not fit together."""


class DataError(GentkError):
    """Images that are missing, unreadable or of the wrong shape."""


class NoSplit(DataError):
    """Data that do not have the split that was asked for."""


class WeightsError(GentkError):
    """Pretrained weights that cannot be found, fetched or loaded."""


class Note(UserWarning):
    """Something people should know that stops nothing; `gentk` prints it as a note."""


class FileWarning(Note):
    """Something that was read back is damaged and was done without."""


class ObserverWarning(Note):
    """An observer of a run failed, and no other one shows people what is noticed."""


class RunError(GentkError):
    """A run folder that cannot be used as asked, or a run that could not go on."""


class Busy(RunError):
    """Another process owns the folder; its number and host are in the text."""


class CheckpointError(RunError):
    """A checkpoint that is missing, damaged or of another run."""


class PeerLost(RunError):
    """Another of the processes that train a run has ended, or does not answer."""


class NonFinite(RunError):
    """The loss, a feature, a gradient or a weight became NaN or infinite; the text says which."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean 'a'? ` with the known name closest to a mistyped one, or nothing.

    Names that are about as close are offered too. It goes into the middle of a sentence: `no loss
    'momnts'; did you mean 'moments'? type: gentk list loss`.
    """
    # Two letters that have changed places are half alike, and all there is of a name such as fd.
    # Capitals are no difference: CIFAR10 is cifar10.
    lowered, name = {each.lower(): each for each in known}, name.lower()
    close = get_close_matches(name, list(lowered), n=3, cutoff=0.6 if len(name) > 2 else 0.5)
    alike = {each: SequenceMatcher(a=each, b=name).ratio() for each in close}
    near = [repr(lowered[each]) for each in close if alike[each] > max(alike.values()) - TIE]
    return f"did you mean {' or '.join(near)}? " if near else ""
