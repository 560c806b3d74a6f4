"""What the generators refuse, and what they advise instead."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import ImageShape
from gentk_nets.dcgan import DCGANGenerator
from gentk_nets.dcgan_encoder import DCGANEncoder
from gentk_nets.mlp import MLPGenerator
from gentk_nets.mlp_encoder import MLPEncoder
from gentk_nets.resnet import ResNetGenerator
from gentk_nets.vgg_encoder import VGGEncoder


@pytest.mark.parametrize(
    ("height", "width", "nearest", "able"),
    [
        (28, 28, 32, "mlp"),
        (16, 16, 32, "resnet"),
        (60, 60, 64, "mlp"),
        (256, 256, 128, "resnet"),
        (32, 64, 64, "mlp"),
        (8, 8, 32, "resnet"),
    ],
)
def test_dcgan_names_its_sizes_and_what_to_type(
    height: int, width: int, nearest: int, able: str
) -> None:
    """A size `dcgan` cannot make is refused with its sizes, the nearest, and who could."""
    with pytest.raises(Incompatible) as caught:
        DCGANGenerator(image=ImageShape(3, height, width))
    assert str(caught.value) == (
        f"generator 'dcgan' makes square images of 32, 48, 64 or 128 px, not {height}x{width}; "
        f"add size={nearest} to the data, or type --generator {able}"
    )


@pytest.mark.parametrize(
    ("height", "width", "nearest", "able"),
    [
        (28, 28, 32, "mlp"),
        (48, 48, 64, "dcgan"),
        (1, 1, 8, "mlp"),
        (4, 4, 8, "mlp"),
        (96, 96, 128, "mlp"),
        (64, 32, 64, "mlp"),
        (40, 40, 32, "mlp"),
    ],
)
def test_resnet_names_its_sizes_and_what_to_type(
    height: int, width: int, nearest: int, able: str
) -> None:
    """A size `resnet` cannot make is refused with its sizes, the nearest, and who could."""
    with pytest.raises(Incompatible) as caught:
        ResNetGenerator(image=ImageShape(1, height, width))
    assert str(caught.value) == (
        "generator 'resnet' makes square images of 8, 16, 32, ... px (powers of two), "
        f"not {height}x{width}; add size={nearest} to the data, or type --generator {able}"
    )


@pytest.mark.parametrize(
    ("height", "width", "nearest", "able"),
    [
        (28, 28, 32, "mlp"),
        (8, 8, 32, "mlp"),
        (16, 16, 32, "mlp"),
        (96, 96, 64, "vgg"),
        (256, 256, 128, "vgg"),
        (32, 64, 64, "mlp"),
        (1, 1, 32, "mlp"),
    ],
)
def test_dcgan_encoder_names_its_sizes_and_what_to_type(
    height: int, width: int, nearest: int, able: str
) -> None:
    """A size the encoder `dcgan` cannot read is refused with its sizes and an encoder that can."""
    with pytest.raises(Incompatible) as caught:
        DCGANEncoder(image=ImageShape(3, height, width), latent=5)
    assert str(caught.value) == (
        f"encoder 'dcgan' reads square images of 32, 48, 64 or 128 px, not {height}x{width}; "
        f"add size={nearest} to the data, or type --encoder {able}"
    )


@pytest.mark.parametrize(
    ("height", "width", "nearest", "able"),
    [
        (28, 28, 32, "mlp"),
        (48, 48, 64, "dcgan"),
        (100, 100, 96, "mlp"),
        (32, 64, 64, "mlp"),
        (64, 33, 64, "mlp"),
        (1, 1, 32, "mlp"),
    ],
)
def test_vgg_names_its_sizes_and_what_to_type(
    height: int, width: int, nearest: int, able: str
) -> None:
    """A size `vgg` cannot read is refused with its sizes, the nearest, and an encoder that can."""
    with pytest.raises(Incompatible) as caught:
        VGGEncoder(image=ImageShape(3, height, width), latent=5)
    assert str(caught.value) == (
        f"encoder 'vgg' reads square images of 32, 64, 96, ... px, not {height}x{width}; "
        f"add size={nearest} to the data, or type --encoder {able}"
    )


SIDES = [1, 4, 7, 8, 16, 24, 28, 31, 33, 40, 48, 60, 96, 100, 200, 256, 300]


@pytest.mark.parametrize("side", SIDES)
def test_the_advice_on_encoders_works(side: int) -> None:
    """Whoever refuses a size advises another size it reads and an encoder that reads this one."""
    encoders: dict[str, Any] = {"mlp": MLPEncoder, "dcgan": DCGANEncoder, "vgg": VGGEncoder}
    for build in (DCGANEncoder, VGGEncoder):
        try:
            build(image=ImageShape(1, side, side), latent=1, width=1)
        except Incompatible as error:
            advice = re.search(r"size=(\d+) .*--encoder (\w+)$", str(error))
            assert advice is not None
            nearest = int(advice[1])
            build(image=ImageShape(1, nearest, nearest), latent=1, width=1)
            narrow = {"widths": (1,)} if advice[2] == "mlp" else {"width": 1}
            encoders[advice[2]](image=ImageShape(1, side, side), latent=1, **narrow)


@pytest.mark.parametrize("side", SIDES)
def test_the_advice_works(side: int) -> None:
    """Whoever refuses a size advises another size it makes and a generator that makes this one."""
    generators = {"mlp": MLPGenerator, "dcgan": DCGANGenerator, "resnet": ResNetGenerator}
    for build in (DCGANGenerator, ResNetGenerator):
        try:
            build(image=ImageShape(1, side, side), latent=1, width=1)
        except Incompatible as error:
            advice = re.search(r"size=(\d+) .*--generator (\w+)$", str(error))
            assert advice is not None
            nearest = int(advice[1])
            build(image=ImageShape(1, nearest, nearest), latent=1, width=1)
            generators[advice[2]](image=ImageShape(1, side, side), latent=1)


@pytest.mark.parametrize(
    ("build", "name", "options", "wrong"),
    [
        (MLPGenerator, "mlp", {"latent": 0}, "latent"),
        (MLPGenerator, "mlp", {"widths": (64, 0)}, "widths"),
        (DCGANGenerator, "dcgan", {"latent": -1}, "latent"),
        (DCGANGenerator, "dcgan", {"width": 0}, "width"),
        (DCGANGenerator, "dcgan", {"extra": -1}, "extra"),
        (ResNetGenerator, "resnet", {"latent": 0}, "latent"),
        (ResNetGenerator, "resnet", {"width": 0}, "width"),
    ],
)
def test_options_below_their_minimum_are_refused(
    build: type, name: str, options: dict[str, object], wrong: str
) -> None:
    """An impossible value is an error that names the generator, the option and what to write."""
    with pytest.raises(BadOption, match=f"generator '{name}': option '{wrong}'.*write {wrong}="):
        build(image=ImageShape(3, 32, 32), **options)


@pytest.mark.parametrize(
    ("build", "name", "options", "wrong"),
    [
        (MLPEncoder, "mlp", {"widths": (64, 0)}, "widths"),
        (DCGANEncoder, "dcgan", {"width": 0}, "width"),
        (DCGANEncoder, "dcgan", {"extra": -1}, "extra"),
        (VGGEncoder, "vgg", {"width": 0}, "width"),
    ],
)
def test_options_of_encoders_below_their_minimum_are_refused(
    build: type, name: str, options: dict[str, object], wrong: str
) -> None:
    """An impossible value is an error that names the encoder, the option and what to write."""
    with pytest.raises(BadOption, match=f"encoder '{name}': option '{wrong}'.*write {wrong}="):
        build(image=ImageShape(3, 32, 32), latent=5, **options)


@pytest.mark.parametrize(
    ("widths", "dropout", "layers", "written", "advice"),
    [
        ((1024,), (0.2,), "each of the 2 layers", "0.2", "0.2+0.5"),
        ((1024,), (0.2, 0.5, 0.5), "each of the 2 layers", "0.2+0.5+0.5", "0.2+0.5"),
        ((5, 5), (0.2, 1.0, 0.1), "each of the 3 layers", "0.2+1.0+0.1", "0.2+0.5+0.5"),
        ((), (-0.1,), "its one layer", "-0.1", "0.2"),
        ((), (float("nan"),), "its one layer", "nan", "0.2"),
    ],
)
def test_dropout_is_a_share_for_each_layer(
    widths: tuple[int, ...],
    dropout: tuple[float, ...],
    layers: str,
    written: str,
    advice: str,
) -> None:
    """A wrong number of shares, or one that is none, is refused with a list that is accepted."""
    image = ImageShape(1, 4, 4)
    with pytest.raises(BadOption) as caught:
        MLPEncoder(image=image, latent=2, widths=widths, dropout=dropout)
    assert str(caught.value) == (
        f"encoder 'mlp': dropout is one share in [0, 1) for {layers}, not {written}; "
        f"write dropout={advice}"
    )
    shares = tuple(map(float, advice.split("+")))
    MLPEncoder(image=image, latent=2, widths=widths, dropout=shares)


def test_zero_extra_layers_and_no_hidden_layer_are_allowed() -> None:
    """The smallest networks exist: a DCGAN without extra layers, a linear map."""
    plain = DCGANGenerator(image=ImageShape(3, 32, 32), extra=0)
    linear = MLPGenerator(image=ImageShape(1, 2, 3), latent=5, widths=())
    assert sum(p.numel() for p in plain.parameters()) == 1_142_912 - 2 * (64 * 64 * 9 + 2 * 64)
    assert sum(p.numel() for p in linear.parameters()) == 5 * 6 + 6
