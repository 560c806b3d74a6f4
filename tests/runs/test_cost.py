"""Enlarged images are told, with what they cost, before the data are summarised."""

from __future__ import annotations

import pytest

from gentk.feature_space import FeatureSpace
from gentk.interfaces import Extractor, ImageShape
from gentk.registry import Registry
from gentk.runs.cost import enlargements
from gentk.runs.rehearsal import rehearse
from gentk.runs.resolving import resolve_recipe
from gentk.runs.training import run

VIT = "timm:test_vit,weights=none,last=1"
FLAGS = {"data": "digits,limit=8,size=16", "generator": "mlp", "steps": 1, "batch": 4}


def test_a_network_of_one_size_says_what_a_step_costs_before_the_data_are_summarised(tmp_path):
    """The sizes, the factor, the step, the data: all before the first image is looked at."""
    told: list[str] = []
    run(
        extractor=[VIT],
        out=str(tmp_path / "run"),
        observers=[],
        advance=lambda label, done, total: told.append(label),
        warn=told.append,
        **FLAGS,
    )

    first = told[0]
    assert "16 x 16" in first and "160 x 160" in first and "100 times" in first
    assert "a step of 4" in first and "8 images" in first
    assert any("statistics" in label for label in told[1:])


@pytest.mark.parametrize(("extractor", "sayings"), [(VIT, 1), ("pixels", 0)])
def test_a_rehearsal_says_it_too(tmp_path, extractor, sayings):
    """And nothing of images that keep their size."""
    told: list[str] = []
    flags = {**FLAGS, "extractor": [extractor], "out": str(tmp_path / "run")}
    registry = Registry()
    rehearse(resolve_recipe(None, flags, registry=registry), registry, told.append)

    assert len([text for text in told if "160 x 160" in text]) == sayings


class Reads(Extractor):
    """An extractor that resizes to a size."""

    def __init__(self, size):
        super().__init__()
        self.input_size = size

    def forward(self, images):
        return {"x": images}

    def fingerprint(self):
        return "reads"


@pytest.mark.parametrize(
    ("size", "sayings"), [(None, 0), ((63, 64), 0), ((64, 64), 1), ((16, 16), 0)]
)
def test_four_times_the_pixels_are_told(size, sayings):
    """A little larger, smaller or the same is not."""
    space = FeatureSpace({"reads": Reads(size)}, 3)

    assert len(list(enlargements(space, ImageShape(3, 32, 32)))) == sayings
