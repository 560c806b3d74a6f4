"""The outputs of blocks, one after another."""

from __future__ import annotations

import torch
from torch import nn

from gentk.layers import numbered


def test_each_block_takes_what_the_one_before_gave():
    """By number, in order, the last one beside; without blocks there is what was put in."""
    inputs = torch.arange(3.0)
    layers, last = numbered([nn.Softplus(), nn.Tanh()], inputs)

    assert list(layers) == ["layer1", "layer2"]
    assert torch.equal(layers["layer1"], nn.functional.softplus(inputs))
    assert last is layers["layer2"] and torch.equal(last, layers["layer1"].tanh())
    assert numbered([], inputs)[0] == {} and numbered([], inputs)[1] is inputs
