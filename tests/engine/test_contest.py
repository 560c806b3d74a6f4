"""Contests: matching losses on a critic's features, in one graph and in chunks, float64 throughout."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gentk.builtin.batch import Batch
from gentk.builtin.critic import CriticFeatures
from gentk.engine import Adversarial, Contest, Discrepancy
from gentk.feature_space import FeatureSpace
from gentk.interfaces import Critic
from gentk.registry import Registry

from .parts import IMAGE, TinyExtractor, TinyGenerator

BATCH = 10
NAMES = Registry()


class TinyCritic(Critic):
    """Two layers of features and a score, of one pass, float64."""

    def __init__(self, *, norm: bool = False) -> None:
        super().__init__()
        self.image = IMAGE
        self.first = nn.Conv2d(2, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3) if norm else nn.Identity()
        self.last = nn.Linear(3 * 16, 4)
        self.score = nn.Linear(4, 1)
        self.seen: list[torch.Tensor] = []
        self.double()

    def forward(self, images, latents=None):
        return self.judge(images)[0]

    def features(self, images, latents=None, labels=None):
        return self.judge(images)[1]

    def judge(self, images, latents=None, labels=None):
        self.seen.append(images)
        maps = torch.tanh(self.norm(self.first(images.double())))
        vector = self.last(maps.flatten(1))
        return {"x": self.score(vector)[:, 0]}, {"maps": maps, "vector": vector}


class Batches:
    """The same random images in every step, float64."""

    range, labels = "unit", None

    def labelled(self):
        draw = torch.Generator().manual_seed(7)
        return torch.rand(BATCH, *IMAGE, generator=draw, dtype=torch.float64), None


def step(turn, *losses, chunk=None, game=None, apart=False, norm=False, frozen=True, penalty=None):
    """Take one turn of a contest; return the networks and what was logged."""
    torch.manual_seed(3)
    generator = TinyGenerator(norm=norm, dropout=0.0, spectral=False)
    critic = TinyCritic(norm=norm)
    phi = {"critic": CriticFeatures()} | ({"tiny": TinyExtractor().double()} if frozen else {})
    space = FeatureSpace(phi, IMAGE.channels)
    discrepancies = [
        Discrepancy(NAMES.build("loss", text)[0], Batch(), None, name=text, factor=1 + index)
        for index, text in enumerate(losses)
    ]
    contests = {"generator": Contest(space, discrepancies)}
    if game is None:
        contests["critic"] = Contest(space, discrepancies, raised=True)
    engine = Adversarial(
        generator,
        critic,
        None if game is None else NAMES.build("loss", game)[0],
        Batches(),
        batch=BATCH,
        chunk=chunk,
        contests=contests,
        apart=apart,
        penalties={turn: {"p": NAMES.build("penalty", penalty)[0]}} if penalty else {},
    )
    shown = engine.critic_step() if turn == "critic" else engine.generator_step()
    return generator, critic, shown


def gradients(network):
    return [None if p.grad is None else p.grad.clone() for p in network.parameters()]


LOSSES = [
    ("moments",),
    ("moments,covariance=full,pool=mean",),
    ("moments,normalise=feature",),
    ("mmd",),
    ("mmd,kernel=rational-quadratic-dot,unbiased=true,layers=each",),
    ("mmd,features=rff+16,bandwidths=2.0", "moments,covariance=none"),
]


@pytest.mark.parametrize("turn", ["critic", "generator"])
@pytest.mark.parametrize("losses", LOSSES, ids=str)
def test_chunks_have_the_gradient_of_the_whole(turn, losses):
    """Both turns, beside a frozen extractor, to 1e-9 of the gradient's size."""
    whole, parts = (step(turn, *losses, chunk=chunk) for chunk in (None, 3))
    for one, other in zip(whole[:2], parts[:2], strict=True):
        for g, h in zip(gradients(one), gradients(other), strict=True):
            assert (g is None) == (h is None)
            if g is not None:
                torch.testing.assert_close(g, h, rtol=1e-7, atol=1e-9)
    assert whole[2].keys() == parts[2].keys()
    for name, value in whole[2].items():
        torch.testing.assert_close(value, parts[2][name], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("turn", ["critic", "generator"])
@pytest.mark.parametrize("apart", [False, True])
def test_chunks_beside_a_game_and_a_penalty(turn, apart):
    """What is a mean over samples and what is a function of totals add up in one step."""
    options = {"game": "logistic", "apart": apart, "penalty": "gradient,at=data,target=0"}
    whole, parts = (step(turn, "mmd", chunk=chunk, **options) for chunk in (None, 4))
    for one, other in zip(whole[:2], parts[:2], strict=True):
        for g, h in zip(gradients(one), gradients(other), strict=True):
            assert (g is None) == (h is None)
            if g is not None:
                # The critic called with a graph computes what it is given in: float64 here.
                torch.testing.assert_close(g, h, rtol=1e-6, atol=1e-9)


def test_the_critic_raises_what_the_generator_lowers():
    """D = |mean f(x) - mean f(G(z))|^2: -dD/dw for the critic, by autograd of a transcription."""
    for turn, sign in (("critic", -1), ("generator", 1)):
        generator, critic, shown = step(turn, "moments,covariance=none", frozen=False)
        network = critic if turn == "critic" else generator
        got = gradients(network)
        network.zero_grad()
        critic.requires_grad_(turn == "critic")
        x, z = Batches().labelled()[0] * 2 - 1, critic.seen[1].detach()
        images = z if turn == "critic" else generator(replayed(generator))
        real, fake = critic.judge(x)[1], critic.judge(images)[1]
        value = sum((real[k].mean(0) - fake[k].mean(0)).square().sum() for k in real)
        (sign * value).backward()
        for g, p in zip(got, network.parameters(), strict=True):
            if p is critic.score.weight or p is critic.score.bias:
                assert g is None
            else:
                torch.testing.assert_close(g, p.grad, rtol=1e-6, atol=1e-9)
        head = "loss/critic" if turn == "critic" else "loss"
        torch.testing.assert_close(shown[head], (sign * value).detach(), rtol=1e-6, atol=0)


def replayed(generator):
    """The latents of the first step."""
    from gentk.engine.randomness import Draws

    draws = Draws(0, torch.device("cpu"))
    draws.advance()
    with draws.of("latents"):
        return generator.prior.draw(BATCH, torch.device("cpu"))


def test_the_constant_network_is_never_accumulated_into():
    """Nor does a turn leave a network without its wish for gradients."""
    for turn in ("critic", "generator"):
        for chunk in (None, 3):
            generator, critic, _ = step(turn, "mmd", chunk=chunk)
            still = generator if turn == "critic" else critic
            assert all(p.grad is None and p.requires_grad for p in still.parameters())


def test_running_averages_move_once_a_chunk():
    """A chunk's second pass moves no batch norm on, in the critic nor in the generator."""
    for turn in ("critic", "generator"):
        generator, critic, _ = step(turn, "moments", chunk=5, norm=True)
        assert int(generator.norm.num_batches_tracked) == 2
        assert int(critic.norm.num_batches_tracked) == 4


def test_a_critic_of_a_game_of_its_own_raises_nothing():
    """Its gradient is that of the game alone; the generator's has no part in the game."""
    _, critic, shown = step("critic", "mmd", game="logistic", apart=True)
    _, alone, _ = step("critic", game="logistic")
    for g, h in zip(gradients(critic), gradients(alone), strict=True):
        assert torch.equal(g, h)
    assert "loss/critic/mmd" not in shown
    generator, _, shown = step("generator", "moments", game="logistic", apart=True)
    other, _, _ = step("generator", "moments")
    for g, h in zip(gradients(generator), gradients(other), strict=True):
        assert torch.equal(g, h)
    assert not any(name.startswith("score") for name in shown)
