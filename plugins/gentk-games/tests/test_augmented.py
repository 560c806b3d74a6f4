"""Differentiable augmentation: what each transformation does, and that a critic sees nothing else."""

from __future__ import annotations

import json

import pytest
import torch

import gentk
from gentk.errors import BadOption, Incompatible, UnknownName
from gentk.interfaces import ImageShape
from gentk.registry import Registry
from gentk.testing import CriticSuite
from gentk_games.augmented import POLICIES, AugmentedCritic

SHAPE = ImageShape(3, 32, 32)


def critic(text="dcgan,width=4", **options):
    torch.manual_seed(0)
    built = Registry().build("critic", text, image=SHAPE, latent=4)[0]
    return AugmentedCritic(built, image=SHAPE, latent=4, **options)


def images(count=6):
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


class TestAugmented(CriticSuite):
    spec = 'augmented:"dcgan,width=4"'


def test_colour_is_an_affine_map_of_each_image_that_keeps_its_differences_of_pixels():
    """Transcribed in float64: brightness moves the mean, saturation the colours, contrast all."""
    x = images().double()
    torch.manual_seed(3)
    b, s, c = (torch.rand(6, 1, 1, 1, dtype=torch.float64) for _ in range(3))
    torch.manual_seed(3)
    y = POLICIES["color"](x)
    bright = x + b - 0.5
    grey = bright.mean(1, keepdim=True)
    vivid = grey + 2 * s * (bright - grey)
    wanted = vivid.mean((1, 2, 3), keepdim=True) * (0.5 - c) + vivid * (c + 0.5)
    torch.testing.assert_close(y, wanted, rtol=1e-12, atol=1e-12)


def test_translation_moves_by_whole_pixels_and_brings_in_grey():
    x = images(150)
    torch.manual_seed(0)
    y = POLICIES["translation"](x)
    moves = set()
    for before, after in zip(x, y, strict=True):
        fits = []
        for down in range(-4, 5):
            for right in range(-4, 5):
                wanted = torch.zeros_like(before)
                rows = slice(max(0, -down), 32 - max(0, down))
                columns = slice(max(0, -right), 32 - max(0, right))
                to_rows = slice(max(0, down), 32 - max(0, -down))
                to_columns = slice(max(0, right), 32 - max(0, -right))
                wanted[:, rows, columns] = before[:, to_rows, to_columns]
                if torch.equal(wanted, after):
                    fits.append((down, right))
        assert len(fits) == 1
        moves |= set(fits)
    assert len(moves) > 50, "moves of up to four pixels are drawn"


def test_cutout_makes_a_square_of_half_a_side_grey():
    torch.manual_seed(0)
    y = POLICIES["cutout"](images(200) + 3)
    gone = (y == 0).all(1)
    counts = gone.sum((1, 2))
    assert torch.equal((y == 0).any(1), gone)
    assert counts.max() == 256 and counts.min() >= 64 and len(set(counts.tolist())) > 5
    for one in gone:
        rows, columns = one.any(1).sum(), one.any(0).sum()
        assert one.sum() == rows * columns


def test_a_critic_in_use_sees_images_as_they_are():
    augmented = critic()
    x = images()
    assert not torch.equal(augmented(x)["x"], augmented(x)["x"])
    augmented.eval()
    torch.testing.assert_close(augmented(x)["x"], augmented.critic(x)["x"], rtol=0, atol=0)


@pytest.mark.parametrize("name", list(POLICIES))
def test_the_generator_learns_through_it(name):
    x = images().requires_grad_()
    critic(policy=(name,)).judge(x)[0]["x"].sum().backward()
    assert torch.isfinite(x.grad).all() and (x.grad.flatten(1).abs().sum(1) > 0).all()


def test_grey_is_the_middle_of_the_critic_s_range():
    """A critic of images in [0, 1] has its holes at a half."""
    augmented = critic("bigan,range=unit", policy=("cutout",))
    assert augmented.range == "unit" and augmented.pairs
    y = augmented.augmented(torch.ones(20, 3, 32, 32))
    assert set(y.unique().tolist()) == {0.5, 1.0}


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"policy": ("colour",)}, BadOption, "color"),
        ({"policy": ("cutout", "cutout")}, BadOption, "once"),
        ({"text": "molm,width=8"}, Incompatible, "MoLM|Moment"),
    ],
)
def test_refusals(options, kind, words):
    with pytest.raises(kind, match=words):
        critic(**options)


def test_a_run_goes_on_exactly(tmp_path):
    keys = {
        "data": "digits,size=32",
        "generator": "dcgan,width=4,latent=8",
        "critic": 'augmented:"dcgan,width=4",policy=color+translation',
        "loss": "hinge",
        "batch": 8,
        "decay": "none",
        "device": "cpu",
        "threads": 1,
        "observer": "metrics",
    }
    gentk.run(**keys, steps=6, out=tmp_path / "whole")
    gentk.run(**keys, steps=3, out=tmp_path / "halves")
    gentk.run(**keys, steps=6, out=tmp_path / "halves")
    rows = [
        [
            json.loads(row)["loss"]
            for row in (tmp_path / one / "metrics.jsonl").read_text().splitlines()
        ]
        for one in ("whole", "halves")
    ]
    assert rows[0] == rows[1] and len(rows[0]) == 6


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("augmented", BadOption, "CRITIC"),
        ("augmented:dcgann", UnknownName, "dcgan"),
        ('augmented:"dcgan,widht=4"', BadOption, "width"),
        ('augmented:"augmented:dcgann",policy=cutout', UnknownName, "dcgan"),
    ],
)
def test_the_critic_within_is_checked_where_nothing_is_built(text, kind, words):
    with pytest.raises(kind, match=words):
        Registry().rehearse("critic", text)


def test_the_critic_within_has_its_options():
    built = Registry().build(
        "critic", 'augmented:"dcgan,width=4",policy=cutout', image=SHAPE, latent=4
    )[0]
    alone = Registry().build("critic", "dcgan,width=4", image=SHAPE, latent=4)[0]
    assert built.policy == ("cutout",)
    assert sum(map(torch.numel, built.parameters())) == sum(map(torch.numel, alone.parameters()))
