"""What all encoders of the distribution have in common, and the sizes of each."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gentk.interfaces import Encoder, ImageShape
from gentk_nets.dcgan_encoder import DCGANEncoder
from gentk_nets.mlp import MLPGenerator
from gentk_nets.mlp_encoder import MLPEncoder
from gentk_nets.vgg_encoder import VGGEncoder

Build = Callable[[], Encoder]
COLOUR = ImageShape(3, 32, 32)
DIGIT = ImageShape(1, 28, 28)


def builder(kind: type[Encoder], shape: tuple[int, int, int], **options: Any) -> Any:
    """Return a named test case that builds one encoder."""
    written = ",".join(f"{key}={value}" for key, value in options.items())
    label = f"{kind.__name__}-{'x'.join(map(str, shape))}-{written}"
    return pytest.param(lambda: kind(image=ImageShape(*shape), latent=5, **options), id=label)


OUTPUTS = ("sigmoid", "tanh", "linear")
CASES = [
    *(builder(DCGANEncoder, (c, s, s), width=4) for c in (1, 3) for s in (32, 48, 64, 128)),
    builder(DCGANEncoder, (3, 32, 32), width=4, extra=0, output="linear"),
    *(builder(VGGEncoder, (c, s, s), width=4) for c in (1, 3) for s in (32, 64, 96)),
    builder(VGGEncoder, (3, 32, 32), width=4, output="linear"),
    *(builder(MLPEncoder, (1, 28, 28), widths=(7,), output=output) for output in OUTPUTS),
    builder(MLPEncoder, (3, 8, 5), widths=(12, 13), activation="relu"),
    builder(MLPEncoder, (3, 8, 5), widths=(6, 7), activation="tanh", dropout=(0.2, 0.0, 0.5)),
    builder(MLPEncoder, (1024, 1, 1), widths=()),
    builder(MLPEncoder, (1024, 1, 1), widths=(), dropout=(0.5,)),
]
each = pytest.mark.parametrize("build", CASES)


def draw(encoder: Encoder, count: int = 6) -> torch.Tensor:
    """Draw images over the whole of the range that the encoder expects."""
    images = torch.rand(count, *encoder.image)
    return images if encoder.range == "unit" else 2 * images - 1


def size(*networks: nn.Module) -> int:
    """The number of the networks' parameters."""
    return sum(p.numel() for network in networks for p in network.parameters())


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (lambda: DCGANEncoder(image=COLOUR, latent=128), 1_257_600),
        # VGG13's published convolutions, then their batch norms and our linear map
        (
            lambda: VGGEncoder(image=COLOUR, latent=128, width=64),
            9_404_992 + 2 * 2944 + 512 * 128 + 128,
        ),
        (lambda: MLPEncoder(image=DIGIT, latent=3, widths=()), 784 * 3 + 3),
    ],
)
def test_parameter_counts(build: Build, count: int) -> None:
    """The networks have exactly the parameters of the published ones."""
    with torch.device("meta"):
        assert size(build()) == count


@pytest.mark.parametrize(
    ("side", "code", "widths", "count"),
    [(28, 32, (1024,), 1_674_032), (48, 128, (512, 512), 3_019_136)],
)
def test_gmmn_auto_encoders_have_the_published_parameters(
    side: int, code: int, widths: tuple[int, ...], count: int
) -> None:
    """GMMN's auto-encoders of MNIST and of the Toronto faces: encoder and generator `mlp`."""
    image = ImageShape(1, side, side)
    with torch.device("meta"):
        encoder = MLPEncoder(image=image, latent=code, widths=widths)
        decoder = MLPGenerator(image=image, latent=code, widths=widths, activation="sigmoid")
    assert size(encoder, decoder) == count


def test_readme_states_the_parameter_counts() -> None:
    """The table of the encoders' parameter counts in the README is the truth."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    builds: list[Callable[[int], Encoder]] = [
        lambda side: MLPEncoder(image=ImageShape(1, side, side), latent=32),
        lambda side: DCGANEncoder(image=ImageShape(3, side, side), latent=128),
        lambda side: VGGEncoder(image=ImageShape(3, side, side), latent=128),
    ]
    rows = re.findall(r"^\| (\d+) \|([^|]*)\|([^|]*)\|([^|]*)\|$", readme, re.MULTILINE)
    cells = [(int(s), b, c) for s, *row in rows for b, c in zip(builds, row, strict=True)]
    stated = [(side, build, cell.strip()) for side, build, cell in cells if cell.strip()]
    assert len(stated) == 15
    with torch.device("meta"):
        for side, build, cell in stated:
            assert f"{size(build(side)):,}" == cell, side


@pytest.mark.parametrize(
    ("build", "counts"),
    [
        (lambda: DCGANEncoder(image=COLOUR, latent=128), [16, 16, 16, 8, 4]),
        (
            lambda: VGGEncoder(image=COLOUR, latent=128, width=64),
            [64, 64, 32, 32, 16, 16, 8, 8, 2, 2],
        ),
    ],
)
def test_feature_counts_are_the_published_ones(build: Build, counts: list[int]) -> None:
    """In units of 1024, layer by layer: GFMN's encoders have 60K (DCGAN) and 244K (VGG) features."""
    found = build().eval().features(torch.zeros(1, *COLOUR))
    assert found.pop("code").shape == (1, 128)
    assert [value.numel() for value in found.values()] == [1024 * count for count in counts]
    assert sum(counts) in (60, 244)


@each
def test_latents_have_the_shape_and_range_declared(build: Build) -> None:
    """Latents have the declared dimension, keep to the declared range and tell images apart."""
    torch.manual_seed(0)
    encoder = build()
    latents = encoder(draw(encoder))
    assert latents.shape == (6, 5) == (6, encoder.latent)
    if encoder.code_range is not None:
        low = 0 if encoder.code_range == "unit" else -1
        assert low <= latents.min() < latents.max() <= 1
    assert latents.std(0).min() > 0


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        *((MLPEncoder, output) for output in OUTPUTS),
        *((kind, output) for kind in (DCGANEncoder, VGGEncoder) for output in ("tanh", "linear")),
    ],
)
def test_code_range_follows_the_output(kind: Any, output: str) -> None:
    """A sigmoid keeps large latents in [0, 1], a tanh in [-1, 1], a linear output nowhere."""
    torch.manual_seed(0)
    narrow = {"widths": (9,)} if kind is MLPEncoder else {"width": 4}
    encoder = kind(image=COLOUR, latent=20, output=output, **narrow)
    last = [m for m in encoder.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    nn.init.normal_(last.weight, std=10)
    latents = encoder(draw(encoder))
    assert encoder.code_range == {"sigmoid": "unit", "tanh": "signed", "linear": None}[output]
    assert (latents.abs().max() > 1) == (output == "linear")
    assert (latents.min() < 0) == (output != "sigmoid")


@each
@pytest.mark.parametrize("training", [True, False])
def test_a_gradient_reaches_every_parameter(build: Build, training: bool) -> None:
    """Every parameter gets a finite gradient, in eval mode one that is not zero everywhere."""
    torch.manual_seed(0)
    encoder = build().train(training)
    images = draw(encoder, 8).requires_grad_()
    latents = encoder(images)
    (latents * torch.randn_like(latents)).sum().backward()
    assert images.grad is not None
    assert images.grad.any()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # While training, a bias in front of a batch norm has no influence, and no gradient.
        assert training or parameter.grad.any(), name


@each
def test_features_end_with_what_forward_returns(build: Build) -> None:
    """Layers are numbered in the network's order, from the input on; the last is the latent."""
    torch.manual_seed(0)
    encoder = build().eval()
    images = draw(encoder)
    found = encoder.features(images)
    assert list(found) == [f"layer{n}" for n in range(1, len(found))] + ["code"]
    assert torch.equal(found["code"], encoder(images))
    assert all(len(value) == 6 for value in found.values())
    sides = [value.shape[2] for value in found.values() if value.ndim == 4]
    assert sides == sorted(sides, reverse=True)


@pytest.mark.parametrize("kind", [DCGANEncoder, VGGEncoder])
def test_features_are_relus(kind: Any) -> None:
    """Convolutional features are outputs of ReLUs, which no later layer has overwritten."""
    torch.manual_seed(0)
    encoder = kind(image=COLOUR, latent=5, width=4).eval()
    images = draw(encoder)
    hidden = images
    for block, (name, value) in zip(encoder.blocks, encoder.features(images).items(), strict=False):
        hidden = block(hidden)
        assert torch.equal(hidden, value), name
        assert value.min() == 0 < value.max(), name


@each
def test_eval_mode_reads_every_image_for_itself(build: Build) -> None:
    """In eval mode a latent does not depend on the rest of the batch, nor on chance."""
    torch.manual_seed(0)
    encoder = build()
    images = draw(encoder)
    encoder(images)  # moves the statistics of batch norm
    encoder.eval()
    alone = torch.cat([encoder(image[None]) for image in images])
    torch.testing.assert_close(alone, encoder(images), rtol=1e-4, atol=1e-5)
    assert torch.equal(encoder(images), encoder(images))


@each
def test_state_dict_holds_everything(build: Build) -> None:
    """An encoder loaded from another's state gives the same latents, bit by bit."""
    source, copy = build(), build()
    images = draw(source)
    source(images)
    copy.load_state_dict(source.state_dict(), strict=True)
    assert torch.equal(copy.eval()(images), source.eval()(images))


@each
def test_channels_last_weights_give_the_same_latents(build: Build) -> None:
    """Memory format changes speed only, and a code's values stay in their order."""
    encoder = build().double().eval()
    images = draw(encoder).double()
    before = encoder(images)
    encoder.to(memory_format=torch.channels_last)
    after = encoder(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(after, before, rtol=0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(shape=st.tuples(st.integers(1, 40), st.integers(1, 20), st.integers(1, 20)))
def test_mlp_reads_any_shape(shape: tuple[int, int, int]) -> None:
    """The MLP reads images of any shape, square or not, and codes."""
    encoder = MLPEncoder(image=ImageShape(*shape), latent=2, widths=(3,))
    assert encoder(torch.rand(2, *shape)).shape == (2, 2)


def test_dropout_is_unbiased_and_only_in_training() -> None:
    """Of a layer's inputs the share stated is dropped; the others are scaled up to keep the mean."""
    torch.manual_seed(0)
    codes = ImageShape(16, 1, 1)
    encoder = MLPEncoder(image=codes, latent=16, widths=(), output="linear", dropout=(0.3,))
    plain = MLPEncoder(image=codes, latent=16, widths=(), output="linear")
    with torch.no_grad():
        for network in (encoder, plain):
            weight, _ = network.parameters()
            weight.copy_(torch.eye(16))
    images = 0.5 + torch.rand(1, *codes)
    noisy = encoder(images.expand(20_000, -1, -1, -1))
    assert abs((noisy == 0).float().mean().item() - 0.3) < 0.005
    torch.testing.assert_close(noisy.mean(0), images.flatten(), rtol=0.03, atol=0)
    assert torch.equal(encoder.eval()(images), plain(images))


def test_dropout_without_rescaling_leaves_what_it_keeps() -> None:
    """In training values are as they were or 0; the mean of the sums is (1 - share) of encoding's."""
    torch.manual_seed(0)
    options = {"latent": 16, "widths": (), "output": "linear", "dropout": (0.3,)}
    encoder = MLPEncoder(image=ImageShape(16, 1, 1), rescale=False, **options)
    with torch.no_grad():
        weight, _ = encoder.parameters()
        weight.copy_(torch.eye(16))
    images = 0.5 + torch.rand(1, 16, 1, 1)
    noisy = encoder(images.expand(20_000, -1, -1, -1))
    kept = noisy != 0
    torch.testing.assert_close(noisy[kept], images.flatten().expand_as(noisy)[kept])
    torch.testing.assert_close(noisy.mean(0), 0.7 * images.flatten(), rtol=0.03, atol=0)
    torch.testing.assert_close(encoder.eval()(images), images.flatten(1))


def test_dropout_stands_before_each_layer() -> None:
    """With `dropout=0.2+0.5` the pixels lose a fifth and the hidden units half."""
    torch.manual_seed(0)
    encoder = MLPEncoder(
        image=ImageShape(50, 1, 1), latent=4, widths=(400,), output="linear", dropout=(0.2, 0.5)
    )
    seen: list[torch.Tensor] = []
    for module in encoder.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    encoder(torch.ones(400, 50, 1, 1))
    first, second = ((inputs == 0).float().mean().item() for inputs in seen)
    assert abs(first - 0.2) < 0.02
    assert abs(second - 0.5) < 0.02
    assert seen[0].max().item() == pytest.approx(1 / 0.8)


def test_stacked_layers_have_their_weights_in_order() -> None:
    """Two one-layer encoders, trained one by one, are the two-layer one with their parameters."""
    one = MLPEncoder(image=ImageShape(1, 4, 4), latent=9, widths=(), dropout=(0.2,)).eval()
    two = MLPEncoder(image=ImageShape(9, 1, 1), latent=3, widths=(), dropout=(0.5,)).eval()
    both = MLPEncoder(image=ImageShape(1, 4, 4), latent=3, widths=(9,), dropout=(0.2, 0.5)).eval()
    parts = [*one.parameters(), *two.parameters()]
    with torch.no_grad():
        for mine, theirs in zip(both.parameters(), parts, strict=True):
            mine.copy_(theirs)
    images = torch.rand(5, 1, 4, 4)
    assert torch.equal(both(images), two(one(images)[:, :, None, None]))
