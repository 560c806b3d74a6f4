"""Puts this folder on the path: wrong components are imported by name, here and in processes."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
