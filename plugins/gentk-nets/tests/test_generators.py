"""What all generators of the distribution have in common, and the sizes of each."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gentk_nets
from gentk.interfaces import Critic, Encoder, Generator, ImageShape
from gentk.prior import Prior
from gentk_nets.dcgan import DCGANGenerator
from gentk_nets.mlp import MLPGenerator
from gentk_nets.resnet import ResNetGenerator

Build = Callable[[], Generator]


def builder(kind: type[Generator], channels: int, side: int, **options: Any) -> Any:
    """Return a named test case that builds one generator."""
    settings_ = ",".join(f"{key}={value}" for key, value in options.items())
    label = f"{kind.__name__}-{channels}x{side}-{settings_}"
    shape = ImageShape(channels, side, side)
    return pytest.param(lambda: kind(image=shape, **options), id=label)


SMALL = {"latent": 5, "width": 4}
CASES = [
    *(builder(DCGANGenerator, c, s, **SMALL) for c in (1, 3) for s in (32, 48, 64, 128)),
    builder(DCGANGenerator, 3, 32, **SMALL, extra=0),
    builder(DCGANGenerator, 3, 32, **SMALL, prior="uniform"),
    *(builder(ResNetGenerator, c, s, **SMALL) for c in (1, 3) for s in (8, 16, 32, 64)),
    *(builder(ResNetGenerator, c, 32, **SMALL, constant=True) for c in (1, 3)),
    builder(ResNetGenerator, 2, 8, **SMALL, prior="uniform"),
    *(
        builder(MLPGenerator, c, 28, latent=5, output=o)
        for c in (1, 3)
        for o in ("sigmoid", "tanh")
    ),
    builder(MLPGenerator, 32, 1, latent=5, prior="uniform", widths=(7,)),
    *(builder(MLPGenerator, 1, 28, latent=5, activation=a) for a in ("sigmoid", "tanh")),
]
each = pytest.mark.parametrize("build", CASES)


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (lambda: MLPGenerator(image=ImageShape(1, 28, 28), latent=10), 1_149_904),
        (lambda: MLPGenerator(image=ImageShape(1, 48, 48), latent=10), 2_707_904),
        (lambda: MLPGenerator(image=ImageShape(32, 1, 1), latent=10), 379_104),
        (lambda: MLPGenerator(image=ImageShape(128, 1, 1), latent=10), 477_504),
        (lambda: MLPGenerator(image=ImageShape(1, 28, 28)), 1_155_664),
        (lambda: DCGANGenerator(image=ImageShape(3, 32, 32)), 1_142_912),
        (lambda: DCGANGenerator(image=ImageShape(3, 48, 48)), 1_654_912),
        (lambda: DCGANGenerator(image=ImageShape(3, 64, 64)), 3_650_688),
        (lambda: DCGANGenerator(image=ImageShape(3, 128, 128)), 7_846_016),
        (lambda: ResNetGenerator(image=ImageShape(3, 8, 8)), 326_019),
        (lambda: ResNetGenerator(image=ImageShape(3, 16, 16)), 1_007_107),
        (lambda: ResNetGenerator(image=ImageShape(3, 32, 32)), 3_319_555),
        (lambda: ResNetGenerator(image=ImageShape(3, 64, 64)), 11_745_539),
        (lambda: ResNetGenerator(image=ImageShape(3, 32, 32), constant=True), 326_595),
    ],
)
def test_parameter_counts(build: Build, count: int) -> None:
    """The default networks have exactly the parameters of the published code."""
    assert sum(p.numel() for p in build().parameters()) == count


def test_readme_states_the_parameter_counts() -> None:
    """The table of parameter counts in the README is the truth, and lists every generator."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    builds: list[Callable[[int], Generator]] = [
        lambda side: MLPGenerator(image=ImageShape(1, side, side), latent=10),
        lambda side: DCGANGenerator(image=ImageShape(3, side, side)),
        lambda side: ResNetGenerator(image=ImageShape(3, side, side)),
        lambda side: ResNetGenerator(image=ImageShape(3, side, side), constant=True),
    ]
    rows = re.findall(r"^\| (\d+) \|(.*)\|(.*)\|(.*)\|(.*)\|$", readme, re.MULTILINE)
    cells = [(int(s), b, c) for s, *row in rows for b, c in zip(builds, row, strict=True)]
    stated = [(side, build, cell.strip()) for side, build, cell in cells if cell.strip()]
    assert len(stated) == 21
    with torch.device("meta"):
        for side, build, cell in stated:
            assert f"{sum(p.numel() for p in build(side).parameters()):,}" == cell, side


@each
def test_images_have_the_shape_and_range_declared(build: Build) -> None:
    """Images have the declared shape, lie in the declared range and fill both sides of it."""
    torch.manual_seed(0)
    generator = build()
    images = generator(generator.prior.draw(6))
    low, middle = (0.0, 0.5) if generator.range == "unit" else (-1.0, 0.0)
    assert images.shape == (6, *generator.image)
    assert low <= images.min() < middle < images.max() <= 1.0


@each
@pytest.mark.parametrize("training", [True, False])
def test_a_gradient_reaches_every_parameter(build: Build, training: bool) -> None:
    """Every parameter gets a finite gradient, in eval mode one that is not zero everywhere."""
    torch.manual_seed(0)
    generator = build().train(training)
    images = generator(generator.prior.draw(8))
    (images * torch.randn_like(images)).sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # While training, a bias in front of a batch norm has no influence, and no gradient.
        assert training or parameter.grad.any(), name


@each
def test_state_dict_holds_everything(build: Build) -> None:
    """A generator loaded from another's state makes the same images, bit by bit."""
    source, copy = build(), build()
    latents = source.prior.draw(4)
    source(latents)  # moves the statistics of batch norm
    copy.load_state_dict(source.state_dict(), strict=True)
    assert torch.equal(copy.eval()(latents), source.eval()(latents))


@each
def test_a_seed_decides_everything(build: Build) -> None:
    """The same seed gives the same weights, latents and images; another seed other ones."""

    def images(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        generator = build()
        made: torch.Tensor = generator(generator.prior.draw(3))
        return made

    assert torch.equal(images(1), images(1))
    assert not torch.equal(images(1), images(2))


@each
def test_channels_last_weights_make_the_same_images(build: Build) -> None:
    """Memory format changes speed only, and a convolutional network keeps it to the end."""
    generator = build().double()
    latents = generator.prior.draw(3).double()
    before = generator(latents)
    generator.to(memory_format=torch.channels_last)
    after = generator(latents)
    torch.testing.assert_close(after, before, rtol=0, atol=1e-12)
    if not isinstance(generator, MLPGenerator):
        assert after.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("law", "variance"), [("normal", 1.0), ("uniform", 1 / 3)])
@pytest.mark.parametrize("kind", [MLPGenerator, DCGANGenerator, ResNetGenerator])
def test_prior_is_the_one_asked_for(kind: Any, law: Any, variance: float) -> None:
    """N(0, 1) has variance 1; U(-1, 1) has variance 1/3 and stays inside."""
    torch.manual_seed(0)
    generator = kind(image=ImageShape(1, 32, 32), latent=7, prior=law)
    assert generator.prior == Prior(law, 7)
    latents = generator.prior.draw(20_000)
    assert latents.shape == (20_000, 7)
    assert latents.mean().abs() < 0.01
    assert abs(latents.var().item() - variance) < 0.02
    assert (latents.abs().max() <= 1) == (law == "uniform")


@settings(max_examples=40, deadline=None)
@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)))
def test_mlp_makes_any_shape(shape: tuple[int, int, int]) -> None:
    """The MLP makes images of any shape, square or not."""
    generator = MLPGenerator(image=ImageShape(*shape), latent=2, widths=(3,))
    assert generator(generator.prior.draw(2)).shape == (2, *shape)


def test_mlp_range_follows_its_output() -> None:
    """A sigmoid makes unit images and a tanh signed ones."""
    shape = ImageShape(1, 4, 4)
    assert MLPGenerator(image=shape).range == "unit"
    assert MLPGenerator(image=shape, output="tanh").range == "signed"


def test_hooks_name_networks_whose_options_resolve() -> None:
    """Each component's target is of its kind, and its annotations resolve at run time."""
    targets = {(c.kind, c.name): c.target for c in gentk_nets.gentk_components()}
    bases = {"generator": Generator, "encoder": Encoder, "critic": Critic}
    assert {kind for kind, _ in targets} == set(bases)
    for (kind, _), target in targets.items():
        module, _, attribute = target.partition(":")
        network = getattr(importlib.import_module(module), attribute)
        assert issubclass(network, bases[kind])
        hints = set(get_type_hints(network.__init__))
        assert {"image", "latent", *(["prior"] if kind == "generator" else [])} <= hints


def test_hooks_import_no_torch() -> None:
    """`gentk list` imports the hook module, which must not import torch."""
    code = "import sys, gentk_nets; gentk_nets.gentk_components(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
