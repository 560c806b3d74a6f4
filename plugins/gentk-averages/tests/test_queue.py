"""`queue`: weights, what is dropped, gradients, and its equality with `ma` in an explicit kernel."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption
from gentk_averages.ma import MovingAverage
from gentk_averages.queue import Queue

DATA = {"samples": torch.zeros(3, 2, dtype=torch.float64)}


def batches(count: int, size: int = 3, width: int = 2) -> list[dict[str, torch.Tensor]]:
    """Batches of normal rows, float64."""
    draw = torch.Generator().manual_seed(0)
    return [
        {"samples": torch.randn(size, width, generator=draw, dtype=torch.float64)}
        for _ in range(count)
    ]


def started(**options) -> Queue:
    """A queue for samples like DATA."""
    queue = Queue(**options)
    queue.start(DATA)
    return queue


def held(tracked: dict[str, torch.Tensor]) -> dict[tuple[float, ...], float]:
    """Sample -> weight, without the free places."""
    pairs = zip(tracked["samples"].tolist(), tracked["weights"].tolist(), strict=True)
    return {tuple(row): weight for row, weight in pairs if weight}


def test_without_decay_all_that_is_kept_weighs_alike():
    """Batches of 3 in a queue of 7: weights 1/3, 1/6, 1/9, then 1/10 of the last ten."""
    queue, sequence = started(size=7), batches(5)
    seen: list[tuple[float, ...]] = []
    for batch, kept in zip(sequence, (0, 3, 6, 7, 7), strict=True):
        tracked = queue(batch, DATA)
        seen += [tuple(row) for row in batch["samples"].tolist()]
        expected = dict.fromkeys(seen[-(kept + 3) :], 1 / (kept + 3))

        assert tracked["samples"].shape == (kept + 3, 2) and len(tracked["weights"]) == kept + 3
        assert held(tracked) == pytest.approx(expected)


def test_with_decay_weights_are_those_of_an_exponential_average():
    """The first batch weighs 1, a new one 1 - d, the past d times what it did."""
    queue, sequence = started(size=30, decay=0.75), batches(4)
    for batch in sequence:
        tracked = queue(batch, DATA)
    shares = [0.75**3, 0.25 * 0.75**2, 0.25 * 0.75, 0.25]
    expected = {
        tuple(row): share / 3
        for batch, share in zip(sequence, shares, strict=True)
        for row in batch["samples"].tolist()
    }

    assert held(tracked) == pytest.approx(expected)


@pytest.mark.parametrize("decay", [None, 0.9])
@pytest.mark.parametrize("size", [1, 4, 5, 100])
def test_weights_add_up_to_one_whatever_is_dropped(size, decay):
    """Also where a batch is larger than the queue."""
    queue = started(size=size, decay=decay)
    for batch in batches(6):
        tracked = queue(batch, DATA)
        assert tracked["weights"].sum().item() == pytest.approx(1, abs=1e-12)
        assert (tracked["weights"] >= 0).all()
    assert queue.get_buffer("weights").sum().item() == pytest.approx(1, abs=1e-12)


def test_only_the_batch_carries_a_gradient():
    """Past samples are constants, the batch's are themselves."""
    queue = started(size=4)
    for batch in batches(3):
        leaf = batch["samples"].requires_grad_()
        tracked = queue({"samples": leaf}, DATA)
        (tracked["weights"] @ tracked["samples"]).sum().backward()
    expected = tracked["weights"][-3:, None].expand(3, 2)

    torch.testing.assert_close(leaf.grad, expected, rtol=1e-12, atol=0)
    assert not queue.get_buffer("rows").requires_grad


def test_it_equals_ma_in_an_explicit_kernel():
    """mmd,kernel=dot on phi's rows under queue,decay=d is |mean phi|^2 under ma,alpha=1-d (1e-10)."""
    pytest.importorskip("gentk_mmd", reason="the loss is another plugin's")
    from gentk_mmd.loss import MMDLoss
    from gentk_mmd.rff import FourierFeatures

    phi = FourierFeatures([1.0, 3.0], "standard", laplacian=False, number=32, seed=0)
    sequence = [phi(batch["samples"]) for batch in batches(6)]
    data = phi(batches(1, 20)[0]["samples"] + 0.3)
    kernel = MMDLoss(kernel="dot")
    explicit = MMDLoss(bandwidths=(1.0, 3.0), features=("rff", "32"))
    queue = Queue(size=64, decay=0.8)
    average = MovingAverage(alpha=1 - 0.8, start="first-batch", scale=1 - 0.8)
    rows, mean = {"samples": data}, {"mean": data.mean(0)}
    queue.start(rows)
    average.start(mean)
    for index, batch in enumerate(sequence):
        found = []
        for estimator, loss, side, name in (
            (queue, kernel, rows, "samples"),
            (average, explicit, mean, "mean"),
        ):
            leaf = batch.clone().requires_grad_()
            statistic = leaf if name == "samples" else leaf.mean(0)
            value = loss(side, estimator({name: statistic}, side))["mmd"]
            found.append((value.detach(), torch.autograd.grad(value, leaf)[0]))
        torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=1e-10)
        # Of the first batch `ma` passes on a fraction alpha, the queue all.
        scale = 0.2 if index == 0 else 1.0
        torch.testing.assert_close(scale * found[0][1], found[1][1], rtol=0, atol=1e-10)


def test_state_dict_alone_resumes():
    """Four steps, a new queue with the old state, four more: equal to eight to the bit."""
    sequence = batches(8)
    whole, first, second = (started(size=10, decay=0.9) for _ in range(3))
    expected = [whole(batch, DATA) for batch in sequence]
    for batch in sequence[:4]:
        first(batch, DATA)
    second.load_state_dict(first.state_dict())
    again = [second(batch, DATA) for batch in sequence[4:]]

    for mine, theirs in zip(again, expected[4:], strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("decay", [None, 0.75])
def test_sets_of_any_names_are_kept_side_by_side(decay):
    """Two sets of the same samples, of other names and shapes, are kept row by row with one weight."""
    queue, plain = Queue(size=7, decay=decay), started(size=7, decay=decay)
    for index, batch in enumerate(batches(5)):
        rows = batch["samples"]
        marks = torch.arange(3 * index, 3 * index + 3)
        statistics = {"near": rows, "marks": marks}
        if not index:
            queue.start(statistics)
        tracked, expected = queue(statistics, statistics), plain(batch, DATA)
        assert torch.equal(tracked["near"], expected["samples"])
        assert torch.equal(tracked["weights"], expected["weights"])
        whole = torch.cat([b["samples"] for b in batches(5)])
        assert torch.equal(whole[tracked["marks"]], tracked["near"])


def test_places_without_a_sample_do_not_exist_for_the_loss():
    """No row of weight 0 is returned, also after a reload, and past weights are those of kept rows."""
    queue, again = started(size=7), started(size=7)
    for batch in batches(2):
        tracked = queue(batch, DATA)
        assert (tracked["weights"] > 0).all()
        assert len(tracked["past"]) == len(tracked["samples"]) - 3
    again.load_state_dict(queue.state_dict())
    batch = batches(3)[2]
    assert len(again(batch, DATA)["samples"]) == 9 == len(queue(batch, DATA)["samples"])


def test_eval_mode_does_not_move():
    """In eval mode the batch is weighed beside the past and forgotten."""
    queue = started(size=5)
    queue(batches(1)[0], DATA)
    before = {k: v.clone() for k, v in queue.state_dict().items()}
    queue.eval()
    tracked = queue(batches(2)[1], DATA)

    assert all(torch.equal(before[k], v) for k, v in queue.state_dict().items())
    assert tracked["weights"][-3:].sum().item() == pytest.approx(0.5)


def test_out_of_range_options_are_refused():
    """Sizes and decays outside their range are one sentence each."""
    for make in (
        lambda: Queue(size=0),
        lambda: Queue(decay=1.0),
        lambda: Queue(decay=0.0),
    ):
        with pytest.raises(BadOption, match="write"):
            make()


def test_samples_may_be_of_another_type_than_the_data():
    """Landmarks that stand for the data are float64, samples float32: both batches come back."""
    queue, sequence = started(size=7), batches(2)
    first, second = ({"samples": batch["samples"].float()} for batch in sequence)
    queue(first, DATA)
    second["samples"].requires_grad_()
    tracked = queue(second, DATA)["samples"]
    tracked.sum().backward()

    assert torch.equal(tracked.float(), torch.cat([first["samples"], second["samples"]]))
    assert torch.equal(second["samples"].grad, torch.ones(3, 2))
