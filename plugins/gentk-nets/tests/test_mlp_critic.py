"""The fully connected critic: its formula, maxout, dropout, first weights."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption
from gentk.interfaces import ImageShape
from gentk_nets.mlp import MLPGenerator
from gentk_nets.mlp_critic import MLPCritic

TINY = ImageShape(1, 3, 4)


def critic(**options):
    """A small critic in double precision."""
    torch.manual_seed(0)
    return MLPCritic(image=TINY, latent=2, **{"widths": (5, 4), **options}).double()


def test_maxout_is_its_formula():
    """h_i is the largest of `pieces` neighbouring linear maps; the score is linear in the last h."""
    network = critic(activation="maxout", pieces=3)
    for values in network.parameters():
        torch.nn.init.normal_(values)
    weights = list(network.parameters())
    images = torch.rand(6, *TINY, dtype=torch.float64)

    hidden = images.reshape(6, -1)
    for weight, bias in (weights[:2], weights[2:4]):
        maps = hidden @ weight.T + bias
        hidden = torch.stack([maps[:, k::3] for k in range(3)]).amax(0)
    score = hidden @ weights[4][0] + weights[5]

    scores, features = network.judge(images)
    torch.testing.assert_close(scores["x"], score)
    assert {name: rows.shape[1] for name, rows in features.items()} == {"layer1": 5, "layer2": 4}


def test_the_first_gans_networks_have_the_published_sizes():
    """240 units of five pieces, twice, against 1200 rectifiers, twice; first weights within bounds."""
    mnist = ImageShape(1, 28, 28)
    options = {"widths": (240, 240), "activation": "maxout", "pieces": 5, "bound": 0.005}
    judge = MLPCritic(image=mnist, latent=100, range="unit", **options)
    assert sum(p.numel() for p in judge.parameters()) == (785 + 241) * 1200 + 241
    assert judge.range == "unit" and MLPCritic(image=mnist, latent=1).range == "signed"
    generator = MLPGenerator(image=mnist, widths=(1200, 1200), bound=0.05)
    assert sum(p.numel() for p in generator.parameters()) == 101 * 1200 + 1201 * 1200 + 1201 * 784
    for network, bound in ((judge, 0.005), (generator, 0.05)):
        for name, values in network.named_parameters():
            if name.endswith("bias"):
                assert not values.any()
            else:
                assert 0.98 * bound < values.abs().max() <= bound


def test_dropout_is_in_training_alone_and_of_each_layers_inputs():
    """Shares of pixels, of hidden units, of what the score reads; two passes differ in training."""
    network = critic(dropout=(0.2, 0.5, 0.5))
    images = torch.rand(6, *TINY, dtype=torch.float64)
    torch.manual_seed(1)
    assert not torch.equal(network(images)["x"], network(images)["x"])
    network.eval()
    torch.testing.assert_close(network(images)["x"], critic().eval()(images)["x"])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"pieces": 1}, "pieces=2"),
        ({"bound": 0.0}, "bound=1"),
        ({"dropout": (0.2, 0.5)}, r"dropout=0.2\+0.5\+0.5"),
        ({"widths": (0,)}, "widths=1"),
    ],
    ids=str,
)
def test_what_it_cannot_do_is_answered_with_what_to_write(options, named):
    """One option each."""
    with pytest.raises(BadOption, match=named):
        critic(**options)
