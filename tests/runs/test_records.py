"""Damaged run.json: always a sentence that names the file, never a guess and never a bug."""

from __future__ import annotations

import json
import random
import shutil

import pytest

import gentk
from gentk.errors import CheckpointError, RunError


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run, trained once."""
    folder = tmp_path_factory.mktemp("records") / "run"
    gentk.run("gfmn", **{**SMALL, "steps": 6, "out": str(folder)})
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it where the small recipe goes."""
    shutil.copytree(trained, tmp_path / "run")
    return gentk.load(tmp_path / "run")


SMALL = {
    "data": "digits,limit=200",
    "extractor": ["pixels"],
    "generator": "mlp,latent=8,widths=16+32",
    "batch": 16,
    "optimizer": "adam,lr=1e-3",
    "decay": "none",
    "estimator": "ama",
    "device": "cpu",
    "observers": [],
}
"""What the fixture `small` runs."""


def old(run):
    """Its record as format 2 has it: without a checksum, so that a schema is all there is."""
    record = json.loads(run.folder.record.read_text())
    del record["checksum"]
    return {**record, "format": 2}


def test_a_record_of_format_2_is_read_and_goes_on(run, small):
    """Runs of before there were checksums; what is written next has one."""
    run.folder.record.write_text(json.dumps(old(run)))

    assert gentk.load(run.folder.path).result["steps"] == 6
    small(steps=8)
    assert json.loads(run.folder.record.read_text())["format"] == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "3",
        '{"format": 2}',
        "{",
        "[" * 100_000,
        '{"a": ' * 50_000,
        "\x00",
        '{"format": 9}',
    ],
    ids=range(10),
)
def test_what_is_no_record_is_refused(run, small, text):
    """By whoever opens it, and by the command that would go on with it."""
    run.folder.record.write_text(text)
    for call in (lambda: gentk.load(run.folder.path), lambda: small(steps=9)):
        with pytest.raises(RunError, match=r"run\.json"):
            call()
    assert run.folder.record.read_text() == text


@pytest.mark.parametrize("key", ["identity", "recipe", "recipe_name", "data"])
def test_a_key_that_is_lost_is_named(run, key):
    """Of a record without a checksum."""
    record = old(run)
    del record[key]
    run.folder.record.write_text(json.dumps(record))
    with pytest.raises(RunError, match=key):
        gentk.load(run.folder.path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("data", "shape"), [1, 8]),
        (("data", "shape"), [1, 2**60, 8]),
        (("data", "shape"), "18x"),
        (("data", "classes"), [1]),
        (("recipe", "steps"), "many"),
        (("recipe", "nonsense"), 1),
        (("result", "steps"), -1),
        (("result", "seconds"), None),
        (("identity",), 7),
        (("versions",), []),
    ],
    ids=str,
)
def test_a_value_of_another_kind_is_named(run, path, value):
    """By its place in the record."""
    record = old(run)
    place = record
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    run.folder.record.write_text(json.dumps(record))
    with pytest.raises(RunError, match=path[-1]):
        gentk.load(run.folder.path)


def test_no_flipped_bit_is_read(run):
    """Each of 60 is refused."""
    whole = run.folder.record.read_bytes()
    for bit in random.Random(2).sample(range(8 * len(whole)), 60):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        run.folder.record.write_bytes(damaged)
        with pytest.raises(RunError, match=r"run\.json"):
            gentk.load(run.folder.path)


@pytest.mark.parametrize(
    "state",
    [{}, {"progress": 3}, {"progress": {"steps": -1, "images": 0, "seconds": 0.0}}],
    ids=str,
)
def test_a_state_of_another_run_is_refused(run, small, state):
    """A whole checkpoint that holds something else than this run keeps."""
    kept = run.folder.checkpoints.load()
    run.folder.checkpoints.save(6, {**kept, **state} if state else {"other": 1})
    with pytest.raises(CheckpointError, match="checkpoint"):
        small(steps=9)
