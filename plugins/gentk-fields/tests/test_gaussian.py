"""`gaussian-kl`: check values, the transcription, ridges, both sides' covariances."""

from __future__ import annotations

import math

import pytest
import torch
from field_formulas import gaussian_kl

from gentk.errors import BadOption, DataError, Incompatible
from gentk.field import FieldLoss
from gentk.interfaces import total
from gentk.summary import LayerMoments, MomentSums
from gentk_fields.gaussian import STRIP, GaussianKL, score_gap


def draw(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def normal(variance, mean, ridge=0.0):
    """Mean, variance and its inverse with the ridge, of one feature."""
    one = torch.ones(1, dtype=torch.float64)
    return mean * one, variance * one, 1 / (variance * one + ridge)


@pytest.mark.parametrize("form", ["diagonal", "full"])
@pytest.mark.parametrize(
    ("ridge", "expected"),
    [(0.0, (-0.5, 0.25, 1.75)), (0.1, (-0.42128603, 0.24390244, 1.57427938))],
)
def test_check_values(form, ridge, expected):
    """Of p = N(1, 4), q = N(0, 1), z = (-1, 0, 2)."""
    z = torch.tensor([[-1.0], [0.0], [2.0]], dtype=torch.float64)
    (mean_p, _, precision), (mean_q, cov_q, _) = normal(4, 1, ridge), normal(1, 0)
    if form == "full":
        precision, cov_q = precision[:, None], cov_q[:, None]
    v = score_gap(z, (mean_p, precision), (mean_q, cov_q), ridge)
    torch.testing.assert_close(v[:, 0], torch.tensor(expected).double(), rtol=0, atol=1e-7)


def test_the_loss_has_its_half():
    """L = .5625 of the check values."""

    class Given(FieldLoss):
        def field(self, z, data, model):
            return GaussianKL.field(self, z, data, model)

    z = torch.tensor([[-1.0], [0.0], [2.0]], dtype=torch.float64)
    (mean_p, cov_p, precision), (mean_q, cov_q, _) = normal(4, 1), normal(1, 0)
    data = {"mean": mean_p, "covariance": cov_p, "precision of covariance": precision}
    data["ridge of covariance"] = torch.zeros(())
    model = {"samples": z, "mean": mean_q, "covariance": cov_q}
    terms = GaussianKL(covariance="diagonal")(data, model)
    assert total(terms).item() == pytest.approx(0.5625, abs=1e-9)


@pytest.mark.parametrize("size", [5, STRIP, 2 * STRIP + 7])
def test_it_is_the_transcription(size):
    """With plain inverses, in float64; float32 features are as near as their rounding."""
    z, a, b = draw(9, size), draw(40, size, seed=1) + 0.3, draw(30, size, seed=2)
    p, q = ((v.mean(0), torch.cov(v.T)) for v in (a, b))
    inverse = torch.linalg.inv(p[1] + 0.2 * torch.eye(size).double())
    wanted = gaussian_kl(z, p, q, 0.2)
    torch.testing.assert_close(score_gap(z, (p[0], inverse), q, 0.2), wanted, rtol=1e-9, atol=1e-12)
    rough = score_gap(z.float(), (p[0], inverse), q, 0.2)
    assert rough.dtype == torch.float32
    assert (rough.double() - wanted).norm() < 1e-5 * wanted.norm()


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6])
def test_float32_is_as_near_as_the_condition_number_says(condition):
    """Features of any condition: the relative error of V is below 1e-6 + 1e-7 (l + r) / r."""
    scales = torch.logspace(0, -0.5 * math.log10(condition), 60).double()
    turn = torch.linalg.qr(draw(60, 60, seed=3))[0]
    z, a, b = ((draw(n, 60, seed=n) * scales) @ turn for n in (32, 400, 300))
    p, q = ((v.mean(0), torch.cov(v.T)) for v in (a, 1.3 * b + 0.1 * scales[0]))
    ridge = scales[-1] ** 2
    inverse = torch.linalg.inv(p[1] + ridge * torch.eye(60).double())
    wanted = score_gap(z, (p[0], inverse), q, ridge)
    found = score_gap(z.float(), (p[0], inverse.float()), q, ridge).double()
    largest = torch.linalg.eigvalsh(q[1])[-1]
    assert (found - wanted).norm() / wanted.norm() < 1e-6 + 1e-7 * (largest + ridge) / ridge


@pytest.mark.parametrize("form", ["layers", "full"])
def test_a_singular_covariance_in_float32_stays_positive(form):
    """Of fewer samples than features, with the smallest ridge there is: V is finite, and a descent."""
    features = {"a": draw(40, 300).float() * torch.logspace(0, -4, 300)}
    loss = GaussianKL(covariance=form, ridge=0.0)
    loss.prepare(features)
    data = loss.reference(loss.summarise_data(features))
    assert data[f"precision of {loss.names[0][1]}"].dtype == torch.float32
    moved = {"a": 1.5 * features["a"] + 1}
    assert total(loss(data, loss.statistics(loss.summarise(moved)))).isfinite()


@pytest.mark.parametrize("size", [64, 320])
@pytest.mark.parametrize("together", [10.0, 100.0, 1e4])
def test_features_that_move_together_leave_the_matrix_positive(size, together):
    """One eigenvalue is as large as all variances: V of the model is shrunk, never of another size."""
    z = draw(600, size) * torch.logspace(0, -2, size) + together * draw(600, 1, seed=1)
    nothing, one = torch.zeros(size), torch.eye(size)
    q = z.mean(0), torch.cov(z.T)
    wanted = score_gap(z, (nothing.double(), one.double()), q, 1e-3) + z
    found = score_gap(z.float(), (nothing, one), q, 1e-3) + z.float()
    assert found.norm() < 1.01 * wanted.norm() and (found * wanted).sum() > 0


def test_an_average_in_float32_is_near_one_in_float64():
    """Matrices are tracked in the features' type: V is off by a few of its roundings."""
    scales = torch.logspace(0, -1.5, 150)
    batches = [draw(64, 150, seed=k).float() * scales + 0.2 for k in range(300)]
    fields = []
    for kind in (torch.float32, torch.float64):
        loss = GaussianKL()
        images = {"a": 1.3 * torch.cat(batches[:20]).to(kind)}
        data = loss.reference(loss.summarise_data(images))
        model = loss.statistics(loss.summarise({"a": batches[0].to(kind)}))
        average = model["covariance"]
        assert average.dtype == data["covariance"].dtype == kind
        for batch in batches[1:]:
            model = loss.statistics(loss.summarise({"a": batch.to(kind)}))
            average = torch.lerp(average, model["covariance"], 0.01)
        [(z, theirs, ours)] = loss.parts(data, {**model, "covariance": average})
        fields.append(loss.field(z, theirs, ours).velocity.double())
    assert (fields[0] - fields[1]).norm() < 2e-5 * fields[1].norm()


@pytest.mark.parametrize("covariance", ["full", "layers", "diagonal"])
def test_moments_of_a_batch_are_those_of_its_sums(covariance):
    """Means and covariances of samples at hand are those that the data's side would have of them."""
    features = {"a": draw(30, 4) + 100, "b": draw(30, 3, seed=1) * 5}
    loss = GaussianKL(covariance=covariance)
    loss.prepare(features)
    model, sums = loss.statistics(loss.summarise(features)), loss.summarise_data(features)
    for name, wanted in loss.kept.statistics(sums).items():
        torch.testing.assert_close(model[name], wanted, rtol=1e-9, atol=1e-11)
    with pytest.raises(DataError, match="2 samples"):
        loss.statistics(loss.summarise({name: value[:1] for name, value in features.items()}))


@pytest.mark.parametrize("covariance", ["full", "layers", "diagonal"])
def test_equal_moments_have_no_field(covariance):
    """V is 0 everywhere, whatever the ridge, where the model's moments are the data's."""
    features = {"a": draw(30, 4), "b": draw(30, 3, seed=1) * 5}
    loss = GaussianKL(covariance=covariance)
    loss.prepare(features)
    data = loss.reference(loss.summarise_data(features))
    model = loss.statistics(loss.summarise(features))
    assert total(loss(data, model)).item() < 1e-20


def test_forms_agree_where_layers_and_features_do_not_covary():
    """Of uncorrelated features all forms are one: their own ridges aside."""
    rows = draw(64, 6)
    rows = torch.linalg.qr(rows - rows.mean(0))[0] * 63**0.5 * torch.tensor([1, 1, 1, 2, 2, 2.0])
    features = {"a": rows[:, :3], "b": rows[:, 3:]}
    moved = {k: v * 1.5 + 0.2 for k, v in features.items()}
    values = []
    for covariance in ("full", "layers", "diagonal"):
        loss = GaussianKL(covariance=covariance, ridge=0.0)
        loss.prepare(features)
        data = loss.reference(loss.summarise_data(features))
        if covariance == "layers":
            # Each layer's lowest eigenvalue is its own.
            assert data["ridge of covariance/1"].item() == pytest.approx(4, rel=1e-6)
            continue
        values.append(total(loss(data, loss.statistics(loss.summarise(moved)))).item())
    assert values[0] == pytest.approx(values[1], rel=1e-5)


def test_the_ridge_is_a_quantile_of_the_eigenvalues():
    """Between two eigenvalues it is in between, as torch.quantile has it."""
    features = {"a": draw(50, 7) * torch.arange(1, 8)}
    values = torch.linalg.eigvalsh(torch.cov(features["a"].T))
    for quantile in (0.0, 0.37, 0.6, 1.0):
        loss = GaussianKL(ridge=quantile)
        ridge = loss.reference(loss.summarise_data(features))["ridge of covariance"]
        assert ridge.item() == pytest.approx(values.quantile(quantile).item(), rel=1e-9)


def test_directions_that_the_data_do_not_have_are_no_part_of_the_quantile():
    """Of fewer images than features, and of constant ones: the ridge is one of what there is."""
    few = torch.cat([draw(6, 9), torch.ones(6, 3).double()], dim=1)
    values = torch.linalg.eigvalsh(torch.cov(few.T))[-5:]
    loss = GaussianKL(ridge=0.6)
    ridge = loss.reference(loss.summarise_data({"a": few}))["ridge of covariance"]
    assert ridge.item() == pytest.approx(values.quantile(0.6).item(), rel=1e-6)


def test_constant_features_are_no_trouble():
    """A ridge that would be 0 is not: fields stay finite."""
    features = {"a": torch.cat([draw(20, 2), torch.ones(20, 5).double()], dim=1)}
    loss = GaussianKL()
    data = loss.reference(loss.summarise_data(features))
    model = loss.statistics(loss.summarise({"a": features["a"] + 1}))
    assert total(loss(data, model)).isfinite()


def test_the_data_are_sums():
    """Data sides are of fixed size, those of a model the samples; a batch is not needed of the data."""
    features = {"a": draw(8, 3, 2, 2), "b": draw(8, 4)}
    for covariance, kind in (("full", MomentSums), ("layers", LayerMoments)):
        loss = GaussianKL(covariance=covariance)
        assert loss.data_summary is kind and isinstance(loss.summarise_data(features), kind)


@pytest.mark.parametrize("options", [{"ridge": -0.1}, {"ridge": 1.5}, {"eta": 0.0}])
def test_what_cannot_be_is_refused(options):
    with pytest.raises(BadOption, match=next(iter(options))):
        GaussianKL(**options)


def test_too_many_features_are_refused():
    with pytest.raises(Incompatible, match="covariance=diagonal"):
        GaussianKL(pool="none").summarise_data({"a": torch.zeros(2, 5000)})
