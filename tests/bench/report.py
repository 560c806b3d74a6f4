"""What a bench found: printed, and with `--record` kept in docs/results."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import torch
from rich.console import Console
from rich.table import Table

__all__ = ["Measured", "report"]

ROOT = Path(__file__).parent.parent.parent


class Measured(Protocol):
    """A ratio with its bound."""

    name: str
    ratio: float
    bound: float
    at_least: bool

    @property
    def kept(self) -> bool:
        """Whether the bound holds."""
        ...


def report(rows: Sequence[Measured], name: str, title: str, text: str, *, keep: bool) -> None:
    """Print a table of ratios, write it to docs/results/NAME.md if asked, exit 1 if one is missed."""
    table = Table("measured", "ratio", "bound", "kept")
    for row in rows:
        table.add_row(row.name, f"{row.ratio:.3f}", _bound(row), str(row.kept).lower())
    Console().print(table)
    if keep:
        _write(rows, name, title, text)
    sys.exit(0 if all(row.kept for row in rows) else 1)


def _write(rows: Sequence[Measured], name: str, title: str, text: str) -> None:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    lines = [
        f"# {title}",
        "",
        "| measured | ratio | bound | kept |",
        "| --- | --- | --- | --- |",
        *(
            f"| {row.name} | {row.ratio:.3f} | {_bound(row)} | {'yes' if row.kept else '**no**'} |"
            for row in rows
        ),
        "",
        f"Made by `make bench ARGUMENTS=--record` on {datetime.now(UTC):%Y-%m-%d}, commit {commit}, "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads. {text}",
    ]
    path = ROOT / "docs/results" / f"{name}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _bound(row: Measured) -> str:
    return f"{'>=' if row.at_least else '<='} {row.bound}"
