"""Enlarged images are told, with what they cost, before the data are summarised."""

from __future__ import annotations

import itertools

import pytest
import torch

from gentk.feature_space import FeatureSpace
from gentk.interfaces import Extractor, ImageShape
from gentk.registry import Registry
from gentk.runs import cost
from gentk.runs.composing import compose
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


@pytest.mark.parametrize(
    ("dtype", "seconds", "saying"),
    [
        ("bfloat16", (1, 3), "3.0 times as long as float32"),
        ("bfloat16", (2, 1), None),
        ("float32", (1, 3), None),
    ],
)
def test_half_precision_that_takes_longer_is_told_with_its_ratio(
    tmp_path, monkeypatch, dtype, seconds, saying
):
    """Measured on the run's own networks, which end as they began: buffers, random numbers."""
    ticks = itertools.accumulate(itertools.cycle((0, seconds[0], 0, seconds[1])))
    monkeypatch.setattr(cost, "_now", lambda device: float(next(ticks)))
    flags = {**FLAGS, "dtype": dtype, "generator": "resnet,width=4,latent=4"}
    composition = compose(out=str(tmp_path / "run"), **flags)
    before = {k: v.clone() for k, v in composition.generator.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)

    told = list(cost.costs(composition))

    assert torch.equal(torch.rand(2), expected)
    after = composition.generator.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert len(told) == (saying is not None)
    if saying is not None:
        assert saying in told[0] and "--dtype float32" in told[0]


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
