"""The loss `mmd`: its options' definitions, layers, roots, virtual batches and refusals."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption, DataError, Incompatible
from gentk.options import convert, options_of
from gentk.summary import MomentSums, Samples
from gentk_mmd.discrepancy import mmd2
from gentk_mmd.kernels import BANDWIDTHS, Gaussian
from gentk_mmd.loss import MMDLoss

X = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
Y = torch.tensor([[0.0, 2.0], [3.0, 0.0]], dtype=torch.float64)


def built(text: str) -> MMDLoss:
    """The loss with options as they are typed."""
    written = dict(part.split("=") for part in text.split(",") if part)
    return MMDLoss(**convert(written, options_of(MMDLoss), "loss 'mmd'"))


def features(count: int, seed: int) -> dict[str, torch.Tensor]:
    """A map and a vector, float64."""
    draw = torch.Generator().manual_seed(seed)
    return {
        "a": torch.randn(count, 3, 2, 2, generator=draw, dtype=torch.float64),
        "b": 3 * torch.randn(count, 4, generator=draw, dtype=torch.float64),
    }


def value(loss: MMDLoss, model: dict, data: dict) -> torch.Tensor:
    """The loss of features against features."""
    terms = loss(loss.reference(loss.summarise(data)), loss.statistics(loss.summarise(model)))
    assert list(terms) == ["mmd"]
    return terms["mmd"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("convention=gmmn", 1.646388),
        ("convention=gmmn,sqrt=true", 1.283117),
        ("convention=gmmn,unbiased=true", 0.106080),
        ("bandwidths=2", 0.503217),
        ("bandwidths=2,sqrt=true", 0.709378),
        ("bandwidths=2,convention=gmmn,sqrt=true", 0.919215),
        ("bandwidths=1+2+4+8+16", 1.794934 / 5),
        ("kernel=rational-quadratic", 3.963307),
        ("kernel=rational-quadratic-dot,unbiased=true", -0.346693),
        ("kernel=polynomial,unbiased=true", -7.3125),
        ("kernel=dot", 2.0),
    ],
)
def test_check_values_of_the_options(options, expected):
    """The values of the specification, by the options that name them."""
    assert value(built(options), {"x": X}, {"x": Y}).item() == pytest.approx(expected, abs=1e-6)


def test_gradient_of_the_root_is_that_of_the_square_over_twice_the_root():
    """The gradient of sqrt(L) is dL / (2 sqrt(L)); at zero it is finite."""
    slopes = []
    for root in (False, True):
        x = X.clone().requires_grad_()
        found = value(MMDLoss(sqrt=root), {"x": x}, {"x": Y})
        slopes.append(torch.autograd.grad(found, x)[0])
    torch.testing.assert_close(slopes[1], slopes[0] / (2 * found.detach()), rtol=1e-8, atol=0)

    x = X.clone().requires_grad_()
    zero = value(MMDLoss(sqrt=True), {"x": x}, {"x": X})
    zero.backward()
    assert zero.item() == pytest.approx(0, abs=1e-7) and torch.isfinite(x.grad).all()


@pytest.mark.parametrize("options", ["", "kernel=energy", "features=rff+64"])
def test_each_sums_the_layers(options):
    """layers=each is the sum of every layer's own MMD^2; joint takes them side by side."""
    ours, theirs = features(9, 0), features(8, 1)
    each = value(built(f"layers=each,{options}".rstrip(",")), ours, theirs)
    if "rff" in options:
        assert each.item() > 0
        return
    alone = [value(built(options), {k: ours[k]}, {k: theirs[k]}) for k in ours]
    torch.testing.assert_close(each, sum(alone), rtol=1e-12, atol=0)
    joint = value(built(options), ours, theirs)
    assert joint.item() != pytest.approx(each.item(), rel=1e-3)


def test_gradients_per_layer_equal_finite_differences():
    """With layers=each, through both layers, weights and root."""
    loss = MMDLoss(layers="each", sqrt=True)
    data = loss.reference(loss.summarise(features(4, 1)))
    samples = loss.summarise(features(5, 0)).rows.requires_grad_()
    weights = torch.tensor([0.1, 0.2, 0.3, 0.25, 0.15], dtype=torch.float64)

    def terms(rows: torch.Tensor) -> torch.Tensor:
        return loss(data, {"samples": rows, "weights": weights})["mmd"]

    assert torch.autograd.gradcheck(terms, (samples,))


def test_pooling_shrinks_maps_to_channels():
    """With pool=mean a map of 3 x 2 x 2 and a vector of 4 have 7 features."""
    loss = MMDLoss(pool="mean")
    assert loss.statistics(loss.summarise(features(5, 0)))["samples"].shape == (5, 7)


@pytest.mark.parametrize(("kernel", "convention"), [("gaussian", "standard"), ("gaussian", "gmmn")])
def test_the_median_bandwidth_is_the_datas_median_distance(kernel, convention):
    """One Gaussian of the median distance; where the bandwidth is a variance, of its square."""
    data = features(50, 3)
    loss = MMDLoss(kernel=kernel, bandwidths=("median",), convention=convention)
    assert loss.preparation == 1000
    loss.prepare(data)
    rows = Samples.of(data).rows
    middle = torch.pdist(rows).median().item()

    expected = mmd2(Samples.of(features(6, 0)).rows, rows, Gaussian([middle], "standard"))
    assert value(loss, features(6, 0), data).item() == pytest.approx(expected.item(), rel=1e-9)


def test_a_median_of_zero_is_refused():
    """Data without spread have no scale; the error names bandwidths to write."""
    with pytest.raises(DataError, match="write bandwidths=2"):
        MMDLoss(bandwidths=("median",)).prepare({"x": torch.ones(5, 3)})


def test_the_parts_of_a_virtual_batch_get_their_rows_of_one_graphs_gradient():
    """Samples.share hands each chunk the gradient that a single graph would."""
    loss = MMDLoss()
    data = loss.reference(loss.summarise({"x": Y}))
    chunks = [torch.randn(n, 2, dtype=torch.float64).requires_grad_() for n in (3, 2, 4)]
    whole = None
    for chunk in chunks:
        part = loss.summarise({"x": chunk})
        whole = part if whole is None else whole + part
    loss(data, loss.statistics(whole))["mmd"].backward()

    plain = whole.detach()
    leaves = {k: v.requires_grad_() for k, v in plain.to_tensors().items()}
    terms = loss(data, loss.statistics(plain.with_tensors(leaves)))
    gradient = dict(
        zip(leaves, torch.autograd.grad(terms["mmd"], list(leaves.values())), strict=True)
    )
    start = 0
    for chunk in chunks:
        share = plain.share(gradient, start, start + len(chunk))
        torch.testing.assert_close(share["rows"], chunk.grad, rtol=1e-12, atol=1e-15)
        start += len(chunk)


def test_the_kernel_form_keeps_samples_and_the_explicit_form_keeps_means():
    """What is summarised, under which kind, and that fingerprints tell them apart."""
    kernel, explicit = MMDLoss(), MMDLoss(features=("rff", "60"))
    assert kernel.summary is Samples and kernel.kinds() == {"samples": "samples"}
    assert explicit.summary is MomentSums and explicit.kinds() == {"mean": "real"}
    assert kernel.fingerprint() == MMDLoss(kernel="energy", unbiased=True).fingerprint()
    assert kernel.fingerprint() != MMDLoss(pool="mean").fingerprint()
    others = [
        MMDLoss(features=("rff", "62")),
        MMDLoss(features=("rff", "60"), seed=1),
        MMDLoss(features=("rff", "60"), bandwidths=(1.0,)),
        MMDLoss(features=("rff", "60"), convention="gmmn"),
        MMDLoss(features=("rff", "60"), layers="each"),
        MMDLoss(features=("nystrom", "60")),
    ]
    assert len({loss.fingerprint() for loss in [explicit, *others]}) == 7


def test_bandwidths_are_numbers_or_the_word_median():
    """What is typed becomes what is meant, and the default is GMMN's mixture."""
    assert built("").choice.settle() == BANDWIDTHS
    assert built("bandwidths=1+2.5").choice.settle() == (1.0, 2.5)
    assert built("bandwidths=median").choice.median


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ("bandwidths=2+x", BadOption, "write bandwidths=2\\+5\\+10"),
        ("bandwidths=0", BadOption, "numbers above 0, or median"),
        ("bandwidths=", BadOption, "numbers above 0, or median"),
        ("bandwidths=median+2", BadOption, "numbers above 0, or median"),
        ("kernel=gauss", BadOption, "write kernel=gaussian"),
        ("kernel=energy,bandwidths=3", Incompatible, "leave them out"),
        ("unbiased=true,sqrt=true", Incompatible, "leave sqrt=true out"),
        ("unbiased=true,features=rff+64", Incompatible, "leave unbiased=true or"),
        ("features=fourier+64", BadOption, "write features=rff\\+1024"),
        ("features=rff", BadOption, "write features=rff\\+1024"),
        ("features=rff+10", BadOption, "an even number from 12"),
        ("features=rff+65", BadOption, "an even number from 12"),
        ("features=rff+64,kernel=energy", Incompatible, "write features=nystrom\\+512"),
        ("features=nystrom+64,kernel=energy", Incompatible, "write kernel=laplacian"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, error, sentence):
    """One sentence that says what to type next."""
    with pytest.raises(error, match=sentence):
        built(options)


def test_too_few_images_for_the_landmarks_are_refused():
    """The error names how many there can be."""
    loss = MMDLoss(features=("nystrom", "64"))
    assert loss.preparation == 64
    with pytest.raises(Incompatible, match="write features=nystrom\\+10"):
        loss.prepare({"x": torch.randn(10, 3)})
