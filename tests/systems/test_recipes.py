"""Recipes of adversarial systems: they fit, have the published sizes, and go on bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gentk
from gentk.interfaces import ImageShape
from gentk.registry import Registry
from gentk.runs.rehearsal import rehearse
from gentk.runs.resolving import resolve_recipe

PUBLISHED = ("fisher-gan", "gan-dfm", "sn-gan", "sn-gan-resnet", "wgan-gp")
SMALL = tuple(f"{name}-cpu" for name in PUBLISHED)

COUNTS = {
    "sn-gan-resnet": (4_276_739, 1_053_824),
    "wgan-gp": (1_204_483, 1_053_825),
}
"""Recipe -> parameters of generator and critic as published."""

pytestmark = pytest.mark.usefixtures("one_thread", "own_cache")


@pytest.fixture
def data(tmp_path):
    """Two dozen labelled pictures of the size of CIFAR-10's."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels, labels=np.arange(24) % 3)
    return f"npz:{tmp_path / 'images.npz'}"


def state(run):
    """All tensors of a run's last checkpoint, by the part that they belong to and their name."""
    kept = run.folder.checkpoints.load()
    return {
        f"{part}/{name}": value
        for part, tensors in kept.items()
        if part in ("generator", "critic", "loss", "loss-critic", "estimator")
        for name, value in tensors.items()
        if isinstance(value, torch.Tensor)
    }


@pytest.mark.parametrize("recipe", [*PUBLISHED, *SMALL])
def test_parts_fit(recipe):
    """All networks of a recipe take two samples, and nothing is left to be told."""
    told = []
    rehearse(resolve_recipe(recipe, {}, registry=Registry()), Registry(), told.append)
    assert told == []


@pytest.mark.parametrize("recipe", COUNTS)
def test_networks_have_the_published_sizes(recipe):
    """Weights and biases of a recipe's pair for CIFAR-10."""
    names, image = Registry(), ImageShape(3, 32, 32)
    r = resolve_recipe(recipe, {}, registry=names).recipe
    with torch.device("meta"):
        generator = names.build("generator", r.generator, image=image)[0]
        critic = names.build("critic", r.critic, image=image, latent=128)[0]
    counts = tuple(sum(p.numel() for p in part.parameters()) for part in (generator, critic))
    assert counts == COUNTS[recipe]


@pytest.mark.parametrize("recipe", SMALL)
def test_a_stopped_run_goes_on_with_the_same_bits(recipe, data, tmp_path):
    """One turn and another are two at once: networks, and what the loss keeps."""
    keys = {"data": data, "batch": 4, "decay": "none", "observers": [], "device": "cpu"}
    gentk.run(recipe, **keys, steps=1, out=str(tmp_path / "a"))
    resumed = state(gentk.run(recipe, **keys, steps=2, out=str(tmp_path / "a")))
    whole = state(gentk.run(recipe, **keys, steps=2, out=str(tmp_path / "b")))
    assert resumed.keys() == whole.keys()
    assert [name for name, value in whole.items() if not torch.equal(value, resumed[name])] == []
