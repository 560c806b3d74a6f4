"""Fixtures of all tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import gentk

# Helpers beside the tests (`judge.py`, `engine/parts.py`, `systems/ring.py`) are imported by name.
HERE = Path(__file__).parent
sys.path.extend(map(str, (HERE, HERE / "engine", HERE / "systems")))


# A recipe that trains in a second: digits in pixels, a small generator.
SMALL = {
    "data": "digits,limit=200",
    "extractor": ["pixels"],
    "generator": "mlp,latent=8,widths=16+32",
    "batch": 16,
    "optimizer": "adam,lr=1e-3",
    "decay": "none",
    "estimator": "ama",
    "device": "cpu",
    "observers": [],
}


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Keep statistics of tests out of the user's cache."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def flags():
    """The keys of the small recipe."""
    return {key: value for key, value in SMALL.items() if key != "observers"}


@pytest.fixture
def small(tmp_path):
    """Run the small recipe with changes, into a folder of the test's own."""

    def run(**changes):
        settings = {**SMALL, "steps": 6, "out": str(tmp_path / "run"), **changes}
        return gentk.run("gfmn", **settings)

    return run


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small steps are faster on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
