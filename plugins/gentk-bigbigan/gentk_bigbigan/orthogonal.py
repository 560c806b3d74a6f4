"""Orthogonality: of weights at the start, and as a penalty while they are trained."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

__all__ = ["Start", "initialise", "overlap", "penalty_of"]

Start = Literal["orthogonal", "normal"]
"""How weights start: orthogonal matrices, or N(0, 0.02^2)."""


def overlap(weight: Tensor) -> Tensor:
    """Return |W W^T (1 - I)|^2, elementwise product, of W (out, in * k * k): zero for orthogonal rows.

    Its gradient is 4 ((W W^T (1 - I)) W). A matrix of more rows than columns cannot have orthogonal
    rows: there the columns are meant.

    Source: Brock, Donahue and Simonyan, Large Scale GAN Training, 2019, arXiv:1809.11096. The code
    released by its first author adds half of the gradient.
    """
    rows = weight.flatten(1)
    if len(rows) > rows.shape[1]:
        rows = rows.T
    gram = rows @ rows.T
    return gram.square().sum() - gram.diagonal().square().sum()


def penalty_of(network: nn.Module, strength: float) -> dict[str, Tensor]:
    """Return `orthogonal`, `strength` times the overlap of all linear maps and convolutions.

    Weights are meant as they are trained, before spectral normalisation; embeddings are left out.
    """
    if not strength:
        return {}
    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    return {"orthogonal": strength * torch.stack([overlap(_raw(m)) for m in layers]).sum()}


def initialise(network: nn.Module, start: Start) -> None:
    """Give all linear maps, convolutions and embeddings their first weights; biases are zero."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
            weight = _raw(module)
            if start == "orthogonal":
                nn.init.orthogonal_(weight)
            else:
                nn.init.normal_(weight, std=0.02)
            bias = getattr(module, "bias", None)
            if bias is not None:
                nn.init.zeros_(bias)


def _raw(module: nn.Module) -> Tensor:
    """Return the parameter behind a weight."""
    if parametrize.is_parametrized(module, "weight"):
        original: Tensor = module.parametrizations["weight"].original  # type: ignore[index,union-attr]
        return original
    weight: Tensor = module.weight  # type: ignore[assignment]
    return weight
