"""`python -m gentk` is the `gentk` command."""

from .cli import main

main()
