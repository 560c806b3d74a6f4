"""What gentk expects of an extractor, and what this one promises of its features."""

from __future__ import annotations

import importlib
import subprocess
import sys
from math import cos, pi, sin

import pytest
import torch

import gentk_example_extractor
from gentk.errors import BadOption, Incompatible
from gentk.interfaces import Extractor
from gentk_example_extractor.scattering import ScatteringLite


@pytest.fixture
def extractor() -> ScatteringLite:
    """Return an extractor in float64, so that rounding hides nothing."""
    return ScatteringLite(orientations=4, scales=2).double()


@pytest.fixture
def images() -> torch.Tensor:
    """Return five random colour images."""
    return torch.rand(5, 3, 16, 12, generator=torch.Generator().manual_seed(0)).double()


def test_the_hook_names_an_extractor_without_importing_torch() -> None:
    """`gentk list` must stay fast: the hook module imports no torch; its target is an Extractor."""
    code = "import sys, gentk_example_extractor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    [component] = gentk_example_extractor.gentk_components()
    module, _, name = component.target.partition(":")
    assert issubclass(getattr(importlib.import_module(module), name), Extractor)


def test_layers_have_names_and_shapes(extractor: ScatteringLite, images: torch.Tensor) -> None:
    """Every layer is a map (N, C, H, W) of the documented size."""
    assert {name: tuple(f.shape) for name, f in extractor(images).items()} == {
        "first0": (5, 12, 16, 12),
        "second0": (5, 48, 8, 6),
        "first1": (5, 12, 8, 6),
        "second1": (5, 48, 4, 3),
        "low": (5, 3, 4, 3),
    }


def test_gradients_reach_the_images_only(extractor: ScatteringLite, images: torch.Tensor) -> None:
    """Every layer has a finite, non-zero gradient in the images; nothing is left to train."""
    images.requires_grad_()
    for name, feature in extractor(images).items():
        [gradient] = torch.autograd.grad(feature.square().sum(), images, retain_graph=True)
        assert gradient.isfinite().all(), name
        assert gradient.any(), name
    assert not any(p.requires_grad for p in extractor.parameters())
    assert not extractor.bank.requires_grad
    assert not extractor.train().training


def test_gradients_are_finite_where_nothing_happens(extractor: ScatteringLite) -> None:
    """A black image has zero moduli, and still a finite gradient."""
    black = torch.zeros(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    sum(f.sum() for f in extractor(black).values()).backward()
    assert black.grad is not None
    assert black.grad.isfinite().all()


def test_batch_mates_do_not_matter(extractor: ScatteringLite, images: torch.Tensor) -> None:
    """The features of an image are the same alone and in a batch."""
    alone, together = extractor(images[2:3]), extractor(images)
    for name in together:
        torch.testing.assert_close(alone[name], together[name][2:3], rtol=0, atol=1e-12)


def test_the_fingerprint_tells_options_apart() -> None:
    """Equal options have equal fingerprints, other options other ones."""
    prints = [
        ScatteringLite(orientations=k, scales=s).fingerprint() for k in (4, 8) for s in (1, 2, 3)
    ]
    assert len(set(prints)) == 6
    assert ScatteringLite().fingerprint() == ScatteringLite(orientations=8, scales=3).fingerprint()


def test_a_flat_image_has_no_edges(extractor: ScatteringLite) -> None:
    """Filters have mean zero: a constant image answers nowhere, borders included."""
    features = extractor(torch.full((1, 3, 16, 16), 0.7, dtype=torch.float64))
    torch.testing.assert_close(features.pop("low"), torch.full((1, 3, 4, 4), 0.7).double())
    for feature in features.values():
        assert feature.abs().max() < 1e-7  # the filters are stored in float32


@pytest.mark.parametrize("k", range(8))
@pytest.mark.parametrize("scale", [0, 1])
def test_a_grating_answers_at_its_orientation(k: int, scale: int) -> None:
    """Stripes of 4 px times 2^scale turned by k/8 of half a turn excite filter k the most."""
    angle, frequency = k * pi / 8, pi / 2 ** (scale + 1)
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    stripes = 0.5 + 0.5 * torch.cos(frequency * (x * cos(angle) + y * sin(angle)))
    energy = ScatteringLite()(stripes[None, None])[f"first{scale}"].mean((0, 2, 3))
    assert energy.argmax() == k


def test_deeper_layers_are_first_layers_of_halved_maps(
    extractor: ScatteringLite, images: torch.Tensor
) -> None:
    """P averages squares of 2x2; first1 = |P x * psi|, second0 = |P(first0) * psi|."""

    def halve(maps: torch.Tensor) -> torch.Tensor:
        return torch.stack([maps[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]).mean(0)

    features = extractor(images)
    for name, maps in [("first1", images), ("second0", features["first0"])]:
        torch.testing.assert_close(features[name], extractor(halve(maps))["first0"])
    torch.testing.assert_close(features["low"], halve(halve(images)))


def test_channels_are_seen_one_by_one(extractor: ScatteringLite, images: torch.Tensor) -> None:
    """Colour features are those of the three grey images, one after the other."""
    colour = extractor(images)
    grey = [extractor(images[:, c : c + 1]) for c in range(3)]
    for name in colour:
        stacked = torch.cat([g[name] for g in grey], dim=1)
        torch.testing.assert_close(colour[name], stacked, rtol=0, atol=1e-12)


def test_impossible_requests_say_what_to_type() -> None:
    """Options below 1 and images too small for the scales are refused in a sentence."""
    with pytest.raises(BadOption, match="orientations=1 or more, not 0"):
        ScatteringLite(orientations=0)
    with pytest.raises(Incompatible, match="scales=3 needs images of 8 px or more, not 7x9"):
        ScatteringLite(scales=3)(torch.zeros(1, 3, 7, 9))
