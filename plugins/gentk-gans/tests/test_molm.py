"""Learned moments: what a side is summarised as, who receives gradient, and the penalty on its size."""

from __future__ import annotations

import copy

import pytest
import torch

import gentk
from gentk.errors import BadOption
from gentk.interfaces import ImageShape, Side
from gentk.testing import play_of
from gentk_games.weight_gradient import WeightGradientPenalty
from gentk_gans.molm import MomentNetwork

GREY = ImageShape(1, 16, 16)


def network(**options) -> MomentNetwork:
    """A small one in float64."""
    torch.manual_seed(0)
    return MomentNetwork(image=GREY, latent=2, width=2, **options).double()


def images(count: int, seed: int) -> torch.Tensor:
    """Leaves, float64."""
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(count, *GREY, generator=draw, dtype=torch.float64, requires_grad=True)


def side(x: torch.Tensor) -> Side:
    """A side of nothing but images."""
    return Side("model", {"images": x})


def test_moments_are_the_means_over_samples() -> None:
    """The gradient of each sample's logit by a loop, the images, and the scaled hidden layers."""
    critic, x = network(activations=0.5), images(3, 1)
    mean = critic.summarise_side(side(x)).mean()
    rows = []
    for one in x.detach():
        scores, hidden = critic.judge(one[None])
        slopes = torch.autograd.grad(scores["x"].sum(), list(critic.parameters()))
        parts = [*slopes, one, *(0.5 * maps for maps in hidden.values())]
        rows.append(torch.cat([part.flatten() for part in parts]))
    torch.testing.assert_close(mean, torch.stack(rows).mean(0), rtol=1e-9, atol=1e-12)
    count = sum(p.numel() for p in critic.parameters())
    assert len(network(activations=0.0, pixels=False).summarise_side(side(x)).mean()) == count


def test_gradient_moments_move_the_images() -> None:
    """The gradient of half a squared distance, by finite differences: it goes through the gradient."""
    critic, x = network(activations=0.0, pixels=False), images(2, 2)
    target = critic.summarise_side(side(images(2, 3))).mean().detach()

    def value(points: torch.Tensor) -> torch.Tensor:
        return (critic.summarise_side(side(points)).mean() - target).square().sum() / 2

    slope = torch.autograd.grad(value(x), x)[0]
    assert slope.any()
    step = torch.zeros_like(x)
    step[0, 0, 7, 7] = 1e-6
    with torch.enable_grad():
        change = (value(x + step) - value(x - step)).detach() / 2e-6
    torch.testing.assert_close(slope[0, 0, 7, 7], change, rtol=1e-4, atol=1e-10)


def test_chunks_add_up() -> None:
    """The sums of two parts are those of the whole."""
    critic, x = network(), images(5, 4)
    first = critic.summarise_side(side(x[:2]))
    both = first + critic.summarise_side(side(x[2:]), first)
    torch.testing.assert_close(both.mean(), critic.summarise_side(side(x)).mean())


def test_the_penalty_against_float64() -> None:
    """(|grad|^2 - 1)^2 of each side and its gradient, with a network written by hand."""
    w = torch.tensor([0.7, -0.4], dtype=torch.float64, requires_grad=True)
    x = {"data": torch.tensor([[1.0, 2.0], [3.0, -1.0]]), "model": torch.tensor([[0.5, 0.0]])}
    sides = [{"scores": {"x": torch.tanh(v.double() @ w)}} for v in x.values()]
    play = play_of(*sides)
    play.weights = (w,)
    terms = WeightGradientPenalty(weight=2.0)(play)
    for name, points in x.items():
        a = points.double() @ w.detach()
        g = ((1 - torch.tanh(a).square())[:, None] * points.double()).mean(0)
        assert terms[name].item() == pytest.approx(2 * ((g @ g).item() - 1) ** 2, rel=1e-12)
    assert torch.autograd.grad(terms["data"], w)[0].isfinite().all()
    assert WeightGradientPenalty()(play_of(*sides)) == {}


def test_odd_options_are_refused() -> None:
    """Weights and targets that are none."""
    for make in (
        lambda: WeightGradientPenalty(weight=0.0),
        lambda: WeightGradientPenalty(target=-1.0),
        lambda: network(activations=-1.0),
        lambda: MomentNetwork(image=GREY, latent=2, width=0),
    ):
        with pytest.raises(BadOption):
            make()


def test_the_moment_network_is_constant_in_the_generators_steps(tmp_path, monkeypatch) -> None:
    """A run whose critic takes no step leaves it as it was, and moves the generator."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))
    keys = {
        "data": "digits,size=16",
        "generator": "mlp,latent=4,widths=16",
        "critic": "molm,width=2",
        "batch": 4,
        "device": "cpu",
        "observers": [],
    }
    still = {"critic": {"loss": "logistic", "optimizer": "sgd,lr=0"}}
    run = {}
    for steps in (1, 2):
        out = str(tmp_path / str(steps))
        extra = {"phase": still, "extractor": ["critic"], "loss": "moments,covariance=none"}
        run[steps] = gentk.run("gfmn", **keys, **extra, estimator="batch", steps=steps, out=out)
    kept = {n: copy.deepcopy(r.folder.checkpoints.load()) for n, r in run.items()}
    for name, value in kept[1]["critic"].items():
        assert torch.equal(value, kept[2]["critic"][name])
    assert any(not torch.equal(v, kept[2]["generator"][k]) for k, v in kept[1]["generator"].items())
