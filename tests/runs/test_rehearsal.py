"""The rehearsal: misfits are refused before anything trains, without data and without weights."""

from __future__ import annotations

import pytest

import gentk
from gentk.errors import Incompatible
from gentk.registry import Registry
from gentk.runs.rehearsal import known_shape, rehearse
from gentk.runs.resolving import resolve_recipe


def rehearsed(recipe, tmp_path, **flags):
    """Rehearse a recipe and return what was said."""
    registry, told = Registry(), []
    resolved = resolve_recipe(recipe, {"out": str(tmp_path / "run"), **flags}, registry=registry)
    rehearse(resolved, registry, told.append)
    return told


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"encoder": "vgg"}, ["vgg", "28x28"]),
        ({"encoder": "mlp,widths=7"}, ["weights", "encoder"]),
        ({"data": "mnist,size=32", "generator": "mlp,latent=5"}, ["weights", "generator"]),
    ],
    ids=str,
)
def test_a_misfit_with_stages_is_refused_before_they_train(tmp_path, flags, words):
    """Of an encoder with images, and of weights with a stage that is not there yet: no data are read."""
    with pytest.raises(Incompatible) as refused:
        gentk.run("ae", out=str(tmp_path / "run"), observers=[], **flags)

    assert all(word in str(refused.value) for word in words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("recipe", ["ae", "bigan-mnist", "gfmn-cifar10-cpu", "gmmn-ae"])
def test_recipes_fit(tmp_path, recipe):
    """Of every family, stages included, though their data and weights are not here."""
    assert rehearsed(recipe, tmp_path) == []


@pytest.mark.parametrize(
    ("flags", "chunk"),
    [({"chunk": 1}, 2), ({"batch": 3, "chunk": 2}, 3), ({"batch": 5, "chunk": 2}, 3)],
    ids=str,
)
def test_a_chunk_of_one_sample_with_a_batch_norm_is_refused(tmp_path, flags, chunk):
    """It has no variance; the sentence says which chunk has. Nothing is written."""
    options = {"generator": "bigan", "out": str(tmp_path / "run"), **flags}
    with pytest.raises(Incompatible, match=f"--chunk {chunk}$"):
        rehearsed("bigan-mnist", tmp_path, **options)
    with pytest.raises(Incompatible, match=f"(--chunk |chunk=){chunk}$"):
        gentk.run("bigan-mnist", data="digits", observers=[], **options)

    assert not (tmp_path / "run").exists()


def test_a_chunk_of_one_sample_without_batch_norms_is_fine(tmp_path):
    """Networks without one take single samples."""
    options = {"generator": "mlp", "extractor": ["pixels"], "data": "digits"}
    assert rehearsed("gfmn", tmp_path, chunk=1, **options) == []


def test_a_recipes_own_reference_is_no_reason_to_refuse_a_loss(tmp_path):
    """It is of no use to a loss of moments; typed by hand it is refused."""
    recipe = tmp_path / "mine.toml"
    recipe.write_text('data = "digits"\nreference = 8\nextractor = ["pixels"]\nsteps = 1\n')
    assert rehearsed(str(recipe), tmp_path) == []
    with pytest.raises(Incompatible, match="--reference"):
        rehearsed(str(recipe), tmp_path, reference=4)


def test_a_size_that_only_the_data_know_is_said(tmp_path):
    """A folder without size= is not opened for this."""
    (told,) = rehearsed("gfmn", tmp_path, data=f"folder:{tmp_path}", extractor=["pixels"])
    assert "size=N" in told


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("digits", (1, 8, 8)),
        ("digits,size=32,channels=3", (3, 32, 32)),
        ("stl10,size=48", (3, 48, 48)),
        ("celeba,crop=160,size=64", (3, 64, 64)),
        ("folder:nowhere", None),
    ],
)
def test_shapes_are_known_without_data(text, shape):
    """By the set's name or by size=."""
    assert known_shape(text, Registry(), guess=True) == shape
