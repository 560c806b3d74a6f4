"""Puts this folder on the path: tests share one transcription."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
