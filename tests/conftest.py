"""Fixtures of all tests."""

from __future__ import annotations

import sys
from pathlib import Path

# Helpers beside the tests (`judge.py`, `engine/parts.py`) are imported by name.
sys.path.extend([str(Path(__file__).parent), str(Path(__file__).parent / "engine")])
