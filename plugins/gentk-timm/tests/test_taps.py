"""Taps: features are what the network computed, nothing more runs, nothing is left behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gentk_timm.extractor import TimmExtractor


def count_calls(module):
    calls = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_nothing_runs_after_the_last_layer():
    """The forward pass ends at the last layer: later modules are not called."""
    extractor = TimmExtractor("vgg19", weights="none", first=3)
    assert extractor.layers == ("features.1", "features.3", "features.6")
    calls = {name: count_calls(m) for name, m in extractor.network.features.named_children()}
    extractor(torch.rand(1, 3, 32, 32))
    assert [name for name, seen in calls.items() if seen] == [str(n) for n in range(7)]


def test_hooks_do_not_leak():
    """After a forward pass, whether it went well or not, no module has a hook."""
    extractor = TimmExtractor("test_resnet", weights="none")

    def hooks():
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in extractor.modules())

    extractor(torch.rand(1, 3, 32, 32))
    assert hooks() == 0
    with pytest.raises(RuntimeError):
        extractor.network.layer2[0].conv1.register_forward_hook(fail)
        extractor(torch.rand(1, 3, 32, 32))
    assert hooks() == 1


def fail(*_):
    raise RuntimeError("a broken module")


def test_unused_parts_are_dropped():
    """The classifier is gone: VGG19 keeps its 20 million parameters of 144 million."""
    extractor = TimmExtractor("vgg19", weights="none")
    assert sum(p.numel() for p in extractor.parameters()) == 20_024_384


@pytest.mark.parametrize(
    ("model", "layers"),
    [
        ("resnet18", ("all",)),
        ("resnet18", ("bn1", "layer1.0.bn2", "layer1", "layer2.0.downsample")),
        ("vgg19_bn", ("all", "features.0", "features.1", "features.2")),
        ("tf_efficientnet_lite0", ("all",)),
        ("test_vit", ("all", "blocks.0.norm1")),
    ],
)
def test_in_place_operations_do_not_reach_features(model, layers):
    """Features equal those of a network in which every operation on them is out of place."""
    torch.manual_seed(0)
    extractor = TimmExtractor(model, layers=layers, weights="none")
    images = torch.rand(2, 3, 32, 32)
    features = extractor(images)
    for module in extractor.network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    kept = {}

    def keep(name):
        def hook(module, arguments, output):
            kept[name] = output.clone()

        return hook

    for name in extractor.layers:
        extractor.network.get_submodule(name).register_forward_hook(keep(name))
    extractor.network.forward_features(extractor.preparation(images))
    assert list(features) == list(extractor.layers)
    assert all(torch.equal(features[name], kept[name]) for name in features)


def test_only_overwritten_features_are_copied():
    """Non-linearities are kept without a copy; a norm before an in-place ReLU is copied."""
    plain = TimmExtractor("resnet18", weights="none")
    assert not any(tap.copied for tap in plain._taps)
    mixed = TimmExtractor("resnet18", weights="none", layers=("bn1", "act1"))
    assert [tap.copied for tap in mixed._taps] == [True, False]
    normed, activated = mixed(torch.rand(1, 3, 32, 32)).values()
    assert normed.min() < 0
    assert torch.equal(normed.relu(), activated)


@pytest.mark.parametrize("model", ["resnet18", "tf_efficientnet_lite0", "test_convnext"])
def test_channels_last_images_give_channels_last_maps(model):
    """Maps keep the memory format of the images."""
    extractor = TimmExtractor(model, weights="none")
    images = torch.rand(2, 3, 64, 64).to(memory_format=torch.channels_last)
    formats = [
        feature.is_contiguous(memory_format=torch.channels_last)
        for feature in extractor(images).values()
    ]
    assert all(formats)


def test_gradients_pass_through_copies():
    """A copied feature carries its gradient, and it is that of the operation it taps."""
    extractor = TimmExtractor("resnet18", weights="none", layers=("bn1",), fold=False).double()
    images = torch.rand(1, 3, 8, 8, dtype=torch.double, requires_grad=True)
    assert isinstance(extractor.network.bn1, nn.BatchNorm2d)
    assert torch.autograd.gradcheck(lambda x: extractor(x)["bn1"], images)
