"""What matching losses observe: logged under names of its own, told where the loss is constant."""

from __future__ import annotations

import pytest
import torch
from parts import IMAGE, TinyGenerator, passes, space

from gentk.builtin.batch import Batch
from gentk.engine import Discrepancy, Matching
from gentk.field import Field, FieldLoss
from gentk.observers.progress import ProgressBar
from gentk.registry import Registry
from gentk.runs.composing import build
from gentk.statistics import DataSide, summarise_all
from gentk.testing.partner import with_partners
from gentk.testing.trial import composed, trained
from gentk_averages.ma import MovingAverage
from gentk_averages.queue import Queue
from gentk_fields.coupling import Coupling
from gentk_fields.drift import Drift
from gentk_fields.gaussian import GaussianKL


class MeanShift(FieldLoss):
    """To the mean of the data, away from that of the samples: V is the same for all."""

    def field(self, z, data, model):
        shift = data["samples"].mean(0) - model["samples"].mean(0)
        return Field(shift.expand_as(z), norms={"shift": shift.norm()})


SIZES = (7, 7, 6)


def settings(loss, estimator):
    """A generator, and an objective with chunks of 7, 7 and 6, started."""
    torch.manual_seed(0)
    phi, images = space(), torch.rand(24, *IMAGE, dtype=torch.float64)
    if loss.preparation:
        loss.prepare(phi.of_images(images[: loss.preparation]))
    side = DataSide(loss, phi)
    [data] = summarise_all(
        lambda part: iter(images.split(10)[part]),
        phi,
        [side],
        count=len(images),
        device=torch.device("cpu"),
    )
    generator = TinyGenerator()
    objective = Matching(generator, phi, [Discrepancy(loss, estimator, data)], batch=20, chunk=7)
    objective.start(objective.discrepancies[0])
    torch.manual_seed(5)
    return generator, objective


@pytest.mark.parametrize(
    ("loss", "estimator"),
    [
        (Drift, lambda: Queue(size=30)),
        (Drift, lambda: Queue(size=8, decay=0.5)),
        (lambda: Coupling(pairs="halves"), Batch),
        (GaussianKL, MovingAverage),
        (lambda: GaussianKL(covariance="layers"), MovingAverage),
        (lambda: GaussianKL(covariance="diagonal"), MovingAverage),
    ],
)
def test_fields_are_exact_under_chunks(loss, estimator):
    """The gradients of three steps are those of one graph over the same chunks, as are norms."""
    generator, objective = settings(loss(), estimator())
    plain, other = settings(loss(), estimator())
    [discrepancy] = other.discrepancies
    rows = []
    for _ in range(3):
        generator.zero_grad()
        shown = objective()
        rows.append(([p.grad.clone() for p in generator.parameters()], shown))
    torch.manual_seed(5)
    for step, (slopes, shown) in enumerate(rows, start=1):
        plain.zero_grad()
        whole = None
        for images in passes(plain, list(SIZES), step):
            features = other.space(images, "signed")
            part = discrepancy.summarise(features, other.space, None, whole)
            whole = part if whole is None else whole + part
        compared = discrepancy.compare(whole)
        compared.objective.backward()
        for mine, wanted in zip(slopes, plain.parameters(), strict=True):
            torch.testing.assert_close(mine, wanted.grad, rtol=1e-9, atol=1e-10)
        assert any(slope.any() for slope in slopes)
        assert shown["loss"] == shown["loss/tracked"], "targets follow from what is tracked"
        seen = {
            k.removeprefix("observed/"): v for k, v in shown.items() if k.startswith("observed/")
        }
        assert seen.keys() == compared.observed.keys()
        torch.testing.assert_close(seen, compared.observed, rtol=1e-9, atol=0)


def test_the_gradient_is_along_the_field():
    """-2 eta V / N for each sample, all layers alike; the value is eta^2 |V|^2."""
    draw = torch.Generator().manual_seed(0)
    z, real = (torch.randn(6, 3, generator=draw).double() for _ in range(2))
    z.requires_grad_()
    loss = MeanShift()
    loss.eta = 0.5
    shift = (real.mean(0) - z.detach().mean(0)).expand(6, 3)
    terms, seen = loss.compare({"samples": real, "sizes": torch.tensor([1, 2])}, {"samples": z})
    [slope] = torch.autograd.grad(terms["field"], z)
    torch.testing.assert_close(slope, -2 * 0.5 * shift / 6)
    assert terms["field"].item() == pytest.approx(0.25 * shift[0].square().sum().item())
    sizes = [shift[0, :1].norm().square(), shift[0, 1:].norm().square()]
    assert seen["shift"].item() == pytest.approx((sum(sizes) / 2).sqrt().item())


@pytest.mark.parametrize("loss", ["drift", "gaussian-kl"])
def test_a_constant_loss_says_what_to_watch(loss, capsys):
    """A run with `drift` says what to watch instead, and shows it; one whose loss falls does not."""
    with composed(with_partners(Registry()), loss=loss, estimator="batch") as composition:
        notices = []
        build(composition.resolved, composition.registry, notices.append)
        trained(composition, [ProgressBar()])
    told = [notice for notice in notices if "observed/force" in notice]
    shown = capsys.readouterr().err
    assert (len(told), " force " in shown) == ((1, True) if loss == "drift" else (0, False))
