"""The extractor: frozen, independent per sample, differentiable in its input, clear when wrong."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from gentk.errors import BadOption, Incompatible, UnknownName, WeightsError
from gentk_timm.extractor import TimmExtractor


def extractor(model="test_resnet", seed=0, **options):
    torch.manual_seed(seed)
    return TimmExtractor(model, **{"weights": "none", **options})


@pytest.mark.parametrize("fold", [True, False])
def test_use_changes_nothing(fold):
    """Parameters and buffers are bit-identical after training steps through the extractor."""
    frozen = extractor("resnet18", fold=fold)
    before = copy.deepcopy(frozen.state_dict())
    frozen.train()
    images = torch.rand(4, 3, 32, 32, requires_grad=True)
    for _ in range(2):
        sum(feature.square().mean() for feature in frozen(images).values()).backward()
    assert not any(module.training for module in frozen.modules())
    assert not any(p.requires_grad or p.grad is not None for p in frozen.parameters())
    after = frozen.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert any(isinstance(m, nn.BatchNorm2d) for m in frozen.modules()) is not fold


@pytest.mark.parametrize("model", ["resnet18", "test_efficientnet", "test_vit", "test_convnext"])
def test_samples_do_not_see_their_batch_mates(model):
    """The features of a sample are the same alone and in any company."""
    frozen = extractor(model).double()
    images = torch.rand(3, 3, 64, 64, dtype=torch.double)
    together = frozen(images)
    alone = frozen(images[1:2])
    company = frozen(torch.cat([images[1:2], torch.rand_like(images)]))
    for name, feature in together.items():
        assert torch.allclose(alone[name][0], feature[1], rtol=1e-9, atol=1e-12)
        assert torch.allclose(company[name][0], feature[1], rtol=1e-9, atol=1e-12)


def test_gradients_are_right():
    """The gradient in the images is that of finite differences, through resize and all layers."""
    frozen = extractor("test_efficientnet", resize=20).double()
    images = torch.rand(1, 3, 6, 6, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x: torch.stack([f.square().mean() for f in frozen(x).values()]), images, atol=1e-6
    )


def test_inference_mode_gives_the_same_features():
    """Measuring under inference mode changes nothing."""
    frozen = extractor("resnet18", layers=("bn1", "all"))
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        measured = frozen(images)
    assert all(torch.equal(measured[name], f) for name, f in frozen(images).items())


def test_random_weights_follow_the_global_seed():
    """`weights=none` draws from torch's global random state, and only that decides them."""
    images = torch.rand(1, 3, 32, 32)
    first, again, other = (extractor(seed=seed)(images) for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["layer1.0.act1"], other["layer1.0.act1"])


def test_features_survive_a_copy():
    """A deep copy gives the same features and shares nothing."""
    frozen = extractor()
    images = torch.rand(1, 3, 32, 32)
    twin = copy.deepcopy(frozen)
    assert all(torch.equal(twin(images)[name], f) for name, f in frozen(images).items())
    assert not {p.data_ptr() for p in twin.parameters()} & {
        p.data_ptr() for p in frozen.parameters()
    }


def test_fingerprints_tell_apart_what_differs():
    """Weights, layers, size and folding change the fingerprint; building it again does not."""
    same = {extractor().fingerprint(), extractor().fingerprint()}
    assert len(same) == 1
    variants = [
        extractor(seed=1),
        extractor(first=3),
        extractor(resize=48),
        extractor(fold=False),
        extractor("test_resnet", layers=("stages",)),
    ]
    assert len(same | {variant.fingerprint() for variant in variants}) == 6


def test_unknown_models_are_refused_with_close_names():
    """A misspelt model is an error with close names and the command that lists them."""
    with pytest.raises(UnknownName, match=r"'vgg91'.*vgg1[19].*gentk list extractor 'timm:vgg\*'"):
        extractor("vgg91")


@pytest.mark.parametrize("model", ["hf-hub:timm/vgg19.tv_in1k", "a/b", ""])
def test_paths_are_no_models(model):
    """What is not a name of timm is refused, not fetched."""
    with pytest.raises(UnknownName):
        extractor(model)


def test_renamed_models_say_so():
    """A name that timm has given up leads to the new one."""
    with pytest.raises(UnknownName, match=r"type timm:resnet34\.tv_in1k"):
        extractor("tv_resnet34")


def test_unknown_tags_are_refused_with_the_known_ones():
    """A tag that the model does not have is an error that lists its tags."""
    with pytest.raises(WeightsError, match=r"vgg19 has no weights with the tag 'nope'; .*tv_in1k"):
        extractor("vgg19.nope")


def test_images_too_small_for_the_network_are_refused():
    """8x8 images do not pass five max-pools; the error says to resize, or to stop earlier."""
    with pytest.raises(Incompatible, match=r"8x8 images.*resize=96"):
        extractor("vgg19")(torch.rand(2, 3, 8, 8))
    assert len(extractor("vgg19", first=5)(torch.rand(2, 3, 8, 8))) == 5


def test_other_errors_are_not_taken_for_sizes():
    """A failure that has nothing to do with the size is passed on as it is."""
    frozen = extractor()
    frozen.network.layer1.register_forward_pre_hook(broken)
    with pytest.raises(RuntimeError, match="disk on fire"):
        frozen(torch.rand(2, 3, 32, 32))


def broken(*_):
    raise RuntimeError("disk on fire")


@pytest.mark.parametrize("shape", [(2, 1, 32, 32), (3, 32, 32)])
def test_images_of_another_shape_are_refused(shape):
    """Greyscale images and single ones are refused, with the shape that would do."""
    with pytest.raises(Incompatible, match=r"takes images \(N, 3, H, W\)"):
        extractor()(torch.rand(shape))


@pytest.mark.parametrize(
    ("model", "resize", "advice"),
    [
        ("test_resnet", 0, "type resize=96"),
        ("vgg19", 8, "type resize=96"),
        ("vit_tiny_patch16_224", 64, "leave resize out"),
    ],
)
def test_impossible_sizes_are_refused_at_once(model, resize, advice):
    """A `resize` that the network does not take is refused before any image is seen."""
    with pytest.raises(BadOption, match=f"resize={resize}; {advice}"):
        extractor(model, resize=resize)


def test_networks_of_one_size_resize_by_themselves():
    """A ViT that takes one size only resizes whatever it is given; others do not."""
    assert extractor("test_vit").preparation.size == (160, 160)
    assert extractor("test_resnet").preparation.size is None
    assert extractor("inception_v3").preparation.size is None  # refuses only small ones


@pytest.mark.parametrize(
    ("model", "count", "has_class"), [("test_vit", 1, True), ("test_vit2", 1, False)]
)
def test_pooling_keeps_kinds_of_tokens_apart(model, count, has_class):
    """`mean` is that of the patches, `cls` the first token where it is a class token."""
    torch.manual_seed(0)
    images = torch.rand(2, 3, 160, 160)

    def made(**options):
        torch.manual_seed(1)
        return TimmExtractor(model, weights="none", last=2, **options)

    plain = made()
    whole = plain(images)
    pooled = made(pool="mean")(images)
    for name, tokens in whole.items():
        assert tokens.shape[1] == count + 100
        torch.testing.assert_close(pooled[name], tokens[:, count:].mean(1))
    assert plain.describe()["pool"] == "mean of all tokens"
    assert plain.notes and "pool=mean" in plain.notes[0]
    assert made(pool="mean").fingerprint() != plain.fingerprint()
    assert not made(pool="mean").notes
    if has_class:
        first = made(pool="cls")(images)
        for name, tokens in whole.items():
            assert torch.equal(first[name], tokens[:, 0])
    else:
        with pytest.raises(Incompatible, match="no class token"):
            made(pool="cls")


def test_pooling_of_maps_is_over_space():
    """A network of maps has no class token, and nothing to say of pooling."""
    torch.manual_seed(1)
    plain = TimmExtractor("test_resnet", weights="none", last=1)
    torch.manual_seed(1)
    pooled = TimmExtractor("test_resnet", weights="none", last=1, pool="mean")
    images = torch.rand(2, 3, 64, 64)
    ((name, maps),) = plain(images).items()
    torch.testing.assert_close(pooled(images)[name], maps.mean((2, 3)))
    assert "pool" not in plain.describe() and not plain.notes
    with pytest.raises(Incompatible, match="no class token"):
        TimmExtractor("test_resnet", weights="none", last=1, pool="cls")
