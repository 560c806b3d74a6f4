"""Resume with the real parts: channels-last convolutions, fused optimisers, every estimator."""

from __future__ import annotations

import fcntl
import shutil

import pytest
import torch

from gentk.errors import CheckpointError, RunError
from gentk.files import FileWarning


def weights(run):
    """All tensors of the averaged and the raw generator and of the estimator."""
    state = run.folder.checkpoints.load()
    average = state["average"]["weights"]
    return [*state["generator"].values(), *average.values(), *state["estimator"].values()]


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam,lr=2e-3,betas=0.5+0.999"},
        {"optimizer": "sgd,lr=1e-4,momentum=0.9"},
        {"optimizer": "rmsprop,lr=1e-4"},
        {"estimator": "ma"},
        {"estimator": "ma,start=data"},
        {"estimator": "batch", "chunk": 5},
        {"estimator": "ama,seeding=20", "chunk": 5},
        {"dtype": "bfloat16"},
    ],
    ids=str,
)
def test_a_resumed_convolutional_run_ends_with_the_same_bits(small, tmp_path, changes):
    """4 steps and 4 more equal 8 at once, weights, buffers and estimator, bit for bit."""
    changes = {
        "data": "digits,size=8,limit=60",
        "generator": "resnet,width=4,latent=8",
        **changes,
    }
    small(steps=4, **changes)
    resumed = small(steps=8, **changes)
    whole = small(steps=8, out=str(tmp_path / "whole"), **changes)

    for mine, theirs in zip(weights(resumed), weights(whole), strict=True):
        assert torch.equal(mine, theirs)


def test_a_warm_start_killed_before_its_first_checkpoint_is_warm_again(
    small, tmp_path, monkeypatch
):
    """run.json is there, no checkpoint is: the same command starts from the other run again."""
    first = small(steps=30)
    options = {"init": f"run:{first.folder.path}", "steps": 1, "optimizer": "sgd,lr=1e-30"}
    monkeypatch.setattr("gentk.engine.loop.Loop.run", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        small(out=str(tmp_path / "warm"), **options)
    monkeypatch.undo()
    again = small(out=str(tmp_path / "warm"), **options)

    ours = again.folder.checkpoints.load()["generator"]
    theirs = first.generator.state_dict()
    assert all(torch.allclose(ours[name], theirs[name]) for name in theirs)


def test_other_data_under_the_same_name_are_refused(small, tmp_path):
    """A file that changed between sessions is not trained on with the old run's state."""
    import numpy as np

    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels)
    data = f"npz:{tmp_path / 'images.npz'}"
    small(data=data)
    np.savez(tmp_path / "images.npz", images=255 - pixels)
    with pytest.raises(RunError, match=r"other data .* (--out|out=)"):
        small(data=data, steps=9)


def test_a_run_killed_after_its_last_checkpoint_still_gets_its_result(small):
    """A run whose result was not recorded any more has loss and counts all the same."""
    run = small()
    record = run.folder.read()
    del record["format"]
    run.folder.write({**record, "result": None})
    again = small()

    assert again.result["steps"] == 6
    assert again.result["loss"] == run.result["loss"]


def test_a_left_over_part_of_a_record_does_not_block_the_folder(small, tmp_path):
    """A kill while run.json was written leaves a .part file; the same command goes on."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "tmpabc.part").write_text("{")

    assert small().result["steps"] == 6


def test_a_half_written_checkpoint_is_not_one(small, tmp_path):
    """A folder that was not renamed yet is ignored and cleared by the next checkpoint."""
    run = small(steps=3)
    part = run.folder.path / "checkpoints" / ".00000005.part"
    part.mkdir()
    small(steps=6)

    assert run.folder.checkpoints.steps() == [3, 6]
    assert not part.exists()


def test_raising_the_budget_of_a_decaying_run_is_said(small, tmp_path):
    """The rate follows the new budget, which an uninterrupted run would not: a notice says so."""
    from gentk.events import Noticed
    from gentk.interfaces import Observer

    heard = []

    class Ear(Observer):
        def observe(self, event):
            if isinstance(event, Noticed) and "budget" in event.message:
                heard.append(event.message)

    small(decay="linear")
    small(decay="linear", steps=12, observers=[Ear()])
    assert len(heard) == 1
    shutil.rmtree(tmp_path / "run")
    small(decay="linear", steps=12, observers=[Ear()])
    assert len(heard) == 1


def test_training_and_evaluation_use_different_latents(small, monkeypatch):
    """No latent a run is judged or drawn with was one of its first training steps'."""
    from gentk.prior import Prior

    drawn = []
    draw = Prior.draw
    monkeypatch.setattr(
        Prior, "draw", lambda self, *a, **k: drawn.append(draw(self, *a, **k)) or drawn[-1]
    )
    run = small(steps=2)
    training = torch.cat(drawn)
    drawn.clear()
    run.latents(200, seed=0)

    assert not (training[:, None] == drawn[0][None]).all(-1).any()


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_a_finished_run_whose_last_checkpoint_is_damaged_goes_on_from_the_one_before(
    small, name, damage
):
    """That is said, and the end is the same, bit for bit; no result is told of weights that are lost."""
    small(steps=4)
    whole = small(steps=8)
    expected = [
        tensor.clone() for tensor in weights(whole)
    ]  # Not mapped: the file is damaged below.
    path = whole.folder.checkpoints.path(8) / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "bit" else content[: len(content) // 2])

    assert whole.folder.finished(whole.recipe) is None
    with pytest.warns(FileWarning, match=r"00000008 is damaged .* step 4 is used"):
        again = small(steps=8)

    assert again.steps == 8
    assert all(map(torch.equal, weights(again), expected))


def test_a_finished_run_whose_last_checkpoint_was_put_aside_goes_on(small):
    """Killed after that and before it was trained again, its record still has a result."""
    small(steps=4)
    whole = small(steps=8)
    expected = weights(whole)
    path = whole.folder.checkpoints.path(8)
    path.rename(path.with_name(f"{path.name}.damaged"))

    again = small(steps=8)

    assert again.steps == 8
    assert all(map(torch.equal, weights(again), expected))


def test_a_finished_run_with_no_whole_checkpoint_says_how_to_train_it_again(small):
    """Rather than telling a result of which nothing is left."""
    run = small()
    for step in run.folder.checkpoints.steps():
        (run.folder.checkpoints.path(step) / "state.json").write_text("{")

    with pytest.raises(CheckpointError, match=r"delete .*checkpoints to train"):
        small()


def test_a_lock_left_by_a_killed_process_is_removed_when_the_finished_run_is_asked_for(small):
    """It was killed after the result was written; a lock that somebody holds stays."""
    run = small()
    lock = run.folder.path / ".lock"
    lock.write_text("{}")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        small()
        assert lock.exists()
    small()

    assert not lock.exists()
