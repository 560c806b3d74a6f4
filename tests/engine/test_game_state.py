"""Losses with a state: buffers that move once a step, networks that train in their phase, both kept."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch
from torch import nn

import gentk
from gentk.engine import Adversarial
from gentk.errors import Incompatible
from gentk.interfaces import AdversarialLoss, total
from gentk.plugins import Provided, discover
from gentk.registry import Registry
from gentk.runs.rehearsal import rehearse
from gentk.runs.resolving import resolve_recipe
from gentk.spec import Component
from gentk.testing import play_of


class Fisher(AdversarialLoss, nn.Module):
    """-(E_P f - E_Q f + l (1 - O) - r / 2 (O - 1)^2), O = (E_P f^2 + E_Q f^2) / 2, l a buffer."""

    means = False

    def __init__(self, *, start: float = 0.1, rho: float = 0.5):
        nn.Module.__init__(self)
        self.rho = rho
        self.register_buffer("multiplier", torch.tensor(start))

    @staticmethod
    def constraint(play):
        return (play.data.scores["x"].square().mean() + play.model.scores["x"].square().mean()) / 2

    def critic_loss(self, play):
        omega = self.constraint(play)
        gap = play.data.scores["x"].mean() - play.model.scores["x"].mean()
        bound = self.multiplier * (1 - omega) - self.rho / 2 * (omega - 1).square()
        return {"gap": -gap, "bound": -bound}

    def generator_loss(self, play):
        return {"gap": -play.model.scores["x"].mean()}

    def observe(self, play):
        return {"omega": self.constraint(play)}

    def after_critic_step(self, means):
        self.multiplier.sub_(self.rho * (1 - means["omega"]))


class Chunked(Fisher):
    """Whatever its terms are, what it observes is a mean: the multiplier is exact under chunks."""

    means = True

    def critic_loss(self, play):
        return {"gap": play.model.scores["x"].mean() - play.data.scores["x"].mean()}


class Denoising(AdversarialLoss, nn.Module):
    """A denoiser of the critic's features of the data, to whose output the generator is drawn."""

    def __init__(self):
        nn.Module.__init__(self)

    def prepare(self, play):
        [features] = play.data.features.values()
        self.denoiser = nn.Linear(features.shape[1], features.shape[1])

    def networks(self):
        return {"critic": self.denoiser}

    def critic_loss(self, play):
        [(name, features)] = play.data.features.items()
        clean = features.detach()
        noise = play.noise(name, clean.shape[1], law="normal")
        error = (self.denoiser(clean + noise) - clean).square().mean()
        gap = play.model.scores["x"].mean() - play.data.scores["x"].mean()
        return {"denoise": error, "gap": gap}

    def generator_loss(self, play):
        [features] = play.model.features.values()
        return {"drawn": (features - self.denoiser(features)).square().mean()}


class Reconstructing(AdversarialLoss):
    """A game beside which G(E(x)) is drawn to x."""

    needs = frozenset({"encoder"})

    def critic_loss(self, play):
        return {"gap": play.model.scores["x"].mean() - play.data.scores["x"].mean()}

    def generator_loss(self, play):
        again = (play.data.reconstruction - play.data.images).square().mean()
        return {"gap": -play.model.scores["x"].mean(), "again": again}


LOSSES = {
    "fisher": Fisher,
    "chunked": Chunked,
    "denoising": Denoising,
    "reconstructing": Reconstructing,
}
GAME = {
    "data": "digits,limit=64,size=8",
    "generator": "mlp,widths=16",
    "critic": "bigan,widths=16,norm=false,injected=false",
    "batch": 12,
    "optimizer": "adam,lr=1e-2",
    "decay": "none",
    "ema": 0.9,
    "device": "cpu",
    "observers": [],
}


@pytest.fixture
def registry(monkeypatch):
    """The installed components and the losses of this file."""
    module = ModuleType("toy_losses")
    found = discover()
    for name, kind in LOSSES.items():
        setattr(module, kind.__name__, kind)
        part = Component(
            kind="loss", name=name, target=f"toy_losses:{kind.__name__}", summary="a toy"
        )
        found.provided.append(Provided(part, "toy", "1"))
    monkeypatch.setitem(sys.modules, "toy_losses", module)
    return Registry(found)


def test_fishers_check_value():
    """f_P = (1, 3), f_Q = (0, -1), l = 0.1, r = 0.5: Omega 2.75, objective 1.559375, l 0.975."""
    loss = Fisher()
    play = play_of(
        {"scores": {"x": torch.tensor([1.0, 3.0])}}, {"scores": {"x": torch.tensor([0.0, -1.0])}}
    )
    means = loss.observe(play)
    assert float(means["omega"]) == 2.75
    assert float(total(loss.critic_loss(play))) == pytest.approx(-1.559375)
    loss.after_critic_step(means)
    assert float(loss.multiplier) == pytest.approx(0.975)


@pytest.mark.parametrize("loss", ["fisher", "denoising"])
def test_state_is_kept_and_resumes_bit_for_bit(registry, tmp_path, loss):
    """Buffers and networks are in the checkpoint, and move."""
    settings = {**GAME, "loss": loss, "registry": registry}
    whole = gentk.run("gfmn", **settings, steps=7, out=str(tmp_path / "a"))
    early = gentk.run("gfmn", **settings, steps=3, out=str(tmp_path / "b"))
    before = early.folder.checkpoints.load()
    again = gentk.run("gfmn", **settings, steps=7, out=str(tmp_path / "b"))
    one, two = (run.folder.checkpoints.load() for run in (whole, again))
    name = {"fisher": "loss", "denoising": "loss-critic"}[loss]
    for part in ("generator", "critic", name):
        assert all(torch.equal(one[part][key], two[part][key]) for key in one[part])
    assert any(not torch.equal(one[name][key], before[name][key]) for key in one[name])
    assert whole.sample(3).shape == (3, 1, 8, 8)


def test_a_loss_that_is_no_mean_refuses_chunks_by_name(registry, tmp_path):
    """Before anything trains; a chunk of the whole batch is none."""
    settings = {**GAME, "loss": "fisher", "registry": registry, "steps": 1}
    with pytest.raises(Incompatible, match=r"'fisher'.*(--chunk none|chunk='none')"):
        gentk.run("gfmn", **settings, chunk=4, out=str(tmp_path / "a"))
    assert not (tmp_path / "a").exists()
    gentk.run("gfmn", **settings, chunk=12, out=str(tmp_path / "b"))


def test_what_is_observed_is_exact_under_chunks(registry, tmp_path):
    """The multiplier after a step is that of the whole batch."""
    settings = {**GAME, "loss": "chunked", "registry": registry, "steps": 1}
    moved = [
        gentk.run(
            "gfmn", **settings, chunk=chunk, out=str(tmp_path / str(chunk))
        ).folder.checkpoints.load()["loss"]["multiplier"]
        for chunk in (None, 5)
    ]
    torch.testing.assert_close(moved[0], moved[1], rtol=1e-6, atol=0)
    assert moved[0] != 0.1


def test_a_rehearsal_has_labels_for_a_conditional_generator(registry, tmp_path):
    """G(E(x)) is of the class of x, which the data may have: the run says so if they do not."""
    settings = {
        **GAME,
        "loss": "reconstructing",
        "generator": "mlp,widths=16,classes=10",
        "encoder": "mlp,output=linear",
        "steps": 1,
        "out": str(tmp_path / "run"),
    }
    flags = {key: value for key, value in settings.items() if key != "observers"}
    rehearse(resolve_recipe("gfmn", flags, registry=registry), registry)
    gentk.run("gfmn", **settings, registry=registry)


class Batches:
    """Random images."""

    range, labels, images = "unit", None, range(12)

    def at(self, indices):
        draw = torch.Generator().manual_seed(0)
        return torch.rand(12, 1, 8, 8, generator=draw)[indices]

    def drawn(self, parts):
        images, _ = self.labelled()
        return iter([(images[part], None) for part in parts])

    def labelled(self):
        return self.at(torch.arange(12)), None


@pytest.mark.parametrize(
    ("penalty", "half"),
    [
        ("gradient,at=data,target=0", False),
        ("gradient,at=model,target=0", False),
        ("weight-gradient", False),
        ("activations", True),
    ],
)
def test_both_sides_of_a_turn_are_judged_in_one_type(penalty, half):
    """In float32 where a penalty differentiates twice, if on one side alone: they are compared."""
    names, image = Registry(), gentk.interfaces.ImageShape(1, 8, 8)
    generator = names.build("generator", GAME["generator"], image=image)[0]
    critic = names.build("critic", GAME["critic"], image=image, latent=100)[0]
    judge, seen = critic.judge, []

    def judged(*given):
        seen.append(torch.is_autocast_enabled("cpu"))
        return judge(*given)

    critic.judge = judged
    parts = {"critic": {"p": names.build("penalty", penalty)[0]}}
    hinge = names.build("loss", "hinge")[0]
    options = {"batch": 12, "dtype": torch.bfloat16, "penalties": parts}
    game = Adversarial(generator, critic, hinge, Batches(), **options)
    game.critic_step()
    game.generator_step()
    assert seen == [half, half, True]


def test_a_network_is_a_constant_in_the_other_phase():
    """The critic's step trains the denoiser; the generator's passes gradient through it alone."""
    names, image = Registry(), gentk.interfaces.ImageShape(1, 8, 8)
    generator = names.build("generator", GAME["generator"], image=image)[0]
    critic = names.build("critic", GAME["critic"], image=image, latent=100)[0]
    loss = Denoising()
    game = Adversarial(generator, critic, loss, Batches(), batch=12)
    generator.eval()
    game.prepare()
    assert critic.training and not generator.training

    game.generator_step()
    assert all(p.grad is None for p in [*loss.denoiser.parameters(), *critic.parameters()])
    assert all(p.grad is not None for p in generator.parameters())
    generator.zero_grad(set_to_none=True)
    game.critic_step()
    assert all(p.grad is not None for p in [*loss.denoiser.parameters(), *critic.parameters()])
    assert all(p.grad is None for p in generator.parameters())
    assert all(p.requires_grad for p in loss.denoiser.parameters())
