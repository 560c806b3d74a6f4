"""The moment loss against closed forms and its options' definitions."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import Incompatible
from gentk_moments.loss import FULL_LIMIT, MomentsLoss

ROWS = torch.tensor([[0.0, 1.0], [2.0, 1.0], [1.0, 4.0]])
TARGET = {
    "mean": torch.tensor([1.0, 1.0], dtype=torch.float64),
    "covariance": torch.tensor([0.5, 2.0], dtype=torch.float64),
}


def value(loss: MomentsLoss, rows: torch.Tensor, data: dict) -> torch.Tensor:
    """The loss of rows against data statistics."""
    return sum(loss(data, loss.statistics(loss.summarise({"x": rows}))).values())


def test_check_values_of_the_paper_and_of_the_released_code():
    """Rows (0,1),(2,1),(1,4) against mean (1,1), variance (.5,2): 1.027778 biased, 2.25 unbiased."""
    assert value(MomentsLoss(unbiased=False), ROWS, TARGET).item() == pytest.approx(
        1.027778, abs=1e-6
    )
    assert value(MomentsLoss(), ROWS, TARGET).item() == pytest.approx(2.25, abs=1e-6)


@pytest.mark.parametrize("covariance", ["none", "diagonal", "full"])
def test_the_data_itself_has_loss_zero(covariance):
    """Feeding the data through the model's side gives exactly the data's statistics."""
    loss = MomentsLoss(covariance=covariance)
    summary = loss.summarise({"x": torch.randn(50, 7)})
    terms = loss(loss.reference(summary), loss.statistics(summary))

    assert sum(terms.values()).item() == 0


def test_full_covariance_is_the_squared_frobenius_distance():
    """With covariance=full the second term is |C_data - C_model|_F^2."""
    loss = MomentsLoss(covariance="full")
    a, b = torch.randn(30, 4), torch.randn(40, 4)
    data = loss.reference(loss.summarise({"x": a}))
    terms = loss(data, loss.statistics(loss.summarise({"x": b})))

    gap = torch.cov(a.T.double()) - torch.cov(b.T.double())
    assert terms["covariance"].item() == pytest.approx(gap.square().sum().item(), rel=1e-5)


def test_normalising_per_feature_is_free_of_units():
    """With normalise=feature the loss does not change when a feature is measured in other units."""
    loss = MomentsLoss(normalise="feature", epsilon=0)
    scale = torch.tensor([1.0, 50.0, 0.2])
    a, b = torch.randn(60, 3), torch.randn(60, 3) + 0.3

    losses = []
    for factor in (torch.ones(3), scale):
        data = loss.reference(loss.summarise({"x": a * factor}))
        model = loss.statistics(loss.summarise({"x": b * factor}))
        losses.append(sum(loss(data, model).values()).item())

    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("normalise", ["feature", "layer"])
def test_epsilon_is_relative_to_the_variances(normalise):
    """With any epsilon the loss stays free of the unit of all features, and a dead one is finite."""
    loss = MomentsLoss(normalise=normalise, epsilon=0.5)
    a, b = torch.randn(60, 3), torch.randn(60, 3) + 0.3
    a[:, 1] = 0
    losses = []
    for unit in (1.0, 100.0):
        data = loss.reference(loss.summarise({"x": a * unit}))
        losses.append(value(loss, b * unit, data).item())

    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_normalising_per_layer_weights_all_features_of_a_layer_alike():
    """With normalise=layer the weights are one over the layer's mean variance."""
    loss = MomentsLoss(normalise="layer", epsilon=0)
    features = {"a": torch.randn(80, 3) * 4, "b": torch.randn(80, 2)}
    data = loss.reference(loss.summarise(features))

    variance = data["covariance"]
    expected = torch.cat([(1 / variance[:3].mean()).expand(3), (1 / variance[3:].mean()).expand(2)])
    torch.testing.assert_close(data["weight"], expected)


def test_pooling_shrinks_maps_to_channels():
    """With pool=mean a map of 3 x 4 x 4 has 3 features."""
    loss = MomentsLoss(pool="mean")
    assert loss.statistics(loss.summarise({"x": torch.randn(5, 3, 4, 4)}))["mean"].shape == (3,)


def test_too_many_features_for_a_full_covariance_are_refused():
    """Above the limit the error names the number of features and three ways out."""
    loss = MomentsLoss(covariance="full")
    with pytest.raises(Incompatible, match=r"2049; type pool=mean"):
        loss.summarise({"x": torch.randn(2, FULL_LIMIT + 1)})


def test_normalising_without_variances_is_refused():
    """Means alone cannot be normalised by variances that are not kept."""
    with pytest.raises(Incompatible, match="covariance=diagonal"):
        MomentsLoss(covariance="none", normalise="layer")


@pytest.mark.parametrize("normalise", ["feature", "layer"])
def test_features_that_do_not_vary_are_not_divided_by(normalise):
    """With epsilon=0 that is one sentence, with the default it is no trouble."""
    features = {"a": torch.randn(20, 3), "b": torch.ones(20, 2)}
    with pytest.raises(Incompatible, match=r"2 features .* write epsilon=1e-3"):
        loss = MomentsLoss(normalise=normalise, epsilon=0)
        loss.reference(loss.summarise(features))
    loss = MomentsLoss(normalise=normalise)
    assert loss.reference(loss.summarise(features))["weight"].isfinite().all()
