"""Virtual batches: the gradient of one graph over the same chunks, with the memory of one."""

from __future__ import annotations

import copy

import pytest
import torch
from parts import parts, passes

from gentk.engine import Discrepancy, Matching
from gentk.engine.replay import Replay
from gentk.interfaces import total

BATCH, CHUNK = 22, 8


def one_graph(generator, space, loss, estimator, data):
    """The step written out: all chunks in one graph, batch norm and masks per chunk."""
    reference = loss.reference(data)
    estimator.start({name: reference[name] for name in loss.kinds()})
    whole = None
    for images in passes(generator, [8, 7, 7]):
        part = loss.summarise(space(images, "signed"), data)
        whole = part if whole is None else whole + part
    total(loss(reference, estimator(loss.statistics(whole), reference))).backward()


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("spectral", [True, False])
def test_virtual_batch_equals_one_graph_over_the_same_chunks(norm, dropout, spectral):
    """Gradients agree to 1e-10 in float64; buffers and the random state are bit-equal."""
    ours, space, loss, estimator, data = parts(norm=norm, dropout=dropout, spectral=spectral)
    theirs = copy.deepcopy(ours)
    reference = copy.deepcopy(estimator)
    torch.manual_seed(5)
    one_graph(theirs, space, loss, reference, data)
    after = torch.get_rng_state()

    objective = Matching(
        ours, space, [Discrepancy(loss, estimator, data)], batch=BATCH, chunk=CHUNK
    )
    objective.start(objective.discrepancies[0])
    torch.manual_seed(5)
    objective()

    assert torch.equal(torch.get_rng_state(), after)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-10, atol=1e-10)
    for mine, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        assert torch.equal(mine, other)
    for mine, other in zip(estimator.buffers(), reference.buffers(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-12)


def test_the_last_chunk_is_not_generated_twice():
    """Three chunks are five passes: its graph is kept until the totals are known."""
    generator, space, loss, estimator, data = parts()
    sizes = []
    generator.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    objective = Matching(
        generator, space, [Discrepancy(loss, estimator, data)], batch=BATCH, chunk=CHUNK
    )
    objective.start(objective.discrepancies[0])
    objective()
    assert sizes == [8, 7, 7, 7, 8]


def test_one_chunk_is_the_plain_step():
    """Chunk >= batch takes the one-graph path with the same gradient."""
    grads = []
    for chunk in (None, BATCH, 100):
        generator, space, loss, estimator, data = parts()
        objective = Matching(
            generator, space, [Discrepancy(loss, estimator, data)], batch=BATCH, chunk=chunk
        )
        objective.start(objective.discrepancies[0])
        torch.manual_seed(5)
        objective()
        grads.append([p.grad for p in generator.parameters()])

    for other in grads[1:]:
        assert all(torch.equal(a, b) for a, b in zip(grads[0], other, strict=True))


def test_only_the_generator_receives_gradient():
    """The extractor's weights stay without gradient and bit-identical."""
    generator, space, loss, estimator, data = parts()
    before = copy.deepcopy(space.state_dict())
    objective = Matching(generator, space, [Discrepancy(loss, estimator, data)], batch=BATCH)
    objective.start(objective.discrepancies[0])
    objective()

    assert all(p.grad is not None for p in generator.parameters())
    assert all(p.grad is None for p in space.parameters())
    assert all(torch.equal(before[name], value) for name, value in space.state_dict().items())


def test_loss_is_of_the_batch_and_tracked_is_what_is_minimised():
    """Under an estimator that has not moved, loss/tracked is zero and loss is not."""
    generator, space, loss, estimator, data = parts()
    objective = Matching(generator, space, [Discrepancy(loss, estimator, data)], batch=BATCH)
    objective.start(objective.discrepancies[0])
    estimator.eval()
    shown = objective()

    assert shown["loss/tracked"].item() == 0
    assert shown["loss"].item() > 0.01
    terms = shown["loss/mean"] + shown["loss/covariance"]
    torch.testing.assert_close(shown["loss"], terms)


def test_every_step_is_compared_with_the_data_that_were_drawn_for_it():
    """With `fresh` a step's loss is that of its own draw, not of the data of the start."""
    generator, space, loss, estimator, data = parts()
    draws = [
        loss.summarise(space.of_images(torch.rand(30, 2, 4, 4, dtype=torch.float64) ** power), data)
        for power in (2, 3)
    ]
    own = Discrepancy(loss, estimator, data, fresh=iter(draws).__next__)
    objective = Matching(generator, space, [own], batch=BATCH)
    objective.start(objective.discrepancies[0])
    for draw in draws:
        torch.manual_seed(5)
        before = Replay.capture(generator, torch.device("cpu"))
        shown = objective()
        before.restore(generator)
        with torch.no_grad():
            features = space(generator(generator.prior.draw(BATCH)), "signed")
        terms = loss(loss.reference(draw), loss.statistics(loss.summarise(features, data)))

        torch.testing.assert_close(shown["loss"], total(terms))


def test_seeding_leaves_the_generators_buffers_alone():
    """Statistics of generated samples before step one do not train batch norm."""
    generator, space, loss, estimator, data = parts()
    before = [buffer.clone() for buffer in generator.buffers()]
    objective = Matching(generator, space, [Discrepancy(loss, estimator, data)], batch=BATCH)
    statistics = objective.seed_statistics(objective.discrepancies[0], 30, chunk=8)

    assert set(statistics) == set(loss.kinds())
    assert all(torch.equal(a, b) for a, b in zip(before, generator.buffers(), strict=True))


def test_seeding_summarises_for_the_loss_that_is_seeded_alone():
    """Samples that another loss keeps whole are not kept of thousands for a mean that this one wants."""
    generator, space, loss, estimator, data = parts()
    other = parts()[2]
    objective = Matching(
        generator,
        space,
        [
            Discrepancy(loss, estimator, data, name="a"),
            Discrepancy(other, parts()[3], data, name="b"),
        ],
        batch=BATCH,
    )
    seen: list[object] = []
    other.summarise = lambda *given: seen.append(given)
    torch.manual_seed(3)
    both = objective.seed_statistics(objective.discrepancies[0], 30, chunk=8)
    alone = Matching(generator, space, objective.discrepancies[:1], batch=BATCH)
    torch.manual_seed(3)
    wanted = alone.seed_statistics(alone.discrepancies[0], 30, chunk=8)

    assert not seen
    assert all(torch.equal(both[name], wanted[name]) for name in wanted)
