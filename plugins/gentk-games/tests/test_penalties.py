"""The gradient penalty: check values, a float64 reference, options, and runs with it."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

import gentk
from gentk.errors import BadOption, Incompatible, UsageError
from gentk.interfaces import total
from gentk.registry import Registry
from gentk.runs.composing import compose, resolve_recipe
from gentk.runs.rehearsal import rehearse
from gentk.testing import play_of
from gentk_games.gradient import GradientPenalty
from gentk_games.wasserstein import WassersteinLoss

N = 6


def linear(images, latents=None, labels=None):
    """f(x) = 3 x, one pixel: the norm of its gradient is 3 everywhere."""
    return {"x": 3 * images.flatten(1)[:, 0]}


def pixel(shift: float) -> torch.Tensor:
    """Images of one pixel, in the graph."""
    return (torch.rand(N, 1, 1, 1) + shift).requires_grad_()


def play(critic=linear, pairs=False, shape=None, **more):
    """A play whose scores are the critic's."""
    sides = []
    for shift in (0.0, 1.0):
        images = pixel(shift) if shape is None else torch.rand(N, *shape).requires_grad_()
        latents = torch.rand(N, 3).requires_grad_()
        scores = critic(images, latents) if pairs else critic(images)
        sides.append({"images": images, "latents": latents, "scores": scores})
    return play_of(*sides, critic=critic, pairs=pairs, **more)


@pytest.mark.parametrize("at", ["between", "data", "model"])
@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({}, 40.0),
        ({"target": 0.0}, 90.0),
        ({"target": 0.0, "weight": 5.0}, 45.0),
        ({"target": 5.0}, 40.0),
        ({"target": 5.0, "sided": "above"}, 0.0),
        ({"sided": "above", "weight": 1.0}, 4.0),
    ],
)
def test_of_three_x(at, options, value):
    """WGAN-GP with f(x) = 3 x and one pixel: 10 (3 - 1)^2 = 40."""
    [(name, term)] = GradientPenalty(at=at, **options)(play()).items()
    assert name == at and float(term.detach()) == pytest.approx(value)


class Net(nn.Module):
    """A smooth critic of pairs."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(12 + 3, 7), nn.Linear(7, 1)

    def forward(self, images, latents=None, labels=None):
        hidden = torch.tanh(self.first(torch.cat([images.flatten(1), latents], dim=1)))
        return {"xz": self.last(hidden)[:, 0], "x": 0.5 * hidden.square().sum(1)}


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("at", ["between", "data", "model"])
def test_value_and_gradient_against_float64(at, target):
    """The critic's gradient written out by hand, its penalty differentiated by central differences."""
    net = Net()
    shown = play(net, pairs=True, shape=(3, 2, 2))
    penalty = GradientPenalty(at=at, target=target)
    value = total(penalty(shown))
    found = torch.autograd.grad(value, [net.first.weight, net.last.weight])

    ends = [torch.cat([s.images.flatten(1), s.latents], dim=1) for s in shown.sides.values()]
    u = shown.noise("between", law="uniform")[:, None]
    rows = {"data": ends[0], "model": ends[1], "between": u * ends[0] + (1 - u) * ends[1]}[at]
    rows = rows.detach().double()

    def reference(first, last) -> torch.Tensor:
        hidden = torch.tanh(rows @ first.T + net.first.bias.detach().double())
        slope = ((last + hidden) * (1 - hidden.square())) @ first
        return 10 * (slope.norm(dim=1) - target).square().mean()

    weights = [net.first.weight.detach().double(), net.last.weight.detach().double()]
    torch.testing.assert_close(value.detach().double(), reference(*weights), rtol=1e-5, atol=0)
    for index, slope in enumerate(found):
        for place in ([0, 0], [0, 3]):
            moved = []
            for step in (1e-6, -1e-6):
                changed = [w.clone() for w in weights]
                changed[index][tuple(place)] += step
                moved.append(reference(*changed))
            expected = (moved[0] - moved[1]) / 2e-6
            torch.testing.assert_close(slope[tuple(place)].double(), expected, rtol=2e-4, atol=1e-5)


def test_a_flat_critic_has_a_finite_gradient():
    """|grad s| = 0: the norm's slope there is taken to be 0, never NaN."""
    weight = torch.zeros((), requires_grad=True)

    def flat(images, latents=None, labels=None):
        return {"x": weight * images.flatten(1)[:, 0]}

    for target in (0.0, 1.0):
        [slope] = torch.autograd.grad(total(GradientPenalty(target=target)(play(flat))), [weight])
        assert slope == 0


def test_odd_options_are_refused():
    """In one sentence each."""
    with pytest.raises(BadOption, match="target"):
        GradientPenalty(target=-1.0)
    with pytest.raises(BadOption, match="weight"):
        GradientPenalty(weight=0.0)


def test_the_wasserstein_loss():
    """The critic wants mean f(G) - mean f(x), the generator its negative, an encoder included."""
    data, model = {"x": torch.tensor([1.0, 3.0])}, {"x": torch.tensor([0.0, -1.0])}
    both = play_of({"scores": data}, {"scores": model})
    assert float(total(WassersteinLoss().critic_loss(both))) == -2.5
    assert float(total(WassersteinLoss().generator_loss(both))) == 2.5
    alone = play_of({}, {"scores": model}, pairs=False)
    assert float(total(WassersteinLoss().generator_loss(alone))) == 0.5


GAME = {
    "data": "digits,limit=64,size=8",
    "generator": "mlp,widths=16",
    "critic": "bigan,widths=16,norm=false,injected=false",
    "loss": "wasserstein",
    "batch": 12,
    "optimizer": "adam,lr=1e-2,betas=0.0+0.9",
    "decay": "none",
    "ema": None,
    "device": "cpu",
    "observers": [],
}


def train(folder, **flags):
    """A short run."""
    return gentk.run("gfmn", **{**GAME, "steps": 6, "out": str(folder), **flags})


def weights(run, name="critic"):
    """What a run's last checkpoint holds of a network."""
    return run.folder.checkpoints.load()[name]


def test_runs_resume_bit_for_bit_with_penalties_in_both_phases(tmp_path):
    """Two of the critic's, one of the generator's: each term is logged."""
    flags = {
        "penalty": ["gradient", "gradient,at=data,target=0"],
        "phase": {"generator": {"penalty": "gradient,at=model,target=0"}, "critic": {"repeat": 2}},
        "observer": ["metrics"],
    }
    settings = {k: v for k, v in GAME.items() if k != "observers"}
    whole = gentk.run("gfmn", **settings, **flags, steps=8, out=str(tmp_path / "a"))
    gentk.run("gfmn", **settings, **flags, steps=3, out=str(tmp_path / "b"))
    again = gentk.run("gfmn", **settings, **flags, steps=8, out=str(tmp_path / "b"))
    for name in ("generator", "critic"):
        one, two = weights(whole, name), weights(again, name)
        assert all(torch.equal(one[key], two[key]) for key in one)
    rows = [json.loads(line) for line in (tmp_path / "a/metrics.jsonl").read_text().splitlines()]
    shown = {key for key in rows[-1] if key.startswith("penalty/")}
    assert shown == {
        "penalty/critic/gradient/between",
        "penalty/critic/gradient#2/data",
        "penalty/generator/gradient/model",
    }


@pytest.mark.parametrize("loss", ["hinge", "wasserstein"])
@pytest.mark.parametrize("at", ["between", "data"])
def test_chunks_add_up_to_the_batch(tmp_path, loss, at):
    """Hinge and gradient penalty: the first step's gradient is the same to 1e-6."""
    flags = {
        "loss": loss,
        "steps": 1,
        "optimizer": "sgd,lr=1.0",
        "penalty": f"gradient,at={at}",
    }
    whole, parts = (train(tmp_path / str(chunk), chunk=chunk, **flags) for chunk in (None, 5))
    for name in ("critic", "generator"):
        one, two = weights(whole, name), weights(parts, name)
        for key in one:
            torch.testing.assert_close(one[key], two[key], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("penalty", ["gradient,at=data", "weight-gradient"])
def test_under_bfloat16_the_penalty_is_that_of_float32(tmp_path, penalty):
    """Autocast computes the scores, not the gradient of the gradient."""
    rows = []
    for dtype in ("float32", "bfloat16"):
        flags = {**GAME, "dtype": dtype, "penalty": penalty, "steps": 1}
        del flags["observers"]
        gentk.run("gfmn", **flags, observer=["metrics"], out=str(tmp_path / dtype))
        rows.append(json.loads((tmp_path / dtype / "metrics.jsonl").read_text().splitlines()[0]))
    name = f"penalty/critic/{penalty.partition(',')[0]}/data"
    assert rows[0][name] == pytest.approx(rows[1][name], rel=1e-6)


def test_clamped_weights_stay_within(tmp_path):
    """All parameters of the phase, biases too; those of the other phase are free."""
    done = train(tmp_path / "run", phase={"critic": {"clamp": 0.01}})
    assert all(v.abs().max() <= 0.01 for v in weights(done).values())
    assert max(v.abs().max() for v in weights(done, "generator").values()) > 0.01


def test_identities_stay_and_penalties_make_another_run(tmp_path):
    """Unset keys do not count, set ones do; `none` takes back what a recipe says."""
    out = {**GAME, "steps": 2, "phase": {"critic": {"repeat": 2}}}
    del out["observers"]
    plain = compose("gfmn", **out).recipe
    assert plain.identity() == "eefa1407"
    own = compose("gfmn", **{**out, "phase": {"critic": {"repeat": 2, "penalty": "gradient"}}})
    flag = compose("gfmn", **out, penalty=["gradient"])
    assert own.recipe.penalties("critic") == flag.recipe.penalties("critic") == ("gradient",)
    assert len({plain.identity(), own.recipe.identity(), flag.recipe.identity()}) == 3
    file = tmp_path / "mine.toml"
    file.write_text('steps = 2\n[phase.critic]\npenalty = ["gradient"]\nclamp = 0.5\n')
    for given, wanted in (("none", ()), (("gradient,at=data",), ("gradient,at=data",))):
        settings = {key: value for key, value in GAME.items() if key != "observers"}
        recipe = compose(str(file), **settings, penalty=given).recipe
        assert recipe.penalties("critic") == wanted and recipe.phase["critic"].clamp == 0.5
        assert recipe.penalties("generator") == ()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"loss": "moments", "critic": None, "penalty": ["gradient"]}, "penalty="),
        (
            {"loss": "moments", "critic": None, "phase": {"generator": {"penalty": "gradient"}}},
            "no penalty",
        ),
        (
            {"encoder": "mlp", "phase": {"encoder": {"penalty": "gradient"}}},
            "is a network",
        ),
        ({"encoder": "mlp", "phase": {"encoder": {"clamp": 0.1}}}, "is a network"),
        (
            {
                "generator": "biggan,width=4,latent=8,embed=4,classes=10",
                "critic": "biggan,width=4,classes=10",
                "data": "digits,limit=64,size=32",
                "penalty": ["gradient"],
            },
            "at=data",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, flags, words):
    """By name, before anything trains."""
    with pytest.raises(Incompatible, match=words):
        train(tmp_path / "run", **flags)


def test_a_critic_that_a_penalty_cannot_be_of_is_refused_by_a_rehearsal(tmp_path):
    """Before data are read, as `--dry-run` does it."""
    flags = {
        **GAME,
        "generator": "biggan,width=4,latent=8,embed=4,classes=10",
        "critic": "biggan,width=4,classes=10",
        "data": "cifar10",
        "penalty": ["gradient"],
        "steps": 1,
    }
    del flags["observers"]
    resolved = resolve_recipe("gfmn", flags, registry=Registry())
    with pytest.raises(Incompatible, match="at=data"):
        rehearse(resolved, Registry())


def test_unknown_penalties_and_clamps_are_refused(tmp_path):
    """Names, options and numbers."""
    with pytest.raises(UsageError, match="gradent"):
        train(tmp_path / "run", penalty=["gradent"])
    with pytest.raises(BadOption, match="wieght"):
        train(tmp_path / "run", penalty=["gradient,wieght=2"])
    with pytest.raises(UsageError, match="clamp"):
        train(tmp_path / "run", phase={"critic": {"clamp": -1}})
