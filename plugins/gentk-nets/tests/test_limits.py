"""What the generators refuse, and what they advise instead."""

from __future__ import annotations

import re

import pytest

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import ImageShape
from gentk_nets.dcgan import DCGANGenerator
from gentk_nets.mlp import MLPGenerator
from gentk_nets.resnet import ResNetGenerator


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
    "side", [1, 4, 7, 8, 16, 24, 28, 31, 33, 40, 48, 60, 96, 100, 200, 256, 300]
)
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


def test_zero_extra_layers_and_no_hidden_layer_are_allowed() -> None:
    """The smallest networks exist: a DCGAN without extra layers, a linear map."""
    plain = DCGANGenerator(image=ImageShape(3, 32, 32), extra=0)
    linear = MLPGenerator(image=ImageShape(1, 2, 3), latent=5, widths=())
    assert sum(p.numel() for p in plain.parameters()) == 1_142_912 - 2 * (64 * 64 * 9 + 2 * 64)
    assert sum(p.numel() for p in linear.parameters()) == 5 * 6 + 6
