"""Recipes of systems and objectives: they fit, have the published sizes, and go on bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gentk
from gentk.interfaces import ImageShape
from gentk.registry import Registry
from gentk.runs.rehearsal import rehearse
from gentk.runs.resolving import resolve_recipe

PUBLISHED = (
    "advfd",
    "fisher-gan",
    "gan-dfm",
    "improved-gan-fm",
    "improved-gan-labels",
    "mmd-gan",
    "mmd-rq-gan",
    "molm",
    "repulsive-mmd-gan",
    "sn-gan",
    "sn-gan-resnet",
    "wgan-gp",
)
OBJECTIVES = tuple(
    f"{name}-{place}"
    for name in ("coupling", "drift", "fd", "gaussian-kl", "irdm")
    for place in ("cifar10-cpu", "cifar10-gpu", "stl10-gpu")
)
SMALL = tuple(f"{name}-cpu" for name in PUBLISHED)

COUNTS = {
    "sn-gan-resnet": (4_276_739, 1_053_824),
    "wgan-gp": (1_204_483, 1_053_825),
}
"""Recipe -> parameters of generator and critic as published."""

pytestmark = pytest.mark.usefixtures("one_thread", "own_cache")


@pytest.fixture
def keys(tmp_path):
    """Two dozen pictures of the size of CIFAR-10's, of ten classes, and few of them a step."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels, labels=np.arange(24) % 10)
    data = f"npz:{tmp_path / 'images.npz'}"
    return {"data": data, "batch": 4, "decay": "none", "observers": [], "device": "cpu"}


def state(run):
    """All tensors of a run's last checkpoint, by the part that they belong to and their name."""
    return {
        f"{part}/{name}": value
        for part, tensors in run.folder.checkpoints.load().items()
        for name, value in (tensors.items() if isinstance(tensors, dict) else ())
        if isinstance(value, torch.Tensor)
    }


@pytest.mark.parametrize("recipe", [*PUBLISHED, *SMALL, *OBJECTIVES])
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
def test_a_stopped_run_goes_on_with_the_same_bits(recipe, keys, tmp_path):
    """One turn and another are two at once: all that a checkpoint keeps."""
    gentk.run(recipe, **keys, steps=1, out=str(tmp_path / "a"))
    resumed = state(gentk.run(recipe, **keys, steps=2, out=str(tmp_path / "a")))
    whole = state(gentk.run(recipe, **keys, steps=2, out=str(tmp_path / "b")))
    assert whole and resumed.keys() == whole.keys()
    assert [name for name, value in whole.items() if not torch.equal(value, resumed[name])] == []


def test_a_clamp_leaves_the_decoder_alone(keys, tmp_path):
    """MMD GAN: the encoder's weights are within 0.01, gains of norms too; the decoder's are not."""
    whole = state(gentk.run("mmd-gan-cpu", **keys, steps=1, out=str(tmp_path / "a")))
    sizes = {
        part: max(
            float(value.abs().max())
            for name, value in whole.items()
            if f"/{part}." in name
            and name.startswith("critic/")
            and not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        )
        for part in ("encoder", "decoder")
    }
    assert sizes["encoder"] == pytest.approx(0.01)
    assert sizes["decoder"] > 0.5


def test_the_error_of_a_classifier_is_that_of_its_critic(keys, tmp_path):
    """`classifier` of a run, without an extractor named: what its critic takes labelled images for."""
    run = gentk.run("improved-gan-labels-cpu", **keys, steps=1, out=str(tmp_path / "a"))
    found = gentk.evaluate(run, metrics="classifier", against=keys["data"], count=24)["classifier"]
    archive = np.load(tmp_path / "images.npz")
    images = torch.from_numpy(archive["images"]).permute(0, 3, 1, 2) / 255
    logits = run.critic.features(2 * images - 1)["code"]
    wrong = logits.argmax(1).numpy() != archive["labels"]
    assert found.value == pytest.approx(wrong.mean())
    assert found.extractor == f"run:{run.folder.path},of=critic"
