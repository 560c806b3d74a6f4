"""Tests of pseudo-labels: the clusters of an extractor's features as classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import gentk
from gentk import clusters
from gentk.data.imageset import to_unit
from gentk.errors import BadOption, DataError, GentkError, UnknownName
from gentk.evaluation.evaluate import evaluate
from gentk.evaluation.plan import Context, Plan
from gentk.registry import Registry
from gentk.runs.images import open_data, open_held_out, open_split

LEVELS = [40] * 5 + [200] * 9 + [120] * 7
"""Grey images of one value each: clusters are known, and their sizes."""


@pytest.fixture
def grey(tmp_path: Path) -> str:
    """Images whose pixels differ from a level by at most 3."""
    draw = np.random.default_rng(0)
    images = np.array(LEVELS)[:, None, None] + draw.integers(-3, 4, (len(LEVELS), 8, 8))
    own = np.arange(len(LEVELS)) % 2
    np.savez(tmp_path / "a.npz", x_train=images.astype(np.uint8), y_train=own)
    return f"npz:{tmp_path / 'a.npz'}"


def test_clusters_are_numbered_by_size(grey: str, own_cache: None) -> None:
    """Three levels are three classes, the largest first; the file's own labels are not used."""
    images = open_data(f"{grey},labels=kmeans:3:pixels", Registry())
    assert images.labels is not None
    assert images.labels.tolist() == [{200: 0, 120: 1, 40: 2}[level] for level in LEVELS]
    assert images.histogram() == {"0": 9, "1": 7, "2": 5}


def test_held_out_images_get_the_clusters_of_the_others(grey: str, own_cache: None) -> None:
    """Validation images are assigned to the centres of the training images, in their numbering."""
    text = f"{grey},labels=kmeans:3:pixels,validation=6"
    train, held = (open_data(f"{text},split={s}", Registry()) for s in ("train", "validation"))
    class_of = dict(zip(np.array(LEVELS)[train.pixels.positions], train.labels, strict=True))
    assert [class_of[LEVELS[p]] for p in held.pixels.positions] == held.labels.tolist()


@pytest.mark.parametrize("split", ["test", "validation"])
def test_held_out_images_get_the_clusters_of_what_a_run_learns_from(
    split: str, tmp_path: Path, own_cache: None
) -> None:
    """Those of as many images as it learns from, though all held-out images judge it."""
    data = "digits"
    if split == "validation":
        images = open_data("digits", Registry())
        pixels = images.batch(torch.arange(len(images))).numpy()[:, 0]
        np.savez(tmp_path / "a.npz", x_train=pixels)
        data = f"npz:{tmp_path / 'a.npz'}"
    text = f"{data},labels=kmeans:6:pixels,validation=100,limit=80"
    train, held = open_data(text, Registry()), open_held_out(text, Registry())
    assert held.view.split == split and len(held) >= 100
    rows, others = (to_unit(i.batch(torch.arange(len(i)))).flatten(1) for i in (train, held))
    means = torch.stack([rows[train.labels == k].mean(0) for k in range(6)])
    assert torch.equal(torch.cdist(others, means).argmin(1), held.labels)
    whole = open_split(text, "train", Registry())
    assert len(whole) > len(train)
    label_of = dict(zip(whole.pixels.positions.tolist(), whole.labels.tolist(), strict=True))
    assert [label_of[p] for p in train.pixels.positions.tolist()] == train.labels.tolist()


def test_a_probe_of_pseudo_labels_is_of_one_clustering(tmp_path: Path, own_cache: None) -> None:
    """Colours tell the clusters apart; the test split's own labels play no part."""
    draw = np.random.default_rng(0)
    colours = np.repeat(np.eye(3)[[0] * 60 + [1] * 80 + [2] * 100, None, None], 4, axis=1)
    x = (200 * colours.repeat(4, axis=2) + draw.integers(0, 9, (240, 4, 4, 3))).astype(np.uint8)
    own = np.arange(240) % 3
    splits = {"x_train": x, "y_train": own, "x_test": x[::-1][:239], "y_test": own[:239]}
    np.savez(tmp_path / "a.npz", **splits)
    data = f"npz:{tmp_path / 'a.npz'},labels=kmeans:3:pixels"
    plan = Plan(f"{data},limit=150,split=test", ("probe",), ("pixels",))
    assert evaluate(data, plan, Context(Registry(), "cpu"))["probe"].value == 1


def test_labels_are_those_of_the_library(own_cache: None) -> None:
    """On real data: a partition in which each image is nearest to its centre, as good as the
    library's, and other than with another seed.
    """
    images = open_data("digits,limit=300,labels=kmeans:10:pixels", Registry())
    rows = to_unit(images.batch(torch.arange(300))).flatten(1).double()
    means = torch.stack([rows[images.labels == k].mean(0) for k in range(10)])
    assert torch.equal(torch.cdist(rows, means).argmin(1), images.labels)
    inertia = torch.cdist(rows, means).square().amin(1).sum()
    best = KMeans(10, n_init=10, random_state=1).fit(rows.numpy()).inertia_
    assert inertia <= 1.1 * best
    real = open_data("digits,limit=300", Registry()).labels
    assert adjusted_rand_score(real, images.labels) > 0.4


def test_one_seed_one_clustering(monkeypatch: pytest.MonkeyPatch, own_cache: None) -> None:
    """Made once and kept; the same without the cache; another seed, other numbers, another content."""
    text = "digits,limit=120,labels=kmeans:6:pixels"
    first = open_data(text, Registry())
    monkeypatch.setattr(clusters, "_fit", None)
    assert open_data(text, Registry()).fingerprint() == first.fingerprint()
    monkeypatch.undo()
    monkeypatch.setattr("gentk.runs.pseudo_labels.Cache", lambda: None)
    assert torch.equal(open_data(text, Registry()).labels, first.labels)
    others = (text.replace(":6:", ":5:"), f"{text},split_seed=1", "digits,limit=120")
    prints = {first.fingerprint(), *(open_data(t, Registry()).fingerprint() for t in others)}
    assert len(prints) == 4


def test_all_images_are_assigned_where_some_are_fitted(
    monkeypatch: pytest.MonkeyPatch, grey: str, own_cache: None
) -> None:
    """A data set above the limit is fitted on some images, and labelled whole."""
    monkeypatch.setattr(clusters, "HELD", 4 * 64 * 15)
    monkeypatch.setattr(clusters, "CHUNK", 4)
    images = open_data(f"{grey},labels=kmeans:3:pixels", Registry())
    assert images.labels is not None
    assert images.labels.tolist() == [{200: 0, 120: 1, 40: 2}[level] for level in LEVELS]


@pytest.mark.parametrize(
    ("labels", "error"),
    [
        ("kmeans", BadOption),
        ("kmeans:1:pixels", BadOption),
        ("kmeans:ten:pixels", BadOption),
        ("kmeans:10", BadOption),
        ("kmeans:10:pixles", UnknownName),
        ('"kmeans:10:pixels,flayers=3"', GentkError),
    ],
)
def test_what_cannot_be_is_refused_before_data_are_opened(labels: str, error: type) -> None:
    """A sentence that says what to write; the data need not be there."""
    with pytest.raises(error):
        gentk.compose(data=f"npz:nowhere.npz,labels={labels}", generator="mlp")


def test_too_few_different_images_are_refused(tmp_path: Path, own_cache: None) -> None:
    """Four images of two kinds have no three clusters."""
    np.savez(tmp_path / "a.npz", x_train=np.repeat(np.uint8([[[0]], [[9]]]), 8, axis=0))
    with pytest.raises(DataError, match="labels=kmeans:2"):
        open_data(f"npz:{tmp_path / 'a.npz'},labels=kmeans:3:pixels", Registry())


def test_a_conditional_generator_learns_pseudo_classes(small, own_cache: None) -> None:
    """One line: class-wise matching on clusters; samples of a class are drawn by its number."""
    run = small(
        data="digits,limit=200,labels=kmeans:4:pixels",
        generator="mlp,latent=8,widths=16+32,classes=4",
        loss="moments,per-class=true",
        estimator="batch",
    )
    assert gentk.sample(run, 3, label=2).shape[0] == 3
