"""Contests: matching losses on a critic's features, in one graph and in chunks, float64 throughout."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gentk.builtin.batch import Batch
from gentk.builtin.critic import CriticFeatures
from gentk.engine import Adversarial, Contest, Discrepancy
from gentk.errors import Incompatible
from gentk.feature_space import FeatureSpace
from gentk.interfaces import Critic
from gentk.registry import Registry
from gentk.summary import MomentSums

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


class Molm(TinyCritic):
    """Means of the last features, and the batch's mean gradient of the score in all weights."""

    def summarise_side(self, side, like=None):
        scores, features = self.judge(side.images)
        weights = [p for p in self.parameters() if p.requires_grad]
        slopes = torch.autograd.grad(
            scores["x"].mean(), weights, create_graph=True, materialize_grads=True
        )
        means = {"vector": features["vector"].mean(0)}
        means |= {f"slope{index}": slope for index, slope in enumerate(slopes)}
        return MomentSums.of_means(means, len(side.images), like)


class Batches:
    """The same random images in every step, float64."""

    range, labels = "unit", None

    def drawn(self, parts):
        images, _ = self.labelled()
        return iter([(images[part], None) for part in parts])

    def labelled(self):
        draw = torch.Generator().manual_seed(7)
        return torch.rand(BATCH, *IMAGE, generator=draw, dtype=torch.float64), None


def step(
    turn,
    *losses,
    chunk=None,
    game=None,
    apart=False,
    norm=False,
    frozen=True,
    penalty=None,
    kind=TinyCritic,
    phi=None,
    apiece=False,
):
    """Take one turn of a contest; return the networks and what was logged."""
    torch.manual_seed(3)
    generator = TinyGenerator(norm=norm, dropout=0.0, spectral=False)
    critic = kind(norm=norm)
    phi = phi or TinyExtractor().double()
    space = FeatureSpace(
        {"critic": CriticFeatures()} | ({"tiny": phi} if frozen else {}), IMAGE.channels
    )
    discrepancies = [
        Discrepancy(
            NAMES.build("loss", text)[0],
            Batch(),
            None,
            name=f"{text}/{who}",
            factor=1 + index,
            extractor=who,
        )
        for index, text in enumerate(losses)
        for who in (space.names if apiece else [None])
    ]
    contests = {"generator": Contest(space, discrepancies)}
    if game is None:
        moving = [one for one in discrepancies if one.extractor != "tiny"]
        contests["critic"] = Contest(space, moving, raised=True)
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
    ("fd,project=4",),
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


RAISED = [*LOSSES, ("sliced,projections=8",), ("feasible-set",), ("mmd,kernel=energy,sqrt=true",)]


@pytest.mark.parametrize("losses", RAISED, ids=str)
def test_a_critic_follows_the_slope_of_what_it_minimises(losses):
    """By central differences along two directions in its weights, which move both sides."""

    def moved(by, ways):
        def kind(*, norm):
            critic = TinyCritic(norm=norm)
            with torch.no_grad():
                for weight, way in zip(critic.parameters(), ways, strict=True):
                    weight.add_(by * way)
            return critic

        return float(step("critic", *losses, frozen=False, kind=kind)[2]["loss/critic"])

    _, critic, _ = step("critic", *losses, frozen=False)
    for seed in (0, 1):
        draw = torch.Generator().manual_seed(seed)
        ways = [torch.randn(w.shape, generator=draw).double() for w in critic.parameters()]
        pairs = zip(critic.parameters(), ways, strict=True)
        slope = sum(float((w.grad * way).sum()) for w, way in pairs if w.grad is not None)
        wanted = (moved(1e-6, ways) - moved(-1e-6, ways)) / 2e-6
        assert slope == pytest.approx(wanted, rel=1e-3, abs=1e-7)


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


class Counting(TinyExtractor):
    """Counts the images it is given."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.double()

    def forward(self, images):
        self.count += len(images)
        return super().forward(images)


@pytest.mark.parametrize("chunk", [None, 3])
def test_a_frozen_extractor_that_the_critic_does_not_look_at_is_left_alone(chunk):
    """One loss for each extractor, as balance=equal makes them: the critic raises its own alone."""
    phi = Counting()
    step("critic", "moments", phi=phi, apiece=True, chunk=chunk)
    assert phi.count == 0
    step("generator", "moments", phi=phi, apiece=True, chunk=chunk)
    # In chunks the samples go through twice, the data once.
    assert phi.count == (2 if chunk is None else 3) * BATCH
    phi.count = 0
    step("critic", "moments", phi=phi, chunk=chunk)
    assert phi.count == (2 if chunk is None else 4) * BATCH


@pytest.mark.parametrize(("turn", "passes"), [("critic", 4 * 4), ("generator", 3 * 4)])
def test_the_data_go_through_the_critic_twice_only_where_they_teach_it(turn, passes):
    """Of four chunks a side."""
    _, critic, _ = step(turn, "moments", "mmd", chunk=3)
    assert len(critic.seen) == passes


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


MOLM = {"kind": Molm, "frozen": False, "game": "logistic", "apart": True}


def test_a_side_summarised_by_the_critic():
    """|mean grad_w s(x) - mean grad_w s(G(z))|^2 beside means of features: gradient in G, exact."""
    generator, critic, shown = step("generator", "moments,covariance=none", **MOLM)
    got = gradients(generator)
    assert all(p.grad is None and p.requires_grad for p in critic.parameters())
    generator.zero_grad()

    def moments(images):
        scores, features = critic.judge(images)
        slopes = torch.autograd.grad(scores["x"].mean(), critic.parameters(), create_graph=True)
        return torch.cat([features["vector"].mean(0), *[g.flatten() for g in slopes]])

    gap = moments(Batches().labelled()[0] * 2 - 1) - moments(generator(replayed(generator)))
    gap.square().sum().backward()
    torch.testing.assert_close(shown["loss"], gap.square().sum().detach())
    for g, p in zip(got, generator.parameters(), strict=True):
        assert g.any()
        torch.testing.assert_close(g, p.grad, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("raised", [False, True])
def test_a_critics_own_summaries_add_up_over_chunks(raised):
    """In both turns, with a critic that raises them or not."""
    options = {"kind": Molm, "frozen": False} if raised else MOLM
    for turn in ("critic", "generator"):
        whole, parts = (
            step(turn, "moments,covariance=none", chunk=c, **options) for c in (None, 3)
        )
        for one, other in zip(whole[:2], parts[:2], strict=True):
            for g, h in zip(gradients(one), gradients(other), strict=True):
                assert (g is None) == (h is None)
                if g is not None:
                    torch.testing.assert_close(g, h, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(
    ("loss", "frozen"), [("mmd", False), ("moments,covariance=none", True)], ids=str
)
def test_own_summaries_that_nothing_can_be_done_with_are_refused(loss, frozen):
    """A loss of samples, and features of another extractor beside them."""
    with pytest.raises(Incompatible, match="Molm"):
        step("generator", loss, **{**MOLM, "frozen": frozen})


@pytest.mark.parametrize("loss", ["mmd,kernel=rational-quadratic-dot", "moments"])
def test_the_gradient_of_the_witness_is_penalised(loss):
    """(|grad f(x)| - 1)^2 at the data, f with both batches in its gradient: by a transcription."""
    _, critic, shown = step(
        "critic", loss, frozen=False, penalty="gradient,of=witness,at=data,weight=3"
    )
    got = gradients(critic)
    x, fake = Batches().labelled()[0] * 2 - 1, critic.seen[1].detach()
    critic.zero_grad()
    x = x.requires_grad_()
    real, other = critic.judge(x.detach())[1], critic.judge(fake)[1]
    names = NAMES.build("loss", loss)[0]
    one, two = names.summarise(real), names.summarise(other)
    data, model = names.reference(one), names.statistics(two)
    points = critic.judge(x)[1]
    if loss == "moments":
        rows = {k: v.flatten(1) for k, v in points.items()}
        value = 0
        for key, row in rows.items():
            a, b = real[key].flatten(1), other[key].flatten(1)
            middle = (a.mean(0) + b.mean(0)) / 2
            value = value + row @ (a.mean(0) - b.mean(0))
            value = value + (row - middle).square() @ (a.var(0) - b.var(0))
    else:

        def kernel(x, y):
            t = (x[:, None] - y).square().sum(2)
            return sum((1 + t / (2 * a)) ** -a for a in (0.2, 0.5, 1, 2, 5)) + x @ y.T

        rows, a, b = names.summarise(points).rows, data["samples"], model["samples"]
        value = kernel(rows, a).mean(1) - kernel(rows, b).mean(1)
    slope = torch.autograd.grad(value.sum(), x, create_graph=True)[0]
    penalty = 3 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
    (penalty - sum(names(data, model).values())).backward()
    torch.testing.assert_close(
        shown["penalty/critic/p/data"].double(), penalty.detach(), rtol=1e-6, atol=0
    )
    for g, p in zip(got, critic.parameters(), strict=True):
        if g is not None:
            torch.testing.assert_close(g, p.grad, rtol=1e-5, atol=1e-8)


def test_a_turn_that_matches_nothing_has_no_witness():
    """The critic of a game of its own raises no matching loss."""
    with pytest.raises(Incompatible, match="witness"):
        step("critic", "mmd", game="logistic", apart=True, penalty="gradient,of=witness")
