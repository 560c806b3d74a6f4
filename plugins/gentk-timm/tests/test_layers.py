"""Layers: how many there are, which, in what layout, and what is said of those there are not."""

from __future__ import annotations

from itertools import accumulate

import pytest
import torch
from torch import nn

from gentk.errors import BadOption, Incompatible, UnknownName
from gentk_timm.extractor import TimmExtractor
from gentk_timm.layers import bounded, select, tap
from gentk_timm.taps import Call, Tap, collect

K = 1024


def extractor(model, **options):
    return TimmExtractor(model, weights="none", **options)


def shapes(model, size=32, **options):
    features = extractor(model, **options)(torch.rand(2, 3, size, size))
    return {name: tuple(feature.shape) for name, feature in features.items()}


@pytest.mark.parametrize("model", ["vgg19", "vgg19_bn"])
def test_vgg19_has_gfmns_layers(model):
    """All 16 ReLUs of VGG19, with the cumulative feature counts of GFMN's table at 32x32."""
    sizes = [c * h * w for _, c, h, w in shapes(model).values()]
    assert len(sizes) == 16
    totals = list(accumulate(sizes))
    table = {1: 64, 3: 160, 5: 208, 7: 240, 9: 264, 11: 280, 13: 290, 15: 294, 16: 296}
    assert {count: totals[count - 1] for count in table} == {n: k * K for n, k in table.items()}


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ("resnet18", 17),  # the stem, then two in each of eight blocks
        ("seresnet18", 17),  # the same: squeeze-excite adds a ReLU and a sigmoid to each block
        ("ecaresnet50t", 51),  # three in the stem, three in each of 16 blocks; 16 gates
        ("efficientnet_b0", 33),  # as lite0, which has no gates
        ("tf_efficientnet_lite0", 33),
        ("convnext_atto", 12),  # one in each of 2 + 2 + 6 + 2 blocks
        ("vit_tiny_patch16_224", 12),
        ("deit_tiny_patch16_224", 12),
    ],
)
def test_all_counts_non_linearities_without_gates(model, count):
    """`all` is every non-linearity, gates excepted, and every block of a transformer."""
    assert len(extractor(model).layers) == count


def test_gates_are_left_out_by_name():
    """No layer of `all` lies in a squeeze-excite module."""
    layers = extractor("efficientnet_b0").layers
    assert not [name for name in layers if ".se." in name]
    assert layers[0] == "bn1.act"
    assert layers[-1] == "bn2.act"


def test_transformer_blocks_are_tokens():
    """A ViT gives (N, L, D) after every block, for images resized to the one size it takes."""
    found = shapes("vit_tiny_patch16_224")
    assert found == {f"blocks.{n}": (2, 197, 192) for n in range(12)}


def test_swin_maps_are_permuted():
    """Swin computes (N, H, W, C); its features are (N, C, H, W)."""
    found = shapes("swin_tiny_patch4_window7_224", layers=("stages",))
    assert list(found.values()) == [
        (2, 96, 56, 56),
        (2, 192, 28, 28),
        (2, 384, 14, 14),
        (2, 768, 7, 7),
    ]


def test_convnext_maps_are_permuted_where_they_must_be():
    """ConvNeXt's MLPs run on (N, H, W, C) and its stages on (N, C, H, W); both come out alike."""
    found = shapes("test_convnext", 64, layers=("all", "stages"))
    assert {height for _, _, height, _ in found.values()} == {16, 8, 4, 2}
    assert all(height == width for _, _, height, width in found.values())


def test_stages_are_timms():
    """`stages` is what timm lists: for a ResNet the stem and four stages."""
    assert list(shapes("resnet18", layers=("stages",))) == [
        "act1",
        "layer1",
        "layer2",
        "layer3",
        "layer4",
    ]


def test_names_come_in_the_order_they_run():
    """Layers may be named in any order, even in the head; the dictionary has the network's."""
    found = shapes("resnet18", layers=("global_pool", "layer1", "bn1"))
    assert found == {"bn1": (2, 64, 16, 16), "layer1": (2, 64, 8, 8), "global_pool": (2, 512)}


def test_one_string_is_one_layer():
    """From Python, `layers="stages"` means what it says."""
    assert len(extractor("test_resnet", layers="stages").layers) == 5


@pytest.mark.parametrize("size", [32, 96])
def test_the_dry_run_does_not_decide_what_is_a_layer(size):
    """Maps that shrink to one position at a small size are still layers."""
    found = shapes("resnet18", size)
    assert len(found) == 17
    assert found["layer4.1.act2"] == (2, 512, size // 32, size // 32)


def test_first_and_last_keep_what_they_say():
    """`first` and `last` keep that end of what `layers` selects."""
    everything = extractor("test_resnet").layers
    assert extractor("test_resnet", first=3).layers == everything[:3]
    assert extractor("test_resnet", last=2).layers == everything[-2:]


@pytest.mark.parametrize("bound", [0, -1, 4])
@pytest.mark.parametrize("name", ["first", "last"])
def test_bounds_outside_the_layers_are_refused(name, bound):
    """A bound below one or above the number of layers is an error that names this number."""
    calls = [Call(f"layer{n}", 1, (2, 3)) for n in range(3)]
    with pytest.raises(BadOption, match=f"{name}={bound} .* 3 layers"):
        bounded(calls, **{"first": None, "last": None, name: bound})


def test_first_and_last_together_are_refused():
    """Both bounds at once have no meaning."""
    with pytest.raises(BadOption, match="exclude each other"):
        bounded([], 1, 1)


def test_unknown_layers_are_refused_with_close_names():
    """An unknown layer is an error that offers close names and the keywords."""
    with pytest.raises(UnknownName, match=r"'layer1.0.act'.*layer1\.0\.act[12].*layers=stages"):
        extractor("test_resnet", layers=("layer1.0.act",))


class Recurrent(nn.Module):
    """Runs one ReLU three times, and gives a tuple and something that has no rows on the way."""

    def __init__(self):
        super().__init__()
        self.relu, self.mean, self.pair = nn.ReLU(), Mean(), Pair()

    def forward_features(self, x):
        return self.pair(self.relu(self.mean(self.relu(x)) + self.relu(x - 1)))[0]

    forward = forward_features


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(0, keepdim=True)


class Pair(nn.Module):
    def forward(self, x):
        return x, x + 1


def test_a_module_that_runs_again_is_tapped_again():
    """Each call of a shared module is a layer, the later ones with a number."""
    network, images = Recurrent(), torch.rand(2, 3, 8, 8)
    entry, calls = select(network, ["all"], images)
    assert [call.name for call in calls] == ["relu", "relu#2", "relu#3"]
    features = collect(network, entry, [tap(network, call) for call in calls], images + 0.5)
    assert torch.allclose(features["relu#2"], (images - 0.5).relu(), atol=1e-6)
    assert [call.name for call in select(network, ["relu#2"], images)[1]] == ["relu#2"]


@pytest.mark.parametrize("name", ["mean", "pair"])
def test_outputs_that_are_no_features_are_refused(name):
    """A layer whose output is not one tensor with a row for each sample is refused by name."""
    network, images = Recurrent(), torch.rand(2, 3, 8, 8)
    (call,) = select(network, [name], images)[1]
    with pytest.raises(Incompatible, match=f"'{name}' cannot be a feature"):
        tap(network, call)


def test_networks_without_stages_say_so():
    """A keyword that selects nothing is an error that gives names instead."""
    with pytest.raises(Incompatible, match="layers=stages finds nothing"):
        select(Recurrent(), ["stages"], torch.rand(2, 3, 8, 8))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((2, 7, 7, 96), True), ((2, 96, 7, 7), False), ((2, 1, 1, 5), True), ((2, 8, 8, 8), False)],
)
def test_the_channel_axis_is_the_one_that_is_not_like_the_others(shape, expected):
    """Of square images, height and width are equal; a cube is read as timm declares it."""
    assert tap(nn.Identity(), Call("map", 1, shape)) == Tap(Call("map", 1, shape), expected)
