"""Fold: the folded network computes what the network computed, and only what may be folded is."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.layers import ScaledStdConv2d
from torch import nn

from gentk_timm.extractor import TimmExtractor
from gentk_timm.fold import FoldedNorm, fold


def randomise(network):
    """Give the norms statistics and gains worth folding."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            if module.affine:
                module.weight.data.uniform_(0.5, 1.5, generator=generator)
                module.bias.data.normal_(0, 0.3, generator=generator)
    return network.eval()


def outputs(network, images, kinds=(nn.ReLU, nn.ReLU6, nn.SiLU)):
    found = []
    handles = [
        module.register_forward_hook(lambda m, a, output: found.append(output.clone()))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    found.append(network.forward_features(images).clone())
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("model", ["resnet18", "tf_efficientnet_lite0", "vgg11_bn", "dla34"])
def test_folding_changes_nothing_but_speed(model, dtype, tolerance):
    """Every activation and the gradient agree to rounding, and no foldable norm is left."""
    torch.manual_seed(0)
    network = randomise(timm.create_model(model, num_classes=0)).to(dtype)
    images = torch.rand(2, 3, 32, 32, dtype=dtype, requires_grad=True)
    before = outputs(network, images)
    slope = torch.autograd.grad(before[-1].square().mean(), images)[0]
    count = fold(network, lambda: [network.forward_features(images)])
    assert count == sum(isinstance(m, nn.Conv2d) for m in body(network))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    after = outputs(network, images)
    after_slope = torch.autograd.grad(after[-1].square().mean(), images)[0]
    for old, new in zip(before, after, strict=True):
        assert (old - new).abs().max() <= tolerance * old.abs().max()
    assert (slope - after_slope).abs().max() <= 10 * tolerance * slope.abs().max()


def body(network):
    """Return the modules in front of the head."""
    return [
        module
        for name, module in network.named_modules()
        if not name.startswith(("head", "pre_logits", "fc"))
    ]


class Net(nn.Module):
    """A convolution and a norm, wired by the function given."""

    def __init__(self, wire, convolution=nn.Conv2d):
        super().__init__()
        self.conv, self.norm, self.wire = convolution(3, 4, 3), nn.BatchNorm2d(4), wire

    def forward_features(self, x):
        return self.wire(self, x)


def folded(network, wanted=lambda network, x: [network.forward_features(x)]):
    images = torch.rand(2, 3, 8, 8)
    randomise(network)
    with torch.no_grad():
        before = network.forward_features(images)
        count = fold(network, lambda: wanted(network, images))
        assert torch.allclose(network.forward_features(images), before, rtol=1e-5, atol=1e-6)
    return count


def test_a_norm_on_its_own_convolution_is_folded():
    """The plain case is folded, with and without a bias of the convolution."""
    assert folded(Net(lambda net, x: net.norm(net.conv(x)))) == 1
    without = Net(
        lambda net, x: net.norm(net.conv(x)), lambda *sizes: nn.Conv2d(*sizes, bias=False)
    )
    assert folded(without) == 1


def through_function(net, x):
    y = net.conv(x)
    return net.norm(y) + y.relu()


def through_view(net, x):
    y = net.conv(x)
    return net.norm(y) * y[:, :1]


@pytest.mark.parametrize(
    "wire",
    [
        through_function,
        through_view,
        lambda net, x: net.norm(net.conv(x)) + net.norm(net.conv(1 - x)),
        lambda net, x: net.norm(net.conv(x).relu()),
        lambda net, x: net.norm(2 * net.conv(x)),
    ],
    ids=["function", "view", "twice", "relu", "scaled"],
)
def test_other_readers_forbid_folding(wire):
    """A convolution whose output goes anywhere but to one norm, once, is left alone."""
    assert folded(Net(wire)) == 0


def test_wanted_outputs_forbid_folding():
    """A convolution whose own output is a feature is left alone."""

    def wanted(net, x):
        y = net.conv(x)
        return [y, net.norm(y)]

    assert folded(Net(lambda net, x: net.norm(net.conv(x))), wanted) == 0


def test_convolutions_that_change_their_weight_are_left_alone():
    """Weight standardisation would undo the folded scale."""
    assert folded(Net(lambda net, x: net.norm(net.conv(x)), ScaledStdConv2d)) == 0


def test_names_of_layers_survive():
    """An activation inside a folded norm keeps its name; a tapped convolution keeps its values."""
    options = {"weights": "none", "layers": ("conv_stem", "bn1", "blocks.0.0.bn1.act")}
    torch.manual_seed(0)
    plain = TimmExtractor("test_efficientnet", fold=False, **options)
    torch.manual_seed(0)
    folded_too = TimmExtractor("test_efficientnet", **options)
    assert isinstance(folded_too.network.blocks[0][0].bn1, FoldedNorm)
    assert isinstance(folded_too.network.bn1, nn.BatchNorm2d)
    images = torch.rand(2, 3, 32, 32)
    assert folded_too.layers == plain.layers == options["layers"]
    for name, feature in plain(images).items():
        assert torch.allclose(folded_too(images)[name], feature, atol=1e-6)
