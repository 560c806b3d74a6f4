"""Plays: what is computed, under which random state, with which graph, and what is refused."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest
import torch
from torch import nn

from gentk.engine import Adversarial
from gentk.engine.playing import Part, Players
from gentk.engine.randomness import Draws
from gentk.errors import Incompatible
from gentk.interfaces import AdversarialLoss, Critic, Encoder, Generator, ImageShape
from gentk.prior import Prior
from gentk.registry import Registry

IMAGE = ImageShape(1, 4, 4)
CPU = torch.device("cpu")
VALUES = ("images", "latents", "scores", "features", "reconstruction", "inversion")


class Noisy(Critic):
    """Scores and features of one pass, with dropout."""

    pairs = True

    def __init__(self, *, pairs: bool = True, offers: bool = True):
        super().__init__()
        self.image, self.pairs, self.offers = IMAGE, pairs, offers
        self.hidden = nn.Sequential(nn.Linear(19, 6), nn.Dropout(0.5), nn.Tanh())
        self.last = nn.Linear(6, 1)
        self.passes = Counter()

    def judge(self, images, latents=None, labels=None):
        self.passes["critic"] += 1
        x = images.flatten(1)
        pair = x.new_zeros(len(x), 3) if latents is None else latents
        hidden = self.hidden(torch.cat([x, pair], dim=1))
        return {"x": self.last(hidden)[:, 0]}, {"hidden": hidden} if self.offers else {}

    def forward(self, images, latents=None):
        return self.judge(images, latents)[0]


class Maker(Generator):
    """G(z), with dropout."""

    def __init__(self, classes: int = 0):
        super().__init__()
        self.image, self.prior = IMAGE, Prior("normal", 3, classes=classes)
        self.map = nn.Sequential(nn.Linear(3 + classes, 16), nn.Dropout(0.5), nn.Tanh())
        self.passes = Counter()

    def forward(self, latents):
        self.passes["generator"] += 1
        return self.map(latents).unflatten(1, self.image)


class Reader(Encoder):
    """E(x), with dropout."""

    def __init__(self):
        super().__init__()
        self.image, self.latent = IMAGE, 3
        self.map = nn.Sequential(nn.Linear(16, 3), nn.Dropout(0.5))
        self.passes = Counter()

    def forward(self, images):
        self.passes["encoder"] += 1
        return self.map(images.flatten(1))


def players(*, encoder=True, joint=True, offers=True, dtype=torch.float32, classes=0) -> Players:
    """A small game."""
    torch.manual_seed(0)
    return Players(
        Maker(classes),
        Noisy(pairs=encoder, offers=offers),
        Reader() if encoder else None,
        have="unit",
        joint=joint,
        draws=Draws(3, CPU),
        dtype=dtype,
    )


def part(one: Players, rows: slice = slice(0, 6), index: int = 0) -> Part:
    """Six samples, or some of them."""
    draw = torch.Generator().manual_seed(1)
    images = torch.rand(6, *IMAGE, generator=draw)
    z = torch.randn(6, one.generator.prior.dimension, generator=draw)
    labels = torch.arange(6) % 2
    latents = one.generator.prior.join(z, labels)
    return Part(images[rows], labels[rows], latents[rows], rows, 6, index)


def all_of(play, order) -> dict[str, torch.Tensor]:
    """Every value of a play, asked for in an order."""
    found = {}
    for side, name in order:
        value = getattr(getattr(play, side), name)
        found[f"{side}/{name}"] = next(iter(value.values())) if isinstance(value, dict) else value
    return found


NAMES = [(side, name) for side in ("data", "model") for name in VALUES]
ORDERS = [
    NAMES,
    NAMES[::-1],
    NAMES[5:] + NAMES[:5],
    [NAMES[i] for i in torch.randperm(12).tolist()],
]


@pytest.mark.parametrize("turn", ["critic", "generator"])
def test_the_order_of_asking_decides_nothing(turn):
    """Dropout everywhere: each value is the same, and the global random state is left alone."""
    one = players()
    before = torch.get_rng_state()
    first, *others = [all_of(one.play(turn, part(one)), order) for order in ORDERS]
    assert torch.equal(before, torch.get_rng_state())
    for other in others:
        assert all(torch.equal(first[name], other[name]) for name in first)


def test_values_have_random_states_of_their_own():
    """Another step, turn, chunk or seed is another mask; of one value twice, the same."""
    one, rows = players(), slice(0, 6)

    def mask(turn="critic", index=0, steps=0, seed=3):
        one.draws.steps, one.draws.seed = steps, seed
        return one.play(turn, part(one, rows, index)).model.images

    assert torch.equal(mask(), mask())
    others = [mask(turn="generator"), mask(index=1), mask(steps=1), mask(seed=4)]
    assert not any(torch.equal(a, b) for a, b in permutations([mask(), *others], 2))


def test_scores_and_features_come_from_one_pass_and_nothing_is_made_twice():
    """All values of both sides: G, E and the critic go forward once for each that is theirs."""
    one = players()
    play = one.play("generator", part(one))
    for _ in range(2):
        all_of(play, NAMES)
    assert one.critic.passes["critic"] == 2
    # G(z), G(E(x)), G(E(G(z))); E(x), E(G(z)), E(G(E(x))).
    assert one.generator.passes["generator"] == 3 and one.encoder.passes["encoder"] == 3


@pytest.mark.parametrize(
    ("loss", "turn", "passes"),
    [
        ("hinge", "critic", (1, 1, 2)),
        ("hinge", "generator", (1, 1, 2)),
        ("logistic", "critic", (1, 1, 2)),
        ("logistic", "generator", (1, 1, 2)),
        ("logistic,form=minimax", "generator", (1, 1, 2)),
        ("latent-regressor", "critic", (1, 1, 2)),
        ("latent-regressor", "generator", (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("pairs", [True, False])
def test_what_is_not_asked_for_is_not_computed(loss, turn, passes, pairs):
    """Forward passes of G, E and the critic; where the critic sees images alone, fewer."""
    one = players()
    one.critic.pairs = pairs
    play = one.play(turn, part(one))
    getattr(Registry().build("loss", loss)[0], f"{turn}_loss")(play)
    generator, encoder, critic = passes
    if not pairs:
        encoder = int(loss == "latent-regressor" and turn == "generator")
        critic = 2 if turn == "critic" else 1
    assert one.generator.passes["generator"] == generator
    assert (one.encoder.passes["encoder"], one.critic.passes["critic"]) == (encoder, critic)


def moved(value: torch.Tensor, one: Players) -> set[str]:
    """Which networks a value has a gradient in."""
    named = {"generator": one.generator, "encoder": one.encoder, "critic": one.critic}
    if not value.requires_grad:
        return set()
    weights = {name: list(network.parameters()) for name, network in named.items()}
    flat = [w for rows in weights.values() for w in rows if w.requires_grad]
    slopes = torch.autograd.grad(value.sum(), flat, allow_unused=True, retain_graph=True)
    reached = {id(w) for w, slope in zip(flat, slopes, strict=True) if slope is not None}
    return {name for name, rows in weights.items() if any(id(w) in reached for w in rows)}


def test_in_the_critics_turn_the_others_are_constants():
    """Nothing of G and E has a graph; scores and features have one in the critic."""
    one = players()
    found = all_of(one.play("critic", part(one)), NAMES)
    for name, value in found.items():
        wanted = {"critic"} if name.split("/")[1] in ("scores", "features") else set()
        assert moved(value, one) == wanted, name


@pytest.mark.parametrize("joint", [False, True])
def test_in_the_generators_turn_gradient_goes_to_whoever_made_it(joint):
    """G through G(z), E through E(x), both through reconstructions; G through E(G(z)) if joint."""
    one = players(joint=joint)
    one.critic.requires_grad_(False)
    found = {k: moved(v, one) for k, v in all_of(one.play("generator", part(one)), NAMES).items()}
    both, inverted = {"generator", "encoder"}, {"encoder", *(["generator"] if joint else [])}
    assert found == {
        "data/images": set(),
        "data/latents": {"encoder"},
        "data/scores": {"encoder"},
        "data/features": {"encoder"},
        "data/reconstruction": both,
        "data/inversion": both,
        "model/images": {"generator"},
        "model/latents": set(),
        "model/scores": {"generator"},
        "model/features": {"generator"},
        "model/reconstruction": both,
        "model/inversion": inverted,
    }


@pytest.mark.parametrize("name", ["latents", "reconstruction", "inversion"])
def test_what_needs_an_encoder_is_refused_without_one(name):
    """By name, and the model's latents are there all the same."""
    one = players(encoder=False)
    play = one.play("critic", part(one))
    with pytest.raises(Incompatible, match=f"data's {name}"):
        getattr(play.data, name)
    assert play.model.latents.shape == (6, 3)


def test_features_of_a_critic_that_offers_none_are_refused():
    """The critic is named."""
    one = players(offers=False)
    with pytest.raises(Incompatible, match="Noisy"):
        _ = one.play("critic", part(one)).data.features


def test_labels_go_with_both_sides():
    """The data's are their own, the model's the classes it was made of; E's codes are given theirs."""
    one = players(classes=2)
    play = one.play("generator", part(one))
    assert play.data.labels.tolist() == play.model.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert play.model.latents.shape == (6, 3)
    assert play.data.reconstruction.shape == (6, *IMAGE)


def test_noise_is_drawn_for_the_batch_and_cut():
    """Rows of a chunk are rows of the whole; another name, other numbers."""
    one = players()
    whole = one.play("critic", part(one)).noise("t", 2, law="uniform")
    cut = one.play("critic", part(one, slice(2, 5), 1)).noise("t", 2, law="uniform")
    assert torch.equal(cut, whole[2:5]) and whole.min() >= 0 and whole.max() < 1
    other = one.play("critic", part(one)).noise("u", 2, law="uniform")
    assert not torch.equal(whole, other)


def test_the_critic_is_called_again_in_float32():
    """Under autocast too, and every call of a turn has the same dropout."""
    one = players(dtype=torch.bfloat16)
    play = one.play("critic", part(one))
    again = [play.critic(play.data.images, play.data.latents)["x"] for _ in range(2)]
    assert torch.equal(*again)
    one.critic.eval()
    images, pair = play.data.images, play.data.latents
    exact = play.critic(images, pair)["x"]
    torch.testing.assert_close(exact, one.critic(images, pair)["x"], rtol=0, atol=0)


def test_a_shown_graph_is_one_pass_in_float32():
    """Scores can be differentiated at the images of a side that was declared, twice, and no others."""
    one = players(dtype=torch.bfloat16)
    play = one.play("critic", part(one), graphs={"data"})
    [slope] = torch.autograd.grad(
        play.data.scores["x"].sum(), [play.data.images], create_graph=True
    )
    assert slope.dtype == torch.float32 and slope.requires_grad
    assert not play.model.images.requires_grad and one.critic.passes["critic"] == 1


class Waiting(AdversarialLoss):
    """Asks for more on odd steps: the order and number of values never matters to later ones."""

    def __init__(self, more):
        self.more = more

    def critic_loss(self, play):
        if self.more:
            _ = play.data.reconstruction, play.model.inversion
        return {"gap": play.model.scores["x"].mean() - play.data.scores["x"].mean()}

    def generator_loss(self, play):
        return {"gap": -play.model.scores["x"].mean()}


class Batches:
    """The same images over and over."""

    range = "unit"

    def drawn(self, parts):
        images, _ = self.labelled()
        return iter([(images[part], None) for part in parts])

    def labelled(self):
        return torch.rand(6, *IMAGE, generator=torch.Generator().manual_seed(2)), None


def test_asking_for_more_changes_nothing_else():
    """Two games, one of which looks at more: the same terms at every step."""
    rows = []
    for more in (False, True):
        one = players()
        game = Adversarial(
            one.generator, one.critic, Waiting(more), Batches(), one.encoder, batch=6
        )
        rows.append([game.critic_step()["loss/critic"] for _ in range(3)])
    assert all(torch.equal(a, b) for a, b in zip(*rows, strict=True))


class Judging(Critic):
    """Scores and features of one pass."""

    def judge(self, images, latents=None, labels=None):
        return {"x": images.sum((1, 2, 3))}, {"rows": images.sum(3)}


class Scoring(Critic):
    """Scores alone."""

    def forward(self, images, latents=None):
        return {"x": images.sum((1, 2, 3))}


def test_a_critic_defines_judge_or_forward():
    """The rest follows; one with neither says so."""
    images = torch.rand(2, 1, 3, 3)
    for critic in (Judging(), Scoring()):
        scores, features = critic.judge(images)
        assert torch.equal(critic(images)["x"], scores["x"])
        assert features.keys() == critic.features(images).keys()
    assert list(Judging().features(images)) == ["rows"] and Scoring().features(images) == {}

    with pytest.raises(NotImplementedError, match="Critic defines neither"):
        Critic()(images)
