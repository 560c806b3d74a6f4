"""`mmd`: the hybrid form, the linear form, and what random features do not see."""

from __future__ import annotations

import pytest
import torch
from sklearn.cluster import KMeans
from test_loss import X, Y, built, features

from gentk.errors import Incompatible
from gentk.interfaces import total
from gentk.summary import MomentSums, Samples
from gentk_mmd.discrepancy import mmd2
from gentk_mmd.hybrid import LandmarkKernels, attraction, centres
from gentk_mmd.kernels import Energy, Gaussian
from gentk_mmd.loss import MMDLoss


def draw(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def against(loss, model, data):
    """The loss of features, whose data side is a summary of its own."""
    reference = loss.reference(loss.summarise_data(data))
    return total(loss(reference, loss.statistics(loss.summarise(model))))


def test_landmarks_that_are_the_data_are_exact():
    """The check value of the specification: with all of the data the cross term is the mean kernel."""
    kernel = Gaussian([1.0])
    kernels = LandmarkKernels(Y, kernel)
    weights = attraction(kernels(Y).mean(0), kernels)
    assert (kernels(X) @ weights).mean().item() == pytest.approx(0.09096614, abs=1e-6)


@pytest.mark.parametrize("layers", ["joint", "each"])
def test_with_all_of_the_data_it_is_mmd(layers):
    """As many landmarks as images: the hybrid form is the kernel's own, biased one, and its slope."""
    ours, theirs = features(9, 0), features(12, 1)
    hybrid = built(f"features=nystrom+12,hybrid=true,bandwidths=3,layers={layers}")
    hybrid.prepare(theirs)
    plain = built(f"bandwidths=3,layers={layers}")
    slopes = []
    for loss in (hybrid, plain):
        model = {name: v.clone().requires_grad_() for name, v in ours.items()}
        distance = against(loss, model, theirs)
        slopes.append((distance.detach(), *torch.autograd.grad(distance, list(model.values()))))
    for mine, wanted in zip(*slopes, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-6)


def test_its_two_sides_are_of_two_kinds():
    """The data are sums of all of them, the model's side the samples of a batch, or a queue's."""
    loss = built("features=nystrom+4,hybrid=true,bandwidths=3")
    loss.prepare(features(20, 3))
    assert (loss.summary, loss.data_summary) == (Samples, MomentSums)
    assert loss.kinds() == {"samples": "samples"}
    reference = loss.reference(loss.summarise_data(features(50, 4)))
    rows = loss.statistics(loss.summarise(features(6, 5)))["samples"]
    uniform = torch.full((6,), 1 / 6, dtype=torch.float64)
    whole = total(loss(reference, {"samples": rows}))
    queued = total(loss(reference, {"samples": rows, "weights": uniform, "past": uniform[:2]}))
    assert whole.item() == pytest.approx(queued.item(), rel=1e-9)


def test_landmarks_are_of_a_type_that_the_device_has(monkeypatch):
    """Where samples lie on a device without float64 they are float32, and the value is the same."""
    values = []
    for without in (frozenset(), frozenset({"cpu"})):
        monkeypatch.setattr("gentk.precision.WITHOUT_FLOAT64", without)
        loss = built("features=nystrom+4,hybrid=true,bandwidths=3,layers=each")
        loss.prepare(features(20, 3))
        reference = loss.reference(loss.summarise_data(features(50, 4)))
        kind = torch.float32 if without else torch.float64
        assert reference["samples"].dtype == kind
        samples = loss.statistics(loss.summarise(features(6, 5)))
        values.append(total(loss(reference, {"samples": samples["samples"].float()})).item())
    assert values[1] == pytest.approx(values[0], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_centres_are_those_of_k_means_and_features_stay_as_they_are(kind):
    """Though k-means works in place: it has an array of its own."""
    rows = (draw(60, 4) + 3).to(kind)
    before = rows.clone()
    found = centres(rows, 5, 1)
    wanted = KMeans(5, n_init=1, max_iter=20, random_state=1).fit(before.double().numpy())
    assert torch.equal(rows, before)
    torch.testing.assert_close(found, torch.from_numpy(wanted.cluster_centers_).to(kind))


def test_random_features_have_a_null_space_and_the_hybrid_form_has_none():
    """A generator that moves samples down today's form ends where phi is blind; the kernel sees it.

    Forty points are moved freely; what is left of MMD^2 under the kernel itself tells what was missed.
    """
    real, kernel = draw(400, 6), Gaussian([1.5])
    left = {}
    for options in ("features=rff+16", "features=nystrom+16", "features=nystrom+16,hybrid=true"):
        loss = built(f"bandwidths=1.5,{options}")
        if loss.preparation:
            loss.prepare({"x": real[: loss.preparation]})
        reference = loss.reference(loss.summarise_data({"x": real}))
        z = (0.1 * draw(40, 6, seed=1)).requires_grad_()
        optimizer = torch.optim.Adam([z], lr=0.05)
        for _ in range(300):
            optimizer.zero_grad()
            total(loss(reference, loss.statistics(loss.summarise({"x": z})))).backward()
            optimizer.step()
        left[options] = mmd2(z.detach(), real, kernel, unbiased=True).item()
    assert left["features=nystrom+16,hybrid=true"] < 0.5 * left["features=nystrom+16"], left
    assert left["features=nystrom+16,hybrid=true"] < 0.5 * left["features=rff+16"], left


@pytest.mark.parametrize("kernel", ["energy", "gaussian"])
def test_the_linear_form_is_its_formula(kernel):
    """Neighbours in the batch, and one of the data each; as many as the smaller side has."""
    x, y = draw(7, 3), draw(5, 3, seed=1)
    loss = (
        MMDLoss(kernel=kernel, pairs="linear", bandwidths=(2.0,))
        if kernel != "energy"
        else (MMDLoss(kernel=kernel, pairs="linear"))
    )

    def k(a, b):
        squares = (a - b).square().sum(1)
        return -squares.sqrt() if kernel == "energy" else torch.exp(-squares / 8)

    own = x[-5:]
    wanted = k(own, own.roll(1, 0)).mean() + k(y, y.roll(1, 0)).mean() - 2 * k(own, y).mean()
    z = x.clone().requires_grad_()
    distance = against(loss, {"x": z}, {"x": y})
    assert distance.item() == pytest.approx(wanted.item(), rel=1e-9)
    assert torch.autograd.grad(distance, z)[0].isfinite().all()


def test_the_linear_form_is_unbiased():
    """Its mean over batches is the unbiased MMD^2 of many samples, for the energy distance."""
    x, y = draw(4000, 2), draw(4000, 2, seed=1) + 0.5
    loss = MMDLoss(kernel="energy", pairs="linear")
    values = [
        against(loss, {"x": a}, {"x": b}).item()
        for a, b in zip(x.split(20), y.split(20), strict=True)
    ]
    wanted = mmd2(x, y, Energy(), unbiased=True).item()
    error = torch.tensor(values).std().item() / len(values) ** 0.5
    assert abs(sum(values) / len(values) - wanted) < 4 * error


@pytest.mark.parametrize(
    "options",
    [
        "hybrid=true",
        "features=rff+16,hybrid=true",
        "pairs=linear,unbiased=true",
        "pairs=linear,features=rff+16",
    ],
)
def test_what_does_not_fit_is_refused(options):
    with pytest.raises(Incompatible):
        built(options)
