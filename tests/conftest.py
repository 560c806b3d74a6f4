"""Fixtures of all tests."""

from __future__ import annotations

import sys
from pathlib import Path

# Helpers beside the tests (`parts.py`) are imported by name.
sys.path.append(str(Path(__file__).parent / "engine"))
