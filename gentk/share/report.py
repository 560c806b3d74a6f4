"""Reports: what runs have come to as one page that others read, without a script or a network.

A report renders what lies in the runs' folders: records, logs, sample grids, metric values. Nothing is
trained, drawn or measured for it; where something is missing, the page says what command gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..errors import RunError, UsageError
from ..files import cause, regular, write_bytes
from ..markup import caption, document, heading
from ..registry import Registry
from ..runs.model import folder_of
from ..runs.trained import Run
from ..version import __version__
from .chapters import comparison, composition, data, environment, losses, overview, samples, values

__all__ = ["LIMIT", "report"]

LIMIT: Final = 5_000_000
"""The most bytes that a report has."""

PICTURES: Final = 2_500_000
"""The most bytes of all of its pictures before they are written as text, which takes a third more."""

MARK: Final = b'<meta name="generator" content="gentk '
"""What only reports have in their first lines."""


def report(folders: Sequence[str | Path], out: Path, registry: Registry | None = None) -> Path:
    """Write a page about runs, whole or not at all.

    Args:
        folders: The runs' folders, finished or not; several are compared.
        out: The file; a report that is there is replaced, anything else is not.
        registry: Where the names of models are looked up.

    Returns:
        The file.

    Raises:
        UsageError: There are no runs.
        RunError: A folder is no run's, matplotlib is missing, or the file cannot be written.
    """
    if not folders:
        raise UsageError("there are no runs to report on; type their folders")
    if out.suffix.lower() not in ("", ".html", ".htm"):
        raise UsageError(
            f"a report is HTML and not {out.suffix}; type --out {out.with_suffix('.html')}"
        )
    _refuse_foreign(out)
    page = render(opened(folders, Registry.of(registry)))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(out, page)
    except OSError as error:
        reason, remedy = cause(error)
        raise RunError(
            f"{out} cannot be written ({reason}); {remedy}, or type another --out"
        ) from error
    return out


def opened(folders: Sequence[str | Path], registry: Registry) -> dict[str, Run]:
    """Return the runs, each once, by their folders' names, or by paths where names are alike."""
    places = {Path(text).resolve(): text for text in reversed(folders)}
    runs = [Run(folder_of(text, registry), registry, "cpu") for text in reversed(places.values())]
    names = [run.name for run in runs]
    alike = len(set(names)) < len(names)
    return {str(run.folder.path) if alike else run.name: run for run in runs}


def render(runs: dict[str, Run]) -> bytes:
    """Return the page of some runs.

    Raises:
        RunError: Its texts alone are too large, or matplotlib is missing.
    """
    title = next(iter(runs)) if len(runs) == 1 else f"{len(runs)} runs"
    chapters = {
        "Overview": overview(runs),
        "Samples over time": samples(runs, PICTURES),
        "Training": losses(runs),
        "Metric values": values(runs),
        "Comparison": comparison(runs) if len(runs) > 1 else "",
        "Composition": composition(runs),
        "Data": data(runs),
        "Environment": environment(runs),
    }
    parts = [part for name, text in chapters.items() if text for part in (heading(name, 2), text)]
    style = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
    page = document(
        f"gentk: {title}",
        style,
        heading(title, 1),
        caption(f"A report of gentk {__version__}."),
        *parts,
        generator=f"gentk {__version__}",
    ).encode()
    if len(page) > LIMIT:
        raise RunError(
            f"the report would have {len(page):,} bytes, more than {LIMIT:,}; name fewer runs"
        )
    return page


def _refuse_foreign(out: Path) -> None:
    """Refuse to write over anything but a report."""
    try:
        regular(out)
        with out.open("rb") as file:
            ours = MARK in file.read(1000)
    except FileNotFoundError:
        return
    except OSError as error:
        reason, remedy = cause(error)
        raise RunError(
            f"{out} cannot be replaced ({reason}); {remedy}, or type another --out"
        ) from error
    if not ours:
        raise RunError(f"{out} exists and is no report of gentk; type another --out")
