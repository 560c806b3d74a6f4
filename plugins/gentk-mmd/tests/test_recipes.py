"""GMMN's recipes: networks of the published sizes, and what absent data must look like."""

from __future__ import annotations

import numpy as np
import pytest

import gentk
from gentk.errors import GentkError
from gentk.registry import Registry
from gentk.runs.rehearsal import rehearse
from gentk.runs.resolving import resolve_recipe


@pytest.fixture
def faces(tmp_path, monkeypatch):
    """A folder with files as the Toronto Face Database's recipes want them, of few grey images."""
    rng = np.random.default_rng(0)
    for name, count in (("tfd.npz", 4_100), ("tfd-test.npz", 20)):
        np.savez(tmp_path / name, images=rng.integers(0, 255, (count, 48, 48), dtype=np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("recipe", "parts"),
    [
        ("gmmn-tfd", {"generator": 2_707_904}),
        ("ae-tfd", {"encoder": 1_508_480, "generator": 1_510_656}),
    ],
)
def test_the_networks_of_faces_have_the_published_sizes(faces, recipe, parts):
    """Of generator, and of the auto-encoder 3,019,136 in all."""
    composition = gentk.compose(recipe)
    for part, count in parts.items():
        network = getattr(composition, part)
        assert sum(p.numel() for p in network.parameters()) == count


def test_a_generator_of_codes_fits_its_auto_encoder(faces):
    """All stages are composed in order, without training one; nothing has to be said."""
    registry, told = Registry(), []
    resolved = resolve_recipe("gmmn-ae-tfd", {"out": str(faces / "run")}, registry=registry)
    rehearse(resolved, registry, told.append)
    assert told == []


def test_without_its_file_the_recipe_names_it(tmp_path, monkeypatch):
    """TFD is given out by its authors alone; the sentence says which file is missed."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GentkError, match=r"tfd\.npz.*'images'"):
        gentk.compose("gmmn-tfd")
