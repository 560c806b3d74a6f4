"""What gentk expects of an extractor, and what this one promises of its features."""

from __future__ import annotations

from math import cos, pi, sin

import pytest
import torch

from gentk.errors import BadOption, Incompatible
from gentk.testing import ExtractorSuite
from gentk_example_extractor.scattering import ScatteringLite


class TestScatteringLite(ExtractorSuite):
    """What gentk expects of every extractor."""

    spec = "scattering-lite,orientations=4,scales=2"
    variants = (
        "scattering-lite,orientations=8,scales=2",
        "scattering-lite,orientations=4,scales=3",
    )


@pytest.fixture
def extractor() -> ScatteringLite:
    """Return an extractor in float64, so that rounding hides nothing."""
    return ScatteringLite(orientations=4, scales=2).double()


@pytest.fixture
def images() -> torch.Tensor:
    """Return five random colour images."""
    return torch.rand(5, 3, 16, 12, generator=torch.Generator().manual_seed(0)).double()


def test_layers_have_names_and_shapes(extractor: ScatteringLite, images: torch.Tensor) -> None:
    """Every layer is a map (N, C, H, W) of the documented size."""
    assert {name: tuple(f.shape) for name, f in extractor(images).items()} == {
        "first0": (5, 12, 16, 12),
        "second0": (5, 48, 8, 6),
        "first1": (5, 12, 8, 6),
        "second1": (5, 48, 4, 3),
        "low": (5, 3, 4, 3),
    }


def test_gradients_are_finite_where_nothing_happens(extractor: ScatteringLite) -> None:
    """A black image has zero moduli, and still a finite gradient."""
    black = torch.zeros(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    sum(f.sum() for f in extractor(black).values()).backward()
    assert black.grad is not None
    assert black.grad.isfinite().all()


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
