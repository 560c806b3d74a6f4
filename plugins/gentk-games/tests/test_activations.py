"""Penalties on a critic's features, and on what an auto-encoding one makes of images."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption, Incompatible
from gentk.testing import play_of
from gentk_games.activations import ActivationPenalty, AutoencoderPenalty

SIDE = {"features": {"a": torch.tensor([[1.0, 3.0]]), "b": torch.full((1, 2, 2, 2), 2.0)}}
OTHER = {"features": {"a": torch.tensor([[0.0, 2.0]]), "b": torch.zeros(1, 2, 2, 2)}}


def test_activations_are_means_of_squares_summed_over_layers() -> None:
    """(1 + 9) / 2 + 4 of the data, 4 / 2 + 0 of the model, times the weight; or of one layer."""
    terms = ActivationPenalty(weight=2.0)(play_of(SIDE, OTHER))
    assert {k: v.item() for k, v in terms.items()} == {"data": 18.0, "model": 4.0}
    terms = ActivationPenalty(layers=("a",))(play_of(SIDE, OTHER))
    assert {k: v.item() for k, v in terms.items()} == {"data": 5.0, "model": 2.0}


def test_reconstructions_are_compared_with_images() -> None:
    """The mean of squares over all values of both sides; gradient reaches the reconstruction."""
    images = torch.zeros(2, 1, 2, 2)
    again = torch.full((2, 1, 2, 2), 0.5, requires_grad=True)
    real = {"images": images, "features": {"reconstruction": again}}
    model = {"images": images + 1, "features": {"reconstruction": again}}
    terms = AutoencoderPenalty()(play_of(real, model))
    assert {k: v.item() for k, v in terms.items()} == {"data": 2.0, "model": 2.0}
    terms["data"].backward()
    assert torch.equal(again.grad, torch.full_like(again, 8 * 2 * 0.5 / 8))


def test_what_cannot_be_is_refused() -> None:
    """Weights that are none, layers that are none, critics that make no images again."""
    for penalty in (ActivationPenalty, AutoencoderPenalty):
        with pytest.raises(BadOption):
            penalty(weight=0.0)
    with pytest.raises(Incompatible, match=r"layers=a\+b"):
        ActivationPenalty(layers=("c",))(play_of(SIDE, OTHER))
    with pytest.raises(Incompatible, match="mmdgan-autoencoder"):
        AutoencoderPenalty()(play_of(SIDE, OTHER))
