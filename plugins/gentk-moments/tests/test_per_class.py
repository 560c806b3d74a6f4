"""`moments,per-class=true`: a float64 transcription, chunks, and runs."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import one_hot

import gentk
from gentk.errors import Incompatible
from gentk.interfaces import total
from gentk.prior import Prior
from gentk.summary import ClassMoments
from gentk_moments.loss import MomentsLoss

RUN = {
    "data": "digits,size=8",
    "extractor": ["pixels"],
    "generator": "mlp,latent=4,widths=16,classes=10",
    "loss": "moments,per-class=true",
    "estimator": "batch",
    "batch": 40,
    "optimizer": "adam,lr=1e-2",
    "decay": "none",
    "ema": "none",
    "device": "cpu",
    "observers": [],
}


def sample(count: int, seed: int):
    draw = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, 5, generator=draw, dtype=torch.float64) + 100
    return {"rows": rows}, torch.arange(count) % 3


@pytest.mark.parametrize("normalise", ["none", "feature"])
def test_it_is_the_mean_over_classes_of_the_distance_of_their_moments(normalise):
    """Written out class by class in float64: value to 1e-10, gradient in every feature."""
    loss = MomentsLoss(per_class=True, normalise=normalise, epsilon=0.1)
    (data, known), (model, drawn) = sample(30, 0), sample(21, 1)
    rows = model["rows"].requires_grad_()
    side = loss.summarise_data(data, None, one_hot(known, 3).double()).settled()
    parts = [
        loss.summarise({"rows": r}, side, one_hot(c, 3).double())
        for r, c in zip(rows.split(8), drawn.split(8), strict=True)
    ]
    whole = parts[0] + parts[1] + parts[2]
    value = total(loss(loss.reference(side), loss.statistics(whole)))

    def moments(rows, classes):
        own = [rows[classes == k] for k in range(3)]
        return torch.stack([r.mean(0) for r in own]), torch.stack([r.var(0) for r in own])

    (a, b), (c, d) = moments(data["rows"], known), moments(rows, drawn)
    w = torch.ones(5, dtype=torch.float64)
    if normalise == "feature":
        w = 1 / (b.mean(0) + 0.1 * b.mean())
    expected = ((w * (a - c) ** 2).sum() + (w**2 * (b - d) ** 2).sum()) / 3
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-9)
    mine, theirs = (torch.autograd.grad(v, rows)[0] for v in (value, expected))
    torch.testing.assert_close(mine, theirs, rtol=1e-7, atol=1e-9)


def test_sums_are_kept_and_moved_exactly():
    """Stored, restored, and added about another pivot: the same statistics."""
    loss = MomentsLoss(per_class=True)
    (x, k), (y, c) = sample(12, 0), sample(9, 1)
    one, other = (ClassMoments.of(f, one_hot(labels, 3)) for f, labels in ((x, k), (y, c)))
    whole = ClassMoments.of(
        {"rows": torch.cat([x["rows"], y["rows"]])}, one_hot(torch.cat([k, c]), 3)
    )
    again = ClassMoments.restore(*(one + other).settled().store())
    for name, value in loss.statistics(whole).items():
        torch.testing.assert_close(loss.statistics(again)[name], value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("count", [20, 23])
def test_classes_are_drawn_equally_often(count):
    """To within one, in an order of chance; the latents carry them."""
    prior = Prior("normal", 3, classes=10)
    torch.manual_seed(0)
    labels = prior.balanced(count)
    numbers = torch.bincount(labels, minlength=10)
    assert numbers.max() - numbers.min() <= 1 and not torch.equal(labels, labels.sort()[0])
    assert torch.equal(prior.split(prior.draw(count, label=labels))[1], labels)


def test_a_resumed_run_in_chunks_ends_with_the_same_bits(tmp_path, monkeypatch):
    """Conditional GFMN is one line; 2 steps and 2 more are 4 at once."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))
    more = {"estimator": "ama", "chunk": 9}
    settings = {**RUN, **more}
    gentk.run("gfmn", **settings, steps=2, out=str(tmp_path / "a"))
    runs = [gentk.run("gfmn", **settings, steps=4, out=str(tmp_path / n)) for n in "ab"]
    states = [r.folder.checkpoints.load()["generator"] for r in runs]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_samples_are_of_their_class(tmp_path, monkeypatch):
    """After a short run on digits the nearest class mean of a sample is its own, for most of them."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))
    done = gentk.run("gfmn", **{**RUN, "batch": 100}, steps=300, out=str(tmp_path / "a"))
    from gentk.builtin.sources.digits import Digits
    from gentk.data import View, open_images

    images = open_images(Digits(), "digits", View(size=8))
    rows = images.batch(torch.arange(len(images))).flatten(1).float() / 255
    means = torch.stack([rows[images.labels == k].mean(0) for k in range(10)])
    generator = done.generator.eval()
    torch.manual_seed(0)
    labels = torch.arange(200) % 10
    with torch.no_grad():
        samples = generator(generator.prior.draw(200, label=labels)).flatten(1)
    right = (torch.cdist(samples, means).argmin(1) == labels).float().mean()
    assert right > 0.8, f"{float(right):.2f} of the samples are of their class"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"generator": "mlp,latent=4,widths=16"}, "classes"),
        ({"generator": "mlp,latent=4,widths=16,classes=5"}, "classes=10"),
        ({"generator": "mlp,latent=4,widths=16,classes=11"}, "two images"),
        ({"batch": 19}, "batch=20"),
        ({"estimator": "ama,seeding=12"}, "seeding=20"),
        ({"loss": "moments,per-class=true,covariance=full"}, "full"),
    ],
    ids=str,
)
def test_what_does_not_fit_classes_is_refused(tmp_path, changes, words):
    """In a sentence, before a step is taken."""
    with pytest.raises(Incompatible, match=words):
        gentk.run("gfmn", **{**RUN, **changes}, steps=1, out=str(tmp_path / "a"))
