"""Preparation: the closed forms of normalisation, and a resize that keeps gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from gentk_timm.extractor import TimmExtractor
from gentk_timm.preparation import Preparation

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize(("value", "target"), [(-1.0, 0.0), (1.0, 1.0)])
def test_tanh_images_map_to_the_ends_of_the_range(value, target):
    """A tanh image of -1 becomes -mean/std, one of +1 (1 - mean)/std."""
    prepared = Preparation(mean=MEAN, std=STD)(torch.full((1, 3, 2, 2), (value + 1) / 2))
    expected = (target - torch.tensor(MEAN)) / torch.tensor(STD)
    assert torch.allclose(prepared, expected.reshape(1, 3, 1, 1).expand(1, 3, 2, 2))


@pytest.mark.parametrize(
    ("model", "mean"), [("resnet18", MEAN), ("tf_efficientnet_lite0", (0.5, 0.5, 0.5))]
)
def test_mean_and_std_are_timms(model, mean):
    """Each network gets the normalisation its weights were trained with."""
    preparation = TimmExtractor(model, weights="none", first=1).preparation
    assert preparation.mean.flatten().tolist() == pytest.approx(mean)
    assert preparation.std.flatten().tolist() == pytest.approx(STD if mean == MEAN else mean)


def test_images_keep_their_size_unless_told():
    """Without a size nothing is resampled; with the images' own size neither."""
    images = torch.rand(1, 3, 5, 7)
    plain = Preparation(mean=(0.0,) * 3, std=(1.0,) * 3)
    sized = Preparation(mean=(0.0,) * 3, std=(1.0,) * 3, size=(5, 7), interpolation="bicubic")
    assert torch.equal(plain(images), images)
    assert torch.equal(sized(images), images)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resizing_averages_and_carries_the_gradient(interpolation):
    """Shrinking keeps the mean (antialiasing), a constant stays one, every pixel has a gradient."""
    prepare = Preparation(mean=(0.0,), std=(1.0,), size=(8, 8), interpolation=interpolation)
    images = torch.rand(1, 1, 64, 64, requires_grad=True)
    small = prepare(images)
    assert small.shape == (1, 1, 8, 8)
    assert small.mean().item() == pytest.approx(images.mean().item(), abs=0.01)
    assert torch.allclose(prepare(torch.full((1, 1, 64, 64), 0.3)), torch.tensor(0.3))
    (slope,) = torch.autograd.grad(small.sum(), images)
    assert slope.abs().min() > 0


def test_the_filter_is_timms():
    """Bicubic by name is bicubic, and upsampling follows torch's half-pixel convention."""
    images = torch.rand(1, 3, 4, 4)
    prepare = Preparation(mean=(0.0,) * 3, std=(1.0,) * 3, size=(9, 9), interpolation="bicubic")
    expected = functional.interpolate(images, size=(9, 9), mode="bicubic", antialias=True)
    assert torch.equal(prepare(images), expected)
