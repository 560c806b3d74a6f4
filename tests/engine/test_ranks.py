"""Several ranks take the step of one: gradients, running means, estimators, what is logged."""

from __future__ import annotations

import copy

import pytest
import torch
from parts import TinyGenerator
from test_adversarial import IMAGE, Hinge, Judge, Maker, Reader
from test_autoencoding import Square
from test_sums import Attraction, MeanOfSamples, settings
from torch import nn

from gentk.builtin.sources.digits import Digits
from gentk.data import Minibatches, View, open_images
from gentk.engine import Adversarial, Autoencoding, Matching, World
from gentk.engine.world import check_chunks
from gentk.errors import Incompatible, PeerLost
from gentk.testing.ranks import together
from gentk_averages.ama import AdamMovingAverage
from gentk_averages.queue import Queue
from gentk_games.gradient import GradientPenalty
from gentk_moments.loss import MomentsLoss

CPU = torch.device("cpu")
LOSSES = {
    "sums": ([MomentsLoss], lambda: [AdamMovingAverage(lr=1e-2)]),
    "samples": ([MeanOfSamples], lambda: [Queue(size=9, decay=0.5)]),
    "three": (
        [MomentsLoss, Attraction, MeanOfSamples],
        lambda: [AdamMovingAverage(lr=1e-2), Queue(size=30), Queue(size=9, decay=0.5)],
    ),
}


def matching(world, kind, chunk, batch):
    """An objective, its generator and its estimators."""
    losses, estimators = LOSSES[kind]
    _, phi, discrepancies = settings(
        [loss() for loss in losses],
        estimators(),
        [1.0, 0.1, 3.0][: len(losses)],
        [loss.__name__ for loss in losses],
    )
    torch.manual_seed(0)
    generator = TinyGenerator(spectral=False)
    objective = Matching(generator, phi, discrepancies, batch=batch, chunk=chunk, world=world)
    for discrepancy in discrepancies:
        objective.start(discrepancy)
    return objective


def steps(world, kind, chunk, batch, count=3):
    """Gradients, buffers, logged values and estimators of a few steps of SGD with lr 1."""
    objective = matching(world, kind, chunk, batch)
    generator = objective.generator
    torch.manual_seed(5)
    rows = []
    for _ in range(count):
        generator.zero_grad()
        shown = objective()
        rows.append([p.grad.clone() for p in generator.parameters()])
        rows.append([b.double().clone() for b in generator.buffers()])
        rows.append([value.double().clone() for value in shown.values()])
        with torch.no_grad():
            for parameter in generator.parameters():
                parameter.sub_(parameter.grad)
    rows.append(
        [b.double().clone() for d in objective.discrepancies for b in d.estimator.buffers()]
    )
    return rows


def alike(ours, theirs, rtol, atol=1e-12):
    for mine, other in zip(ours, theirs, strict=True):
        for a, b in zip(mine, other, strict=True):
            torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


@pytest.mark.parametrize(("size", "chunk"), [(2, 11), (2, 4), (3, 5), (4, 6)])
@pytest.mark.parametrize("kind", LOSSES)
def test_ranks_take_the_matching_steps_of_one(kind, size, chunk):
    """Of 22 samples, with batch norm and dropout, one chunk a rank and several; float64."""
    alone = steps(World(CPU), kind, chunk, 22)
    for rank in together(size, lambda world: steps(world, kind, chunk, 22)):
        alike(rank, alone, 1e-10)


def test_a_buffer_that_every_pass_moves_is_refused():
    """Torch's spectral norm moves its vectors in each pass: ranks would drift apart."""

    def step(world):
        objective = matching(world, "sums", 11, 22)
        objective.generator = TinyGenerator()
        objective()

    with pytest.raises(Incompatible, match="buffer 'first"):
        together(2, step)


def test_fewer_chunks_than_ranks_are_refused_with_one_that_fits():
    """A chunk that is too large, and a batch that is too small for any."""
    with pytest.raises(Incompatible, match="--chunk 7"):
        check_chunks(World(CPU, 0, 3), 22, 11)
    with pytest.raises(Incompatible, match="--batch"):
        check_chunks(World(CPU, 0, 3), 2, None)
    check_chunks(World(CPU, 0, 3), 22, 7)


def test_a_rank_that_fails_ends_the_others():
    """What it raised is what is raised; those that wait for it are told."""
    told = []

    def body(world):
        if world.rank == 1:
            raise ValueError("mine")
        try:
            world.agree(False)
        except PeerLost as error:
            told.append(error)
            raise

    with pytest.raises(ValueError, match="mine"):
        together(2, body)
    assert len(told) == 1


def test_what_ranks_sum_gather_and_agree_on():
    """Sums in place, of several types and orders in memory; rows of different number; flags of any."""

    def body(world):
        maps = torch.arange(24.0).view(1, 2, 3, 4) + world.rank
        laid = maps.to(memory_format=torch.channels_last)
        world.sum([maps, laid])
        assert torch.equal(maps, 2 * torch.arange(24.0).view(1, 2, 3, 4) + 1)
        assert torch.equal(laid, maps) and laid.stride() != maps.stride()
        a, b = torch.full((2,), float(world.rank)), torch.tensor(2, dtype=torch.int64)
        world.sum([a, b])
        rows = world.gather(torch.arange(3.0)[: world.rank + 1], [1, 2])
        return a.tolist(), int(b), [row.tolist() for row in rows], world.agree(world.rank == 1)

    assert together(2, body) == [([1.0, 1.0], 4, [[0.0], [0.0, 1.0]], True)] * 2
    assert copy.deepcopy(World(CPU)).agree(False) is False


class Norm(nn.Module):
    """A linear map with batch norm and dropout."""

    def __init__(self, into, out):
        super().__init__()
        self.map = nn.Sequential(nn.Linear(into, out), nn.BatchNorm1d(out), nn.Dropout(0.2))


class NormReader(Reader):
    """E(x) with batch norm."""

    def __init__(self):
        super().__init__()
        self.map = Norm(64, 3).map


class NormMaker(Maker):
    """G(z) with batch norm."""

    def __init__(self):
        super().__init__()
        self.map = Norm(3, 64).map


def networks(*modules):
    return nn.ModuleList(modules)


def game_steps(world, chunk):
    """Gradients, buffers and logged values of two turns, with a gradient penalty on the critic."""
    torch.manual_seed(0)
    batches = Minibatches(open_images(Digits(), "digits", View(limit=40)), 14, seed=1)
    maker, judge, reader = networks(NormMaker(), Judge(image=IMAGE, latent=3), NormReader())
    game = Adversarial(
        maker,
        judge,
        Hinge(),
        batches,
        reader,
        batch=14,
        chunk=chunk,
        world=world,
        penalties={"critic": {"gradient": GradientPenalty()}},
    )
    rows = []
    for step in (game.critic_step, game.generator_step, game.critic_step):
        shown = step()
        rows.append([value.double() for value in shown.values()])
        for network in (maker, judge, reader):
            rows.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
            rows.append([b.double().clone() for b in network.buffers()])
            network.zero_grad()
    return rows


def autoencoding_steps(world, chunk):
    """Gradients, buffers and logged values of two steps."""
    torch.manual_seed(0)
    batches = Minibatches(open_images(Digits(), "digits", View(limit=40)), 14, seed=1)
    reader, maker = networks(NormReader(), NormMaker())
    step = Autoencoding(reader, maker, [("", Square(), 1.0)], batches, chunk=chunk, world=world)
    rows = []
    for _ in range(2):
        rows.append([value.double() for value in step().values()])
        for network in (reader, maker):
            rows.append([p.grad.clone() for p in network.parameters()])
            rows.append([b.double().clone() for b in network.buffers()])
            network.zero_grad()
    return rows


@pytest.mark.parametrize(("size", "chunk"), [(2, 7), (2, 4), (3, 5)])
@pytest.mark.parametrize("steps", [game_steps, autoencoding_steps])
def test_ranks_take_the_steps_of_games_and_of_autoencoders(steps, size, chunk):
    """With batch norm in all networks, dropout, and a batch that ranks do not divide; float32."""
    alone = steps(World(CPU), chunk)
    for rank in together(size, lambda world: steps(world, chunk)):
        alike(rank, alone, 1e-5, 1e-6)


def test_a_sum_over_processes_is_no_part_of_a_graph():
    """Weights that are to be trained may be summed in place."""

    def act(world):
        weight = torch.full((3,), float(world.rank + 1), requires_grad=True)
        world.sum([weight])
        return weight

    for weight in together(2, act):
        assert weight.is_leaf and weight.tolist() == [3.0] * 3
