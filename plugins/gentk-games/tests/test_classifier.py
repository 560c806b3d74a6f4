"""The game of a classifier: check values, images without a label, and whose labels fit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gentk
from gentk.errors import BadOption, DataError, Incompatible
from gentk.interfaces import total
from gentk.testing import play_of
from gentk_games.classifier import ClassifierLoss
from gentk_games.error import ClassifierError
from gentk_games.logistic import LogisticLoss


def play(real, fake, labels):
    """A play of logits, (N, K) a side, in float64."""
    sides = [{"features": {"code": torch.tensor(x, dtype=torch.float64)}} for x in (real, fake)]
    return play_of(sides[0] | {"labels": torch.tensor(labels)}, sides[1], pairs=False)


def test_check_values():
    """Two classes, logits (0, log 3) of class 1, (0, 0) without a label, fake (log 2, log 2)."""
    terms = ClassifierLoss(classes=2).critic_loss(
        play([[0, math.log(3)], [0, 0]], [[math.log(2)] * 2], [1, -1])
    )
    # Z = 4, 2 and 4: D = Z / (Z + 1) is 4/5 and 2/3 of the data, 4/5 of the sample.
    assert float(terms["data/class"]) == pytest.approx(math.log(4 / 3))
    assert float(terms["data/x"]) == pytest.approx(0.5 * (math.log(5 / 4) + math.log(3 / 2)) / 2)
    assert float(terms["model/x"]) == pytest.approx(0.5 * math.log(5))
    [own] = (
        ClassifierLoss(classes=2)
        .generator_loss(play([[0.0, 0.0]], [[math.log(2)] * 2], [0]))
        .values()
    )
    assert float(own) == pytest.approx(math.log(5 / 4))


@given(st.integers(0, 10_000), st.floats(0.1, 3))
def test_it_is_the_published_loss(seed, supervised):
    """The released code's: -l_y + L of labelled, -L/2 + sp(L)/2 of data, sp(L)/2 of samples."""
    draw = np.random.default_rng(seed)
    real, fake = draw.normal(size=(7, 4)) * 3, draw.normal(size=(5, 4)) * 3
    labels = draw.integers(-1, 4, 7)
    terms = ClassifierLoss(classes=4, supervised=supervised).critic_loss(
        play(real.tolist(), fake.tolist(), labels.tolist())
    )
    lse = np.log(np.exp(real).sum(1)), np.log(np.exp(fake).sum(1))
    sp = [np.log1p(np.exp(x)).mean() for x in lse]
    own = [lse[0][i] - real[i, y] for i, y in enumerate(labels) if y >= 0]
    expected = supervised * (np.mean(own) if own else 0) - lse[0].mean() / 2 + (sp[0] + sp[1]) / 2
    assert float(total(terms)) == pytest.approx(expected, rel=1e-9)


def test_without_labels_it_is_the_logistic_game_of_all_classes_together():
    """Its scores are L; the class term is 0, and so is its gradient."""
    real, fake = torch.randn(6, 3).requires_grad_(), torch.randn(6, 3)
    labels = torch.full((6,), -1)
    game = play_of({"features": {"a": real}, "labels": labels}, {"features": {"a": fake}})
    scores = play_of({"scores": {"x": real.logsumexp(1)}}, {"scores": {"x": fake.logsumexp(1)}})
    terms = ClassifierLoss(classes=3).critic_loss(game)
    torch.testing.assert_close(terms["data/class"], torch.zeros(()))
    torch.testing.assert_close(total(terms), total(LogisticLoss(weight=0.5).critic_loss(scores)))
    [slope] = torch.autograd.grad(terms["data/class"], real)
    assert not slope.any()


def test_a_run_learns_classes_from_some_labels(tmp_path, monkeypatch):
    """The class term falls; labels that do not fit, and none, are refused before anything trains."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))
    images = gentk.compose("gfmn", data="digits", extractor="pixels", steps=1).images
    count, some = len(images), images.labels.numpy().copy()
    some[np.random.default_rng(0).permutation(count)[: count // 2]] = -1
    np.save(tmp_path / "some.npy", some)
    np.save(tmp_path / "none.npy", np.full(count, -1))
    keys = {
        "generator": "mlp,latent=8,widths=32",
        "critic": "mlp,widths=64+10",
        "extractor": "critic,layers=layer1",
        "loss": "moments,covariance=none",
        "estimator": "batch",
        "optimizer": "adam,lr=2e-3",
        "batch": 64,
        "steps": 60,
        "observer": ["metrics"],
        "device": "cpu",
        "threads": 1,
    }

    def own(loss):
        return {"critic": {"loss": loss}}

    data = f"digits,labels={tmp_path / 'some.npy'}"
    run = gentk.run(data=data, phase=own("classifier"), out=tmp_path / "run", **keys)
    error = run.metrics["loss/critic/data/class"]
    assert error[-10:].mean() < 0.5 * error[:5].mean()
    for wrong, loss in (
        (f"digits,labels={tmp_path / 'none.npy'}", "classifier"),
        (data, "classifier,classes=9"),
        (data, "classifier,classes=12"),
    ):
        with pytest.raises(Incompatible, match=r"classes"):
            gentk.run(data=wrong, phase=own(loss), out=tmp_path / "no", **keys)


def test_the_error_is_the_share_of_wrong_classes():
    """Two of four labelled images; what has no label does not count."""
    logits = torch.eye(4)[[0, 1, 2, 3, 0]]
    metric = ClassifierError(layer="code")
    summary = metric.summarise({"code": logits[:, :, None, None], "pooled": torch.zeros(5, 2)})
    known = replace(summary, labels=torch.tensor([0, 1, 0, 0, -1]))
    (value,) = metric.values(known, known)
    assert (value.name, value.value, value.error, value.direction) == (
        "classifier",
        0.5,
        0.25,
        "lower",
    )
    with pytest.raises(DataError, match="labelled"):
        metric.values(summary, summary)
    with pytest.raises(DataError, match="4 logits"):
        metric.values(replace(known, labels=known.labels + 7), known)
    with pytest.raises(BadOption, match="layer=code"):
        ClassifierError(layer="none").summarise({"code": logits})
