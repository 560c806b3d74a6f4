"""Fixtures of all tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

# Helpers beside the tests (`judge.py`, `engine/parts.py`) are imported by name.
sys.path.extend([str(Path(__file__).parent), str(Path(__file__).parent / "engine")])


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small steps are faster on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
