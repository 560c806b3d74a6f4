"""The `gentk` command: what is typed and what is printed; click and rich live here."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code: 0, 1 (the run) or 2 (the request)."""
    from ..interrupts import Stopped, catching

    with catching():
        try:
            from .group import cli

            cli.main(prog_name="gentk")
        except Stopped as error:
            # Before or after the command itself, which tells of it.
            raise SystemExit(error.exit_code) from None
