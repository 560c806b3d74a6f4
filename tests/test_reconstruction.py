"""The loss `reconstruction` against its definitions, written down again in numpy and by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from gentk.builtin.reconstruction import Reconstruction, doubled, pyramid
from gentk.errors import BadOption, Incompatible
from gentk.options import convert, options_of

DISTANCES = ("bernoulli", "mse", "l1", "laplacian")


def loss(x, y, **options):
    """The one term of the loss."""
    terms = Reconstruction(**options)(x, y)
    assert list(terms) == ["reconstruction"]
    assert terms["reconstruction"].shape == ()
    return terms["reconstruction"]


def pair(*shape, seed=0):
    """Two batches of images in [0, 1], float64."""
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.rand(2, *shape, generator=generator, dtype=torch.float64)
    return x, y


def mirrored(values, index):
    """values[index] of a sequence continued by mirroring at its first and last value."""
    last = len(values) - 1
    while not 0 <= index <= last:
        index = -index if index < 0 else 2 * last - index
    return values[index]


TAPS = np.array([1, 4, 6, 4, 1]) / 16


def halve_line(values):
    """Burt and Adelson's REDUCE in one dimension, from its definition."""
    return np.array(
        [
            sum(TAPS[k + 2] * mirrored(values, i + k) for k in range(-2, 3))
            for i in range(0, len(values), 2)
        ]
    )


def double_line(values, size):
    """Burt and Adelson's EXPAND in one dimension: zeros in between, blurred, doubled."""
    spread = np.zeros(size)
    spread[::2] = values
    return np.array(
        [2 * sum(TAPS[k + 2] * mirrored(spread, i + k) for k in range(-2, 3)) for i in range(size)]
    )


def numpy_pyramid(image, levels):
    """The pyramid of one channel."""
    parts = []
    for _ in range(levels - 1):
        if min(image.shape) < 2:
            break
        small = np.apply_along_axis(halve_line, 1, np.apply_along_axis(halve_line, 0, image))
        wide = np.apply_along_axis(double_line, 0, small, image.shape[0])
        parts.append(image - np.apply_along_axis(double_line, 1, wide, image.shape[1]))
        image = small
    return [*parts, image]


def test_bernoulli_is_the_cross_entropy_summed_over_values():
    """-sum x log y + (1 - x) log(1 - y), mean over images, against numpy, for grey values."""
    x, y = pair(5, 2, 3, 4)
    a, b = x.numpy(), y.numpy()
    expected = -(a * np.log(b) + (1 - a) * np.log(1 - b)).sum((1, 2, 3)).mean()
    assert loss(x, y, distance="bernoulli").item() == pytest.approx(expected, rel=1e-12)


def test_bernoulli_is_smallest_at_the_images_themselves():
    """Its minimum over y is at y = x, the entropy of the grey values, with gradient zero."""
    x, y = pair(4, 1, 3, 3)
    same = x.clone().requires_grad_()
    lowest = loss(x, same, distance="bernoulli")
    lowest.backward()
    assert same.grad.abs().max() < 1e-12
    assert lowest < loss(x, y, distance="bernoulli")


def test_mse_and_l1_are_sums_over_an_image():
    """A closed form: two images that are off by 0.5 and 0.25 in all of their 12 values."""
    x = torch.zeros(2, 3, 2, 2)
    y = torch.tensor([0.5, 0.25]).view(2, 1, 1, 1).expand_as(x)
    assert loss(x, y).item() == 12 * (0.25 + 0.0625) / 2
    assert loss(x, y, distance="mse").item() == 12 * (0.25 + 0.0625) / 2
    assert loss(x, y, distance="l1").item() == 12 * (0.5 + 0.25) / 2


@pytest.mark.parametrize("distance", DISTANCES)
def test_mean_divides_by_the_values_of_an_image(distance):
    """`reduction=mean` is `sum` over C H W."""
    x, y = pair(3, 2, 6, 5)
    total = loss(x, y, distance=distance)
    mean = loss(x, y, distance=distance, reduction="mean")
    torch.testing.assert_close(mean * 60, total)


@pytest.mark.parametrize("distance", DISTANCES)
def test_it_is_a_mean_over_images(distance):
    """The loss of a batch is the mean of its images' losses: accumulation over chunks is exact."""
    x, y = pair(6, 2, 7, 8)
    each = torch.stack(
        [loss(a[None], b[None], distance=distance) for a, b in zip(x, y, strict=True)]
    )
    torch.testing.assert_close(loss(x, y, distance=distance), each.mean())


@pytest.mark.parametrize("distance", ["mse", "l1", "laplacian"])
def test_it_is_zero_for_the_image_itself_only(distance):
    """d(x, x) = 0, d(x, y) = d(y, x) > 0; the gradient at zero is zero, not NaN."""
    x, y = pair(3, 2, 8, 8)
    same = x.clone().requires_grad_()
    value = loss(x, same, distance=distance)
    value.backward()
    assert value.item() == 0
    assert not same.grad.any()
    torch.testing.assert_close(loss(x, y, distance=distance), loss(y, x, distance=distance))
    assert loss(x, y, distance=distance) > 0


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_are_finite_at_the_ends_of_the_range(distance, dtype):
    """0 and 1, right, wrong, and rounded past by a change of range, give finite numbers."""
    ends = torch.tensor([0.0, 1.0, 0.0, 1.0, -1e-7, 1 + 1e-7, 0.0, 1.0, 0.5], dtype=dtype)
    y = ends.view(1, 1, 3, 3).clone().requires_grad_()
    x = torch.tensor([0, 1, 1, 0, 0, 1, 1, 0, 0.5], dtype=dtype).view(1, 1, 3, 3)
    value = loss(x, y, distance=distance)
    value.backward()
    assert value.isfinite()
    assert y.grad.isfinite().all()
    assert loss(y.detach(), x, distance=distance).isfinite()


def test_the_gradient_through_a_saturated_sigmoid_is_finite():
    """Logits of +-200 are exactly 0 and 1 in float32: the gradient of the logits has no NaN."""
    logits = torch.tensor([-200.0, 200.0, 0.0, 3.0]).view(1, 1, 2, 2).requires_grad_()
    x = torch.tensor([1.0, 0.0, 1.0, 0.0]).view(1, 1, 2, 2)
    loss(x, logits.sigmoid(), distance="bernoulli").backward()
    assert logits.grad.isfinite().all()
    expected = (logits.sigmoid() - x).detach()  # where it is not saturated: sigmoid minus target
    torch.testing.assert_close(logits.grad[..., 1, :], expected[..., 1, :])


@pytest.mark.parametrize("distance", DISTANCES)
def test_gradients_are_those_of_finite_differences(distance):
    """Gradients of all distances, in float64."""
    x, y = pair(2, 1, 5, 4)
    check = lambda made: loss(x, made, distance=distance)  # noqa: E731
    assert torch.autograd.gradcheck(check, y.clamp(0.05, 0.95).requires_grad_())


@pytest.mark.parametrize(
    "shape", [(2, 2), (2, 3), (3, 2), (5, 8), (7, 7), (8, 8), (28, 28), (32, 17)]
)
@pytest.mark.parametrize("levels", [1, 2, 3, 9])
def test_the_pyramid_is_burt_and_adelsons(shape, levels):
    """Every level equals a transcription in numpy, for sides down to 2 px, odd ones and oblong."""
    x, _ = pair(2, 2, *shape)
    parts = pyramid(x, levels)
    expected = numpy_pyramid(x[1, 0].numpy(), levels)
    assert len(parts) == len(expected) <= levels
    for part, level in zip(parts, expected, strict=True):
        np.testing.assert_allclose(part[1, 0].numpy(), level, atol=1e-14)


@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (28, 28), (33, 64)])
@pytest.mark.parametrize("levels", [1, 2, 3, 9])
def test_the_pyramid_adds_up_to_the_image(shape, levels):
    """Adding the levels up from the last, doubling on the way, gives the image back."""
    x, _ = pair(2, 3, *shape)
    *finer, current = pyramid(x, levels)
    for part in reversed(finer):
        current = part + doubled(current, part.shape[-2], part.shape[-1])
    torch.testing.assert_close(current, x, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("exponent", "weight"), [(-2, 1 / 16), (2, 16)])
def test_laplacian_of_constant_images(exponent, weight):
    """A constant gap c has zeros in all levels but the last, 2 x 2 of 8 x 8, which is c."""
    x = torch.full((4, 3, 8, 8), 0.75, dtype=torch.float64)
    y = torch.full_like(x, 0.25)
    value = loss(x, y, distance="laplacian", exponent=exponent)
    assert value.item() == pytest.approx(0.5 * 3 * 4 * weight, rel=1e-12)


@pytest.mark.parametrize("exponent", [-2, 2])
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_laplacian_is_the_weighted_sum_of_levels(exponent, levels):
    """sum_j 2^(ej) |L^j(x) - L^j(y)|, the two pyramids taken apart, in numpy."""
    x, y = pair(1, 1, 9, 12)
    ours, theirs = (numpy_pyramid(image[0, 0].numpy(), levels) for image in (x, y))
    gaps = [np.abs(a - b).sum() for a, b in zip(ours, theirs, strict=True)]
    expected = sum(2.0 ** (exponent * j) * gap for j, gap in enumerate(gaps))
    value = loss(x, y, distance="laplacian", levels=levels, exponent=exponent)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_a_pyramid_of_one_level_is_l1():
    """With `levels=1` only the blurred rest is left, which is the image."""
    x, y = pair(2, 3, 6, 6)
    torch.testing.assert_close(
        loss(x, y, distance="laplacian", levels=1), loss(x, y, distance="l1")
    )


@pytest.mark.parametrize("shape", [(1024, 1, 1), (1, 1, 8), (1, 8, 1)])
def test_a_pyramid_of_codes_is_refused(shape):
    """Codes have one pixel: `laplacian` says what to type, the others take them as they are."""
    x, y = pair(2, *shape)
    with pytest.raises(Incompatible) as caught:
        loss(x, y, distance="laplacian")
    assert str(caught.value) == (
        "loss 'reconstruction': a pyramid needs images of 2 px or more, and these are codes or single "
        "rows; type --loss reconstruction,distance=mse"
    )
    for distance in ("bernoulli", "mse", "l1"):
        assert loss(x, y, distance=distance) > 0


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ({"levels": "0"}, "option 'levels' must be at least 1, not 0; write levels=1 or more"),
        (
            {"distance": "l2"},
            "option 'distance' takes bernoulli|mse|l1|laplacian, not 'l2'; write distance=mse",
        ),
        ({"exponent": "1"}, "option 'exponent' takes -2|2, not '1'; write exponent=-2"),
        (
            {"reduction": "none"},
            "option 'reduction' takes sum|mean, not 'none'; write reduction=sum",
        ),
    ],
)
def test_bad_options_say_what_to_write(written, text):
    """Options as they are typed: what is wrong and what would be right, in one sentence."""
    with pytest.raises(BadOption, match=re.escape(f"loss 'reconstruction': {text}")):
        Reconstruction(**convert(written, options_of(Reconstruction), "loss 'reconstruction'"))


def test_options_as_typed_are_taken():
    """`distance=laplacian,levels=4,exponent=2,reduction=mean`, converted from text."""
    written = {"distance": "laplacian", "levels": "4", "exponent": "2", "reduction": "mean"}
    built = Reconstruction(**convert(written, options_of(Reconstruction), "loss"))
    assert vars(built) == written | {"levels": 4, "exponent": 2}
