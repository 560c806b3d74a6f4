"""Checkpoints: no damage is read silently, the one before is used, old formats stay readable."""

from __future__ import annotations

import json
import random
import shutil

import pytest
import torch
from safetensors.torch import save_file

from gentk.checkpoint import Checkpoints
from gentk.errors import CheckpointError
from gentk.files import FileWarning

STATE = {"x": torch.arange(40.0), "n": (1, None, "a"), "d": {3: 4.5}}


@pytest.fixture
def two(tmp_path):
    """Two checkpoints, of steps 1 and 2."""
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, STATE)
    checkpoints.save(2, {**STATE, "n": 2})
    return checkpoints


def flip(path, bit):
    """Turn one bit of a file over."""
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
def test_no_flipped_bit_is_read(two, name):
    """Each of 60 flips, header and checksum included, is told of, and step 1 is read instead."""
    path = two.path(2) / name
    whole = path.read_bytes()
    for bit in random.Random(0).sample(range(8 * len(whole)), 60):
        flip(path, bit)
        with pytest.warns(FileWarning, match=r"00000002 is damaged .* step 1 is used"):
            step, state = two.latest()
        assert step == 1 and torch.equal(state["x"], STATE["x"])
        path.write_bytes(whole)
    assert two.latest()[0] == 2


@pytest.mark.parametrize("size", [0, 5, 100, -1])
@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
def test_no_truncation_is_read(two, name, size):
    """A file that was cut anywhere is damaged."""
    path = two.path(2) / name
    path.write_bytes(path.read_bytes()[:size])
    with pytest.warns(FileWarning, match="00000002 is damaged"):
        assert two.latest()[0] == 1


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "null",
        '{"format": 2}',
        '{"format": 3}',
        '{"format": 99}',
        '{"format": 2, "state": {"a": 1}}',
        f'{{"format": 2, "state": {"[" * 100_000}{"]" * 100_000}}}',
        '{"format": 2, "state": {"$dict": [["x", {"$tensor": "/nothing"}]]}}',
    ],
    ids=range(9),
)
def test_what_is_no_state_is_damage(two, text):
    """Documents of another form, or nested without end, are damaged checkpoints like others."""
    (two.path(2) / "state.json").write_text(text)
    with pytest.warns(FileWarning, match="00000002"):
        assert two.latest()[0] == 1


def test_all_damaged_is_an_error_that_names_the_newest(two):
    """Nothing is guessed."""
    for step in (1, 2):
        (two.path(step) / "state.json").unlink()
    with pytest.raises(CheckpointError, match="00000002 is damaged"):
        two.latest()


def test_the_owner_puts_a_damaged_one_aside(two):
    """It does not count as one that is kept: the next save does not delete the good one for it."""
    flip(two.path(2) / "tensors.safetensors", 1500)
    with pytest.warns(FileWarning):
        assert two.latest(owner=True)[0] == 1

    assert two.steps() == [1]
    assert (two.folder / "00000002.damaged" / "state.json").exists()


def test_format_2_without_checksums_is_read(tmp_path):
    """Checkpoints of before there were checksums."""
    folder = tmp_path / "00000007"
    folder.mkdir()
    save_file({"/x": torch.ones(3)}, folder / "tensors.safetensors")
    state = {"$dict": [["x", {"$tensor": "/x"}]]}
    (folder / "state.json").write_text(json.dumps({"format": 2, "state": state}))

    step, loaded = Checkpoints(tmp_path).latest()
    assert step == 7 and torch.equal(loaded["x"], torch.ones(3))


def test_tensors_of_the_old_format_are_no_stand_in(two):
    """A new state beside tensors without checksum was not written so."""
    save_file({"/x": torch.ones(40)}, two.path(2) / "tensors.safetensors")
    with pytest.warns(FileWarning, match="no checksum"):
        assert two.latest()[0] == 1


def test_a_checkpoint_removed_while_it_is_read_is_no_damage(two, monkeypatch):
    """Beside a run that trains, the old one goes; the next listing has the new one."""
    steps = two.steps

    def late():
        before = steps()
        if before == [1, 2]:
            two.save(3, STATE)
            shutil.rmtree(two.path(2))
        return before

    monkeypatch.setattr(two, "steps", late)
    monkeypatch.setattr(two, "keep", 5)
    assert two.latest()[0] == 3
