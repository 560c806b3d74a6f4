"""The loop: exact resume, clean stops, observers that cannot change a run."""

from __future__ import annotations

import copy
import json
import os
import signal
import time
import warnings
from pathlib import Path
from unittest import mock

import pytest
import torch
from parts import parts

from gentk.checkpoint import Checkpoints
from gentk.engine import (
    Budget,
    Discrepancy,
    Loop,
    Matching,
    Phase,
    Schedule,
    WeightAverage,
)
from gentk.errors import CheckpointError, NonFinite, ObserverWarning
from gentk.events import Checkpointed, Noticed, Progress, Sampled, Stepped
from gentk.interfaces import Observer


class Recorder(Observer):
    """Keeps all events, and draws random numbers while it does."""

    def __init__(self):
        self.events = []

    def observe(self, event):
        torch.randn(3)
        self.events.append(event)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def make(folder: Path, steps: int, observers=(), **options) -> Loop:
    """A loop over the tiny parts: virtual batch, Adam with a schedule, weight averaging."""
    generator, space, loss, estimator, data = parts()
    objective = Matching(generator, space, [Discrepancy(loss, estimator, data)], batch=12, chunk=5)
    objective.start(objective.discrepancies[0])
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    schedule = Schedule(optimizer, [(60, {"lr": 5e-3})])
    optimizers = {"all": (optimizer, schedule)}
    phase = Phase("generator", {"generator": generator}, objective, 12, optimizers=optimizers)
    torch.manual_seed(7)
    return Loop(
        [phase],
        Budget(steps=steps),
        {"generator": generator, "estimator": estimator, "draws": objective.draws},
        Checkpoints(folder),
        observers=observers,
        average=WeightAverage(generator, 0.9),
        draw=lambda: torch.rand(4, 2, 4, 4),
        log_every=3,
        **options,
    )


def flat(state, prefix=""):
    """All tensors of a nested state by path."""
    if isinstance(state, torch.Tensor):
        return {prefix: state}
    if isinstance(state, dict):
        return {k: v for key, s in state.items() for k, v in flat(s, f"{prefix}/{key}").items()}
    return {}


def assert_same_state(one: dict, two: dict) -> None:
    """All tensors of two states are bit-equal."""
    first, second = flat(one), flat(two)
    assert first.keys() == second.keys() and len(first) > 20
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_resumed_run_ends_with_bit_identical_state(tmp_path):
    """20 steps equal 9 steps, a checkpoint, a new process' objects, and 11 more."""
    whole = make(tmp_path / "whole", 20)
    whole.run()
    state = copy.deepcopy(whole.state_dict())
    make(tmp_path / "parts", 9).run()
    again = make(tmp_path / "parts", 20)
    again.load_state_dict(Checkpoints(tmp_path / "parts").load())
    again.run()

    assert again.progress.steps == 20 and again.progress.images == 240
    assert_same_state(state, again.state_dict())


def test_observers_do_not_change_the_run(tmp_path):
    """Weights are bit-identical with and without an observer that uses randomness."""
    quiet = make(tmp_path / "a", 12)
    quiet.run()
    state = copy.deepcopy(quiet.state_dict())
    watched = make(tmp_path / "b", 12, [Recorder()])
    watched.run()

    assert_same_state(state, watched.state_dict())


def test_events_tell_every_step_once_in_order(tmp_path):
    """Rows of all steps arrive in order; grids every twentieth of the budget; one checkpoint."""
    recorder = Recorder()
    make(tmp_path, 20, [recorder]).run()

    rows = [row for event in recorder.of(Stepped) for row in event.rows]
    assert [row["step"] for row in rows] == list(range(1, 21))
    assert {"loss", "loss/tracked", "loss/mean", "loss/covariance", "images"} <= rows[0].keys()
    assert len(recorder.of(Sampled)) == 20
    assert [event.path.name for event in recorder.of(Checkpointed)] == ["00000020"]


def test_a_failing_observer_is_dropped_and_named(tmp_path):
    """The run goes on without it, and the others are told."""

    class Broken(Observer):
        def observe(self, event):
            raise RuntimeError("no space left for logs")

    recorder = Recorder()
    loop = make(tmp_path, 4, [Broken(), recorder])
    with pytest.warns(ObserverWarning, match="Broken failed and is dropped .*no space left"):
        loop.run()

    assert loop.progress.steps == 4
    assert [type(o) for o in loop.observers] == [Recorder]
    (notice,) = recorder.of(Noticed)
    assert "Broken" in notice.message and "no space left" in notice.message


def test_observers_that_all_fail_are_all_dropped(tmp_path):
    """Two that fail on every event, notices included, do not stop the run."""

    class Broken(Observer):
        def observe(self, event):
            raise RuntimeError("no")

    loop = make(tmp_path, 4, [Broken(), Broken()])
    with pytest.warns(ObserverWarning) as told:
        loop.run()

    assert loop.progress.steps == 4 and loop.observers == []
    assert len(told) == 2


@pytest.mark.parametrize("breaks", [False, True])
def test_a_failure_is_shown_once_where_people_look(tmp_path, breaks):
    """By the observer that shows notices, or, if it fails too, by warnings."""

    class Broken(Observer):
        def observe(self, event):
            raise RuntimeError("no")

    class Shown(Recorder):
        shows_notices = True

        def observe(self, event):
            super().observe(event)
            if breaks:
                raise RuntimeError("no terminal")

    shown = Shown()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        make(tmp_path, 4, [Broken(), shown]).run()

    assert ["Shown" in str(w.message) for w in told if w.category is ObserverWarning] == (
        [False, True] if breaks else []
    )
    assert breaks or "Broken" in shown.of(Noticed)[0].message


def test_reading_slow_scalars_counts_as_training_time(tmp_path):
    """What a device still has to do when its scalars are read belongs to the budget in seconds."""
    loop = make(tmp_path, 3)
    loop.budget = Budget(steps=3, seconds=1e-3)
    flush = torch.stack

    def slow(tensors, *rest):
        time.sleep(0.05)
        return flush(tensors, *rest)

    with mock.patch("gentk.engine.loop.torch.stack", slow):
        loop.run()
    assert loop.progress.seconds > 0.05
    assert loop.progress.fraction == loop.progress.seconds / 1e-3


def test_a_non_finite_loss_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    """NaN weights after a checkpoint raise, name the step, and leave that checkpoint loadable."""
    make(tmp_path, 5).run()
    loop = make(tmp_path, 50)
    loop.load_state_dict(Checkpoints(tmp_path).load())
    next(iter(loop.phases[0].modules.values())).last.weight.data.fill_(torch.nan)
    with pytest.raises(
        NonFinite, match=r"generator .*loss became nan.* step 6; the checkpoint of step 5"
    ):
        loop.run()

    state = Checkpoints(tmp_path).load()
    assert state["progress"]["steps"] == 5
    assert all(torch.isfinite(v).all() for v in flat(state["generator"]).values())


def test_an_update_that_breaks_the_weights_is_not_saved(tmp_path):
    """A finite loss with an update to NaN does not reach a checkpoint."""
    loop = make(tmp_path, 3)
    objective = loop.phases[0].objective

    def poisoned():
        shown = objective()
        if loop.progress.steps == 2:
            loop.phases[0].modules["generator"].last.bias.grad.fill_(torch.inf)
        return shown

    object.__setattr__(loop.phases[0], "objective", poisoned)
    with pytest.raises(NonFinite, match=r"gradient of last.bias of the generator .* step 3"):
        loop.run()
    assert Checkpoints(tmp_path).steps() == []


@pytest.mark.parametrize("step", [2, 4, 7])
def test_a_weight_that_breaks_is_named_at_its_step(tmp_path, step):
    """Though it is looked at three steps later, and by then all weights are broken."""
    loop = make(tmp_path, 12)
    optimizer = loop.phases[0].optimizers["all"][0]
    take = optimizer.step

    def poisoned():
        take()
        if loop.progress.steps == step - 1:
            loop.phases[0].modules["generator"].last.weight.data[0] = torch.nan

    optimizer.step = poisoned
    with pytest.raises(NonFinite, match=rf"weight last.weight of the generator .* step {step};"):
        loop.run()


@pytest.mark.parametrize("step", [2, 5])
def test_a_layer_of_an_extractor_that_overflows_is_named(tmp_path, step):
    """Extractor and layer, whole batch or virtual."""
    loop = make(tmp_path, 12)
    objective = loop.phases[0].objective
    forward, calls = objective.space.forward, []

    def overflowing(*arguments):
        features = forward(*arguments)
        if loop.progress.steps == step - 1:
            name = list(features)[-1]
            calls.append(name)
            features[name] = features[name] * torch.inf
        return features

    objective.space.forward = overflowing
    with pytest.raises(NonFinite) as refused:
        loop.run()
    extractor, layer = calls[0].split("/")
    assert f"layer {layer} of the extractor {extractor}" in str(refused.value)
    assert f"step {step};" in str(refused.value)


@pytest.mark.parametrize("steps", [0, 3])
def test_no_learning_rate_is_blamed_before_there_was_an_update(tmp_path, steps):
    """At step 1 it is the loss, the networks or the data; later it may be the learning rate."""
    loop = make(tmp_path, 12)
    objective = loop.phases[0].objective
    forward = objective.space.forward

    def broken(*arguments):
        factor = torch.nan if loop.progress.steps == steps else 1
        return {name: value * factor for name, value in forward(*arguments).items()}

    objective.space.forward = broken
    with pytest.raises(NonFinite, match=rf"layer .* step {steps + 1}\b") as refused:
        loop.run()
    assert ("--optimizer" in str(refused.value)) == bool(steps)
    assert ("the data" in str(refused.value)) == (not steps)


def test_a_logged_scalar_is_of_before_the_update(tmp_path):
    """One that is not finite from the start, though all weights are, is the loss's own."""
    loop = make(tmp_path, 12)
    objective = loop.phases[0].objective
    object.__setattr__(
        loop.phases[0], "objective", lambda: objective() | {"odd": torch.tensor(torch.nan)}
    )
    with pytest.raises(NonFinite, match=r"odd became nan at step 1, .*the data"):
        loop.run()


def test_a_first_update_that_breaks_weights_is_one_of_the_learning_rate(tmp_path):
    """All was finite until then."""
    loop = make(tmp_path, 12)
    optimizer = loop.phases[0].optimizers["all"][0]
    take = optimizer.step

    def poisoned():
        take()
        loop.phases[0].modules["generator"].last.weight.data[0] = torch.inf

    optimizer.step = poisoned
    with pytest.raises(NonFinite, match=r"weight last.weight .* step 1;.*--optimizer"):
        loop.run()


class Meddler(Observer):
    """Changes all that it is told."""

    def observe(self, event):
        if isinstance(event, Stepped):
            for row in event.rows:
                row["loss"] = -1.0
                row.pop("images")
            event.rows.clear()
        if isinstance(event, Sampled):
            event.images.zero_()


def test_what_an_observer_does_to_an_event_stays_with_it(tmp_path):
    """Others, and the run's own record, have what happened, and plain rows that JSON writes."""
    alone, beside = Recorder(), Recorder()
    make(tmp_path / "alone", 6, [alone]).run()
    loop = make(tmp_path / "beside", 6, [Meddler(), beside])
    loop.run()
    for one, other in zip(alone.of(Stepped), beside.of(Stepped), strict=True):
        assert one.rows == other.rows and json.dumps(other.rows)
    for one, other in zip(alone.of(Sampled), beside.of(Sampled), strict=True):
        assert other.images.any() and torch.equal(one.images, other.images)
    assert loop.last == alone.of(Stepped)[-1].rows[-1]


def test_ctrl_c_finishes_the_step_and_writes_a_checkpoint(tmp_path):
    """SIGINT raises KeyboardInterrupt after a checkpoint from which the run ends identically."""
    whole = make(tmp_path / "whole", 15)
    whole.run()
    state = copy.deepcopy(whole.state_dict())

    class Interrupt(Observer):
        def observe(self, event):
            if isinstance(event, Stepped) and event.progress.steps == 6:
                os.kill(os.getpid(), signal.SIGINT)

    loop = make(tmp_path / "cut", 15, [Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    assert Checkpoints(tmp_path / "cut").steps() == [6]
    again = make(tmp_path / "cut", 15)
    again.load_state_dict(Checkpoints(tmp_path / "cut").load())
    again.run()
    assert_same_state(state, again.state_dict())


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    """Disk full: one sentence, nothing half-written, the previous checkpoint still loads."""
    make(tmp_path, 3).run()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gentk.tensors.save_tensors", full)
    loop = make(tmp_path, 6)
    loop.load_state_dict(Checkpoints(tmp_path).load())
    with pytest.raises(CheckpointError, match=r"step 6 .*disk is full.* step 3 is kept"):
        loop.run()

    assert Checkpoints(tmp_path).load()["progress"]["steps"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["00000003"]


def test_a_damaged_checkpoint_is_named(tmp_path):
    """Truncated tensors are an error that names the folder, if there is no other checkpoint."""
    make(tmp_path, 3).run()
    (tmp_path / "00000003" / "tensors.safetensors").write_bytes(b"short")
    with pytest.raises(CheckpointError, match="00000003 is damaged"):
        Checkpoints(tmp_path).load()


def test_only_the_latest_checkpoints_are_kept(tmp_path):
    """Older ones go when a newer one is complete."""
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (1, 2, 3):
        checkpoints.save(step, {"x": torch.ones(2), "n": (1, None, "a"), "d": {3: 4.5}})

    assert checkpoints.steps() == [2, 3]
    state = checkpoints.load()
    assert state["n"] == (1, None, "a") and state["d"] == {3: 4.5}


def test_checkpoints_hold_no_pickle(tmp_path):
    """What lies on disk is one safetensors file and one JSON file."""
    make(tmp_path, 2).run()
    names = sorted(path.name for path in (tmp_path / "00000002").iterdir())

    assert names == ["state.json", "tensors.safetensors"]
    json.loads((tmp_path / "00000002" / "state.json").read_text())


@pytest.mark.parametrize(
    ("decay", "fraction", "expected"),
    [("none", 0.5, 0.1), ("linear", 0.25, 0.075), ("cosine", 0.5, 0.05), ("linear", 1.0, 0.0)],
)
def test_decay_lowers_the_rate_over_the_budget(decay, fraction, expected):
    """Lr times 1 - t, or (1 + cos pi t) / 2."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    Schedule(optimizer, decay=decay).apply(Progress(fraction=fraction))

    assert optimizer.param_groups[0]["lr"] == pytest.approx(expected)


def test_schedule_entries_hold_from_their_image_on():
    """Settings change at `at` images seen, and a resume before it sees the old ones."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0, momentum=0.9)
    schedule = Schedule(optimizer, [(100, {"lr": 0.2, "momentum": 0.99})])
    seen = []
    for images in (0, 99, 100, 5000, 50):
        schedule.apply(Progress(images=images))
        group = optimizer.param_groups[0]
        seen.append((group["lr"], group["momentum"]))

    assert seen == [(2.0, 0.9), (2.0, 0.9), (0.2, 0.99), (0.2, 0.99), (2.0, 0.9)]


def test_weight_average_covers_parameters_and_buffers():
    """w_avg <- beta w_avg + (1 - beta) w with the ramp min(beta, (1+t)/(10+t)); integers copied."""
    module = torch.nn.BatchNorm1d(3)
    average = WeightAverage(module, 0.9)
    expected = module.running_mean.clone()
    for step in range(1, 8):
        with torch.no_grad():
            module.running_mean += step
            module.num_batches_tracked += 1
        average.update()
        beta = min(0.9, (1 + step) / (10 + step))
        expected = beta * expected + (1 - beta) * module.running_mean
    torch.testing.assert_close(average.module.running_mean, expected)
    assert average.module.num_batches_tracked == 7
    assert not average.module.training and not average.module.weight.requires_grad
