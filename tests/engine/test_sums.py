"""Several losses: each with statistics and an estimator of its own, over one pass of the extractors."""

from __future__ import annotations

import copy

import pytest
import torch
from parts import IMAGE, TinyGenerator, passes, space

from gentk.engine import Autoencoding, Discrepancy, Matching
from gentk.interfaces import MatchingLoss, ReconstructionLoss, total
from gentk.statistics import DataSide, summarise_all
from gentk.summary import MomentSums, Samples
from gentk.testing.partner import MeanOfSamples
from gentk_averages.ama import AdamMovingAverage
from gentk_averages.queue import Queue
from gentk_moments.loss import MomentsLoss

BATCH, CHUNK = 22, 8


class Attraction(MatchingLoss):
    """Samples, drawn to the mean of all data: its data side is sums, its model side samples.

    The spread of the batch beside it is no statistic of the data, and handed through.
    """

    summary = Samples
    data_summary = MomentSums
    untracked = frozenset({"batch"})

    def kinds(self):
        return {"samples": "samples", "batch": "samples"}

    def summarise(self, features, like=None, labels=None):
        assert like is None or isinstance(like, Samples)
        return Samples.of(features)

    def summarise_data(self, features, like=None, labels=None):
        return MomentSums.of({"all": Samples.of(features).rows}, "diagonal", like)

    def statistics(self, summary):
        return {"samples": summary.rows, "batch": summary.rows}

    def reference(self, summary):
        return {"mean": summary.mean()}

    def forward(self, data, model):
        rows, own = model["samples"].double(), model["batch"].double()
        weights = model.get("weights")
        gaps = (rows - data["mean"]).square().sum(1)
        near = gaps.mean() if weights is None else weights @ gaps
        return {"attraction": near, "repulsion": -own.var(0).sum() / 3}

    def fingerprint(self):
        return "attraction"


def settings(losses, estimators, factors, names):
    """Generator, space, and one discrepancy for each loss, estimators not started."""
    torch.manual_seed(0)
    phi, images = space(), torch.rand(40, *IMAGE, dtype=torch.float64)
    sides = [DataSide(loss, phi) for loss in losses]
    data = summarise_all(
        lambda part: iter(images.split(10)[part]),
        phi,
        sides,
        count=len(images),
        device=torch.device("cpu"),
        cache=None,
    )
    rows = zip(losses, estimators, data, factors, names, strict=True)
    return (
        TinyGenerator(),
        phi,
        [
            Discrepancy(loss, estimator, summary, name=name, factor=factor)
            for loss, estimator, summary, factor, name in rows
        ],
    )


def three():
    """Three losses of three kinds of statistics."""
    losses = [MomentsLoss(), Attraction(), MeanOfSamples()]
    estimators = [AdamMovingAverage(lr=1e-2), Queue(size=30), Queue(size=9, decay=0.5)]
    return settings(losses, estimators, [1.0, 0.1, 3.0], ["moments", "near", "means"])


def gradient(generator):
    return [p.grad.clone() for p in generator.parameters()]


def stepped(generator, phi, discrepancies, chunk, steps=3):
    """The gradients and logged values of some steps."""
    objective = Matching(generator, phi, discrepancies, batch=BATCH, chunk=chunk)
    for discrepancy in discrepancies:
        objective.start(discrepancy)
    torch.manual_seed(5)
    rows = []
    for _ in range(steps):
        generator.zero_grad()
        shown = objective()
        rows.append((gradient(generator), shown))
    return rows


def test_chunks_of_a_sum_equal_one_graph_over_the_same_chunks():
    """Gradients of each step agree to 1e-10 in float64, estimators of each loss with them."""
    generator, phi, discrepancies = three()
    theirs = three()
    plain, other = theirs[0], theirs[2]
    found = stepped(generator, phi, discrepancies, CHUNK)
    objective = Matching(plain, phi, other, batch=BATCH)
    for each in other:
        objective.start(each)
    torch.manual_seed(5)
    for step, (mine, _) in enumerate(found, start=1):
        plain.zero_grad()
        parts = []
        for images in passes(plain, [8, 7, 7], step):
            features = phi(images, "signed")
            whole = parts or [None] * 3
            own = [
                d.loss.summarise(features, d.data if i == 0 else None) for i, d in enumerate(other)
            ]
            parts = [b if a is None else a + b for a, b in zip(whole, own, strict=True)]
        terms = []
        for each, summary in zip(other, parts, strict=True):
            model = each.loss.statistics(summary)
            tracked = {k: v for k, v in model.items() if k != "batch"}
            tracked = {**model, **each.estimator(tracked, each.reference)}
            terms.append(each.factor * total(each.loss(each.reference, tracked)))
        sum(terms).backward()
        for slope, wanted in zip(mine, plain.parameters(), strict=True):
            torch.testing.assert_close(slope, wanted.grad, rtol=1e-10, atol=1e-10)
    for mine, wanted in zip(discrepancies, other, strict=True):
        for a, b in zip(mine.estimator.buffers(), wanted.estimator.buffers(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("chunk", [None, CHUNK])
def test_the_gradient_of_a_sum_is_the_sum_of_gradients(chunk):
    """Each loss alone, times its factor, adds up to all of them; so do the logged values."""
    generator, phi, discrepancies = three()
    [(whole, shown)] = stepped(generator, phi, discrepancies, chunk, steps=1)
    parts = []
    for index in range(3):
        generator, phi, own = three()
        [(slopes, alone)] = stepped(generator, phi, own[index : index + 1], chunk, steps=1)
        parts.append(slopes)
        name = own[index].name
        torch.testing.assert_close(shown[f"loss/{name}"], alone["loss"], rtol=1e-12, atol=0)
    for each, *others in zip(whole, *parts, strict=True):
        torch.testing.assert_close(each, sum(others), rtol=1e-9, atol=1e-12)
    names = ("moments", "near", "means")
    torch.testing.assert_close(shown["loss"], sum(shown[f"loss/{name}"] for name in names))
    torch.testing.assert_close(
        shown["loss/near"], shown["loss/near/attraction"] + shown["loss/near/repulsion"]
    )


def test_what_a_loss_hands_through_is_the_batch_alone():
    """The queue grows `samples`; `batch`, which the loss names untracked, stays the batch's."""
    generator, phi, discrepancies = settings([Attraction()], [Queue(size=30)], [1.0], [""])
    seen = []
    loss = discrepancies[0].loss
    plain = loss.forward
    loss.forward = lambda data, model: (
        seen.append({k: len(v) for k, v in model.items()}) or plain(data, model)
    )
    stepped(generator, phi, discrepancies, None, steps=2)
    tracked = [row for row in seen if "weights" in row]
    assert [row["batch"] for row in tracked] == [BATCH, BATCH]
    assert tracked[1]["samples"] > BATCH


def test_the_data_of_another_class_are_streamed_over_all_images():
    """The reference of `Attraction` is the mean over all images, whatever the batch."""
    _, phi, discrepancies = settings([Attraction()], [Queue(size=30)], [1.0], [""])
    torch.manual_seed(0)
    images = torch.rand(40, *IMAGE, dtype=torch.float64)
    rows = Samples.of(phi.of_images(images)).rows
    assert discrepancies[0].fresh is None
    torch.testing.assert_close(discrepancies[0].reference["mean"], rows.mean(0))


class Absolute(ReconstructionLoss):
    """Mean absolute distance, of signed images."""

    range = "signed"

    def forward(self, images, reconstruction):
        return {"gap": (images - reconstruction).abs().mean()}


class Square(ReconstructionLoss):
    """Mean squared distance, of images in [0, 1]."""

    def forward(self, images, reconstruction):
        return {"gap": (images - reconstruction).square().mean()}


@pytest.mark.parametrize("chunk", [None, 8])
def test_reconstruction_losses_add_up(chunk):
    """Each in its own range, times its factor; terms are named by loss."""
    from test_autoencoding import parts

    step, batches = parts(chunk)
    losses = [("square", Square(), 1.0), ("absolute", Absolute(), 0.25)]
    step = Autoencoding(step.encoder, step.generator, losses, batches, chunk=chunk)
    e, g = copy.deepcopy(step.encoder), copy.deepcopy(step.generator)
    shown = step()

    _, again = parts()
    x = next(again)
    made = g(e(2 * x - 1))
    square = ((x - (made + 1) / 2) ** 2).mean()
    absolute = 0.25 * (2 * x - 1 - made).abs().mean()
    (square + absolute).backward()
    for mine, theirs in zip(
        (*step.encoder.parameters(), *step.generator.parameters()),
        (*e.parameters(), *g.parameters()),
        strict=True,
    ):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(shown["loss"], (square + absolute).detach())
    torch.testing.assert_close(shown["loss/absolute/gap"], absolute.detach())
    torch.testing.assert_close(shown["loss/square"], square.detach())
