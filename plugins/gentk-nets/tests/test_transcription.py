"""The networks against independent transcriptions of their definitions, in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gentk.interfaces import Encoder, Generator, ImageShape
from gentk_nets.dcgan import DCGANGenerator
from gentk_nets.dcgan_encoder import DCGANEncoder
from gentk_nets.mlp import MLPGenerator
from gentk_nets.mlp_encoder import MLPEncoder
from gentk_nets.resnet import ResNetGenerator
from gentk_nets.vgg_encoder import VGGEncoder

EPS = 1e-5


def randomise(network: nn.Module) -> dict[str, Tensor]:
    """Give a network random float64 parameters and statistics; return its state, copied."""
    network.double()
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) * 0.4 + (0.3 if value.ndim == 1 else -0.2))
    return {name: value.clone() for name, value in network.state_dict().items()}


def prepare(generator: Generator) -> tuple[dict[str, Tensor], Tensor]:
    """Randomise a generator; return its state, and latents."""
    return randomise(generator), generator.prior.draw(5).double()


def prepare_encoder(encoder: Encoder) -> tuple[dict[str, Tensor], Tensor]:
    """Randomise an encoder; return its state, and images in [-1, 1]."""
    return randomise(encoder), torch.rand(5, *encoder.image, dtype=torch.float64) * 2 - 1


def normalise(x: Tensor, state: dict[str, Tensor], name: str, training: bool) -> Tensor:
    """Batch norm from its definition: biased variance, over samples and positions."""
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    if training:
        mean = x.mean((0, 2, 3))
        var = ((x - mean[:, None, None]) ** 2).mean((0, 2, 3))
    gain = state[f"{name}.weight"] / (var + EPS).sqrt()
    return (x - mean[:, None, None]) * gain[:, None, None] + state[f"{name}.bias"][:, None, None]


def double(x: Tensor) -> Tensor:
    """Nearest-neighbour upsampling: every pixel four times."""
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def first_map(latents: Tensor, weight: Tensor) -> Tensor:
    """A transposed convolution of a 1x1 map is a matrix product."""
    return torch.einsum("nl,lchw->nchw", latents, weight)


def resnet(state: dict[str, Tensor], latents: Tensor, training: bool) -> Tensor:
    """The residual generator, transcribed: no upsampling of the bypass before its convolution."""
    x = first_map(latents, state["first.weight"])
    blocks = sorted({name.split(".")[1] for name in state if name.startswith("blocks.")})
    for block in (f"blocks.{index}" for index in blocks):
        y = double(F.relu(normalise(x, state, f"{block}.norm1", training)))
        y = F.conv2d(y, state[f"{block}.conv1.weight"], state[f"{block}.conv1.bias"], padding=1)
        y = F.relu(normalise(y, state, f"{block}.norm2", training))
        y = F.conv2d(y, state[f"{block}.conv2.weight"], state[f"{block}.conv2.bias"], padding=1)
        x = double(x)
        if f"{block}.bypass.weight" in state:
            x = F.conv2d(x, state[f"{block}.bypass.weight"], state[f"{block}.bypass.bias"])
        x = x + y
    x = F.relu(normalise(x, state, "norm", training))
    return torch.tanh(F.conv2d(x, state["last.weight"], state["last.bias"], padding=1))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 16, 16), (3, 32, 32)])
def test_resnet_is_its_definition(
    shape: tuple[int, int, int], constant: bool, training: bool
) -> None:
    """The residual generator equals its transcription to 1e-12, in train and in eval mode."""
    torch.manual_seed(0)
    generator = ResNetGenerator(image=ImageShape(*shape), latent=6, width=4, constant=constant)
    state, latents = prepare(generator)
    images = generator.train(training)(latents)
    torch.testing.assert_close(images, resnet(state, latents, training), rtol=0, atol=1e-12)
    assert images.abs().mean() < 0.99  # not saturated: the comparison sees something


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("side", "doublings"), [(32, 3), (48, 3), (64, 4), (128, 5)])
@pytest.mark.parametrize("extra", [0, 2])
def test_dcgan_is_its_definition(side: int, doublings: int, extra: int, training: bool) -> None:
    """DCGAN equals its transcription to 1e-12, in train and in eval mode."""
    torch.manual_seed(0)
    generator = DCGANGenerator(image=ImageShape(3, side, side), latent=6, width=2, extra=extra)
    state, latents = prepare(generator)
    x = first_map(latents, state["net.0.weight"])
    layer = 0
    for step in range(doublings + extra):
        x = F.relu(normalise(x, state, f"net.{layer + 1}", training))
        layer += 3
        weight = state[f"net.{layer}.weight"]
        if doublings - 1 <= step < doublings - 1 + extra:
            x = F.conv2d(x, weight, padding=1)
        else:
            # stride 2 as zeros between the pixels, then an ordinary convolution with flipped kernel
            spread = x.new_zeros(*x.shape[:2], 2 * x.shape[2] - 1, 2 * x.shape[3] - 1)
            spread[:, :, ::2, ::2] = x
            x = F.conv2d(spread, weight.transpose(0, 1).flip(2, 3), padding=2)
    images = generator.train(training)(latents)
    torch.testing.assert_close(images, torch.tanh(x), rtol=0, atol=1e-12)
    assert images.abs().mean() < 0.99  # not saturated: the comparison sees something


NONLINEAR = {
    "relu": lambda x: x.clamp(min=0),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "tanh": lambda x: (torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1),
    "linear": lambda x: x,
}


@pytest.mark.parametrize("output", ["sigmoid", "tanh"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_mlp_is_its_definition(activation: str, output: str) -> None:
    """The MLP equals its transcription to 1e-12; values are laid out channel by channel."""
    torch.manual_seed(0)
    generator = MLPGenerator(
        image=ImageShape(2, 3, 4),
        latent=6,
        widths=(5, 7),
        activation=activation,  # type: ignore[arg-type]
        output=output,  # type: ignore[arg-type]
    )
    state, x = prepare(generator)
    images = generator(x)
    for layer in (0, 2, 4):
        x = x @ state[f"net.{layer}.weight"].T + state[f"net.{layer}.bias"]
        x = NONLINEAR[activation if layer < 4 else output](x)
    torch.testing.assert_close(images, x.reshape(5, 2, 3, 4), rtol=0, atol=1e-12)


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "linear"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_mlp_encoder_is_its_definition(activation: str, output: str) -> None:
    """The encoder `mlp` equals its transcription to 1e-12, hidden layers included."""
    torch.manual_seed(0)
    encoder = MLPEncoder(
        image=ImageShape(2, 3, 4),
        latent=6,
        widths=(5, 7),
        activation=activation,  # type: ignore[arg-type]
        output=output,  # type: ignore[arg-type]
    )
    state, images = prepare_encoder(encoder)
    weights = list(state.values())
    x = images.reshape(5, 24)
    for layer, found in enumerate(encoder.features(images).values()):
        x = x @ weights[2 * layer].T + weights[2 * layer + 1]
        x = NONLINEAR[activation if layer < 2 else output](x)
        torch.testing.assert_close(found, x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("side", "halvings"), [(32, 3), (48, 3), (64, 4), (128, 5)])
@pytest.mark.parametrize("extra", [0, 2])
def test_dcgan_encoder_is_its_definition(
    side: int, halvings: int, extra: int, training: bool
) -> None:
    """The encoder `dcgan` equals its transcription to 1e-12, in train and in eval mode."""
    torch.manual_seed(0)
    encoder = DCGANEncoder(image=ImageShape(3, side, side), latent=6, width=2, extra=extra)
    state, x = prepare_encoder(encoder)
    found = list(encoder.train(training).features(x).values())
    assert len(found) == halvings + extra + 1
    for block, value in enumerate(found[:-1]):
        same = 1 <= block <= extra
        # A stride of 2 is every second position of an ordinary convolution.
        x = F.conv2d(x, state[f"blocks.{block}.0.weight"], padding=1)
        x = x if same else x[:, :, ::2, ::2]
        x = F.relu(normalise(x, state, f"blocks.{block}.1", training))
        torch.testing.assert_close(value, x, rtol=0, atol=1e-12)
    weight = state["last.0.weight"]
    assert x.shape[1:] == weight.shape[1:]
    codes = torch.tanh(torch.einsum("nchw,lchw->nl", x, weight))
    torch.testing.assert_close(found[-1], codes, rtol=0, atol=1e-12)
    assert codes.abs().mean() < 0.99  # not saturated: the comparison sees something


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("side", [32, 64])
def test_vgg_encoder_is_its_definition(side: int, training: bool) -> None:
    """The encoder `vgg` equals its transcription to 1e-12, in train and in eval mode."""
    torch.manual_seed(0)
    encoder = VGGEncoder(image=ImageShape(3, side, side), latent=6, width=2, output="linear")
    state, x = prepare_encoder(encoder)
    found = list(encoder.train(training).features(x).values())
    plan = [2, 2, "M", 4, 4, "M", 8, 8, "M", 16, 16, "M", 16, 16, "M"]
    convolutions = sorted(
        name for name in state if name.endswith("weight") and state[name].ndim == 4
    )
    layer = 0
    for step in plan:
        if step == "M":
            n, c, h, w = x.shape
            x = x.reshape(n, c, h // 2, 2, w // 2, 2).amax((3, 5))
            continue
        name = convolutions[layer].removesuffix(".weight")
        x = F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)
        stem, _, place = name.rpartition(".")
        x = F.relu(normalise(x, state, f"{stem}.{int(place) + 1}", training))
        assert x.shape[1] == step
        torch.testing.assert_close(found[layer], x, rtol=0, atol=1e-12)
        layer += 1
    codes = x.reshape(5, -1) @ state["last.2.weight"].T + state["last.2.bias"]
    torch.testing.assert_close(found[layer], codes, rtol=0, atol=1e-12)
    assert layer == 10
    assert len(found) == 11
