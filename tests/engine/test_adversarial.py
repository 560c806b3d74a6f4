"""Adversarial training: which network receives gradient from which pair, and whole runs of it."""

from __future__ import annotations

import copy
import shutil
import sys
from types import ModuleType

import pytest
import torch
from torch import nn

import gentk
from gentk.data import Minibatches, View, open_images
from gentk.engine import Adversarial
from gentk.errors import Incompatible
from gentk.interfaces import AdversarialLoss, Critic, Encoder, Generator, ImageShape
from gentk.plugins import Provided, discover
from gentk.prior import Prior
from gentk.registry import Registry
from gentk.spec import Component

IMAGE = ImageShape(1, 8, 8)


class Hinge(AdversarialLoss):
    """A hinge on each score for the critic, none for the others."""

    def critic_loss(self, play):
        data, model = play.data.scores, play.model.scores
        terms = {f"data/{k}": torch.relu(1 - v).mean() for k, v in data.items()}
        return terms | {f"model/{k}": torch.relu(1 + v).mean() for k, v in model.items()}

    def generator_loss(self, play):
        terms = {f"data/{k}": v.mean() for k, v in play.data.scores.items()} if play.pairs else {}
        return terms | {f"model/{k}": -v.mean() for k, v in play.model.scores.items()}


class Judge(Critic):
    """Linear scores of x, z and both."""

    def __init__(self, *, image, latent, pairs: bool = True):
        super().__init__()
        self.image, self.pairs = image, pairs
        self.x = nn.Linear(64, 1)
        self.z = nn.Linear(latent, 1)
        self.xz = nn.Bilinear(64, latent, 1)

    def forward(self, images, latents=None):
        x = images.flatten(1)
        scores = {"x": self.x(x)[:, 0]}
        if latents is None:
            return scores
        return scores | {"z": self.z(latents)[:, 0], "xz": self.xz(x, latents)[:, 0]}


class Maker(Generator):
    """G(z) = tanh(W z)."""

    def __init__(self, *, image=IMAGE):
        super().__init__()
        self.image, self.prior = image, Prior("normal", 3)
        self.map = nn.Linear(3, 64)

    def forward(self, latents):
        return torch.tanh(self.map(latents)).unflatten(1, self.image)


class Reader(Encoder):
    """E(x) = V x."""

    def __init__(self, *, image=IMAGE, latent=3):
        super().__init__()
        self.image, self.latent = image, latent
        self.map = nn.Linear(64, latent)

    def forward(self, images):
        return self.map(images.flatten(1))


def game(*, chunk=None, encoder=True, seed=0):
    from gentk.builtin.sources.digits import Digits

    torch.manual_seed(seed)
    batches = Minibatches(open_images(Digits(), "digits", View(limit=40)), 12, seed=1)
    generator, critic = Maker(), Judge(image=IMAGE, latent=3, pairs=encoder)
    reader = Reader() if encoder else None
    return Adversarial(generator, critic, Hinge(), batches, reader, batch=12, chunk=chunk)


def gradients(module):
    return [p.grad for p in module.parameters()]


def test_the_critics_step_moves_the_critic_alone():
    """G and E are constants of the critic's step."""
    one = game()
    shown = one.critic_step()

    assert all(g is not None for g in gradients(one.critic))
    assert all(g is None for g in [*gradients(one.generator), *gradients(one.encoder)])
    terms = sum(v for k, v in shown.items() if k.startswith("loss/critic/"))
    torch.testing.assert_close(shown["loss/critic"], terms)
    assert {"score/x/data", "score/z/data", "score/xz/model"} <= set(shown)


def test_the_generators_step_leaves_the_critic_alone():
    """The critic's weights receive nothing, and ask for gradients again afterwards."""
    one = game()
    one.generator_step()

    assert all(g is None for g in gradients(one.critic))
    assert all(p.requires_grad for p in one.critic.parameters())
    assert all(g is not None for g in [*gradients(one.generator), *gradients(one.encoder)])


@pytest.mark.parametrize(
    ("step", "trained"),
    [("critic_step", {"critic"}), ("generator_step", {"generator", "encoder"})],
)
def test_a_networks_penalty_joins_the_step_that_trains_it(step, trained):
    """The gradient grows by the penalty's, |w|^2 here, and it is shown; other networks' play no part."""
    plain, penalised = game(), game()
    for name in ("generator", "encoder", "critic"):
        network = getattr(penalised, name)
        network.penalty = lambda network=network: {
            "size": sum(w.square().sum() for w in network.parameters())
        }
    shown = []
    for one in (plain, penalised):
        torch.manual_seed(4)
        shown.append(getattr(one, step)())

    assert set(shown[1]) - set(shown[0]) == {f"penalty/{name}/size" for name in trained}
    for name in trained:
        weights = getattr(penalised, name).parameters()
        for w, before in zip(weights, gradients(getattr(plain, name)), strict=True):
            torch.testing.assert_close(w.grad, before + 2 * w.detach())


def latents(one):
    """What the next step of a game draws."""
    draws = copy.deepcopy(one.draws)
    draws.advance()
    with draws.of("latents"):
        return one.generator.prior.draw(12)


def test_generator_and_encoder_learn_from_their_own_pairs():
    """E's gradient is that of the data's terms with z and xz, G's that of the model's with x and xz."""
    one, two = game(), game()
    z = latents(one)
    one.generator_step()
    found = gradients(one.generator), gradients(one.encoder)

    x = next(two.minibatches) * 2 - 1
    data, model = two.critic(x, two.encoder(x)), two.critic(two.generator(z), z)
    ours = torch.autograd.grad((data["z"] + data["xz"]).mean(), list(two.encoder.parameters()))
    theirs = torch.autograd.grad(
        -(model["x"] + model["xz"]).mean(), list(two.generator.parameters())
    )
    for mine, other in zip(found[1], ours, strict=True):
        torch.testing.assert_close(mine, other)
    for mine, other in zip(found[0], theirs, strict=True):
        torch.testing.assert_close(mine, other)


class Inverting(Hinge):
    """A hinge, and an encoder that is taught z on G(z)."""

    def __init__(self, joint):
        self.joint = joint

    def generator_loss(self, play):
        error = (play.model.inversion - play.model.latents).square().mean()
        return super().generator_loss(play) | {"inversion": error}


@pytest.mark.parametrize("joint", [False, True])
def test_the_generator_learns_from_the_inversion_only_in_a_joint_game(joint):
    """|E(G(z)) - z|^2 moves E in any case and G with `joint` alone."""
    plain, one = game(), game()
    one.loss = Inverting(joint)
    z = latents(plain)
    for each in (plain, one):
        each.generator_step()
    inversion = (plain.encoder(plain.generator(z)) - z).square().mean()

    for network, learns in ((plain.generator, joint), (plain.encoder, True)):
        weights = list(network.parameters())
        more = torch.autograd.grad(inversion, weights, retain_graph=True)
        theirs = gradients(one.generator if network is plain.generator else one.encoder)
        for w, extra, gradient in zip(weights, more, theirs, strict=True):
            assert extra.abs().max() > 0
            torch.testing.assert_close(gradient, w.grad + extra if learns else w.grad)


@pytest.mark.parametrize("step", ["critic_step", "generator_step"])
@pytest.mark.parametrize("chunk", [5, 6])
def test_a_chunked_step_is_the_whole_one(step, chunk):
    """Latents are drawn for the whole batch and cut: the gradient and what is logged are the same."""
    whole, parts = game(), game(chunk=chunk)
    shown = [getattr(one, step)() for one in (whole, parts)]

    for key in shown[0].keys() - {k for k in shown[0] if k.startswith("spread/")}:
        torch.testing.assert_close(shown[0][key], shown[1][key])
    for name in ("critic",) if step == "critic_step" else ("generator", "encoder"):
        pairs = zip(gradients(getattr(whole, name)), gradients(getattr(parts, name)), strict=True)
        for mine, other in pairs:
            torch.testing.assert_close(mine, other)


def test_a_game_of_images_alone_has_no_latents():
    """Without an encoder the critic scores x only, and the generator sees no data."""
    one = game(encoder=False)
    shown = one.critic_step()
    assert {k for k in shown if k.startswith("score/")} == {"score/x/data", "score/x/model"}
    shown = one.generator_step()
    assert {k for k in shown if k.startswith("score/")} == {"score/x/model"}


@pytest.fixture
def registry(monkeypatch):
    """The installed components and the toy critic, encoder and loss of this file."""
    module = ModuleType("toy_game")
    module.Judge, module.Hinge, module.Reader, module.Maker = Judge, Hinge, Reader, Maker
    monkeypatch.setitem(sys.modules, "toy_game", module)
    found = discover()
    for kind, name, attribute in (
        ("critic", "toy", "Judge"),
        ("loss", "toy-hinge", "Hinge"),
        ("encoder", "toy", "Reader"),
        ("generator", "toy", "Maker"),
    ):
        part = Component(kind=kind, name=name, target=f"toy_game:{attribute}", summary="a toy")
        found.provided.append(Provided(part, "toy", "1"))
    return Registry(found)


GAME = {
    "data": "digits,limit=100",
    "generator": "toy",
    "encoder": "toy",
    "critic": "toy",
    "loss": "toy-hinge",
    "batch": 10,
    "optimizer": "adam,lr=1e-3",
    "decay": "none",
    "ema": 0.9,
    "device": "cpu",
    "observers": [],
    "phase": {"critic": {"repeat": 2}, "encoder": {"optimizer": "adam,lr=1e-2"}},
}


def test_a_whole_run_keeps_and_resumes_every_network(registry, tmp_path):
    """Two critic steps a turn, an optimiser of the encoder's own, and bit-equal after a resume."""
    whole = gentk.run("gfmn", registry=registry, **GAME, steps=12, out=str(tmp_path / "a"))
    gentk.run("gfmn", registry=registry, **GAME, steps=5, out=str(tmp_path / "b"))
    again = gentk.run("gfmn", registry=registry, **GAME, steps=12, out=str(tmp_path / "b"))

    one, two = (run.folder.checkpoints.load() for run in (whole, again))
    for name in ("generator", "encoder", "critic"):
        assert all(torch.equal(one[name][key], two[name][key]) for key in one[name])
    assert set(one["average"]["weights"]) == {
        f"{part}.map.{key}" for part in ("generator", "encoder") for key in ("weight", "bias")
    }
    assert {key for key in one if key.startswith("optimizer/")} == {
        "optimizer/critic/critic",
        "optimizer/generator/generator",
        "optimizer/generator/encoder",
    }
    assert one["optimizer/generator/encoder"]["param_groups"][0]["lr"] == 1e-2
    assert whole.encoder is not None and whole.sample(3).shape == (3, 1, 8, 8)


def test_a_checkpoint_from_before_there_were_draws_goes_on(registry, tmp_path):
    """Its state has no number of steps: it begins at 0, which no run of before has used."""
    first = gentk.run("gfmn", registry=registry, **GAME, steps=3, out=str(tmp_path / "a"))
    checkpoints = first.folder.checkpoints
    step, state = checkpoints.latest()
    del state["draws"]
    shutil.rmtree(checkpoints.path(step))
    checkpoints.save(step, state)
    again = gentk.run("gfmn", registry=registry, **GAME, steps=5, out=str(tmp_path / "a"))
    # Two critic steps and one of the generator a turn.
    assert again.folder.checkpoints.load()["draws"] == {"steps": 6}


def test_missing_parts_are_one_sentence(registry, tmp_path):
    """No critic; pairs without an encoder."""
    settings = {**GAME, "steps": 2, "out": str(tmp_path / "run"), "phase": {}}
    with pytest.raises(Incompatible, match="critic='ali' or 'bigan'"):
        gentk.run("gfmn", registry=registry, **{**settings, "critic": None})
    with pytest.raises(Incompatible, match=r"judges pairs.*encoder=NAME"):
        gentk.run("gfmn", registry=registry, **{**settings, "encoder": None})
