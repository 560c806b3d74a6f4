"""The log of a run."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gentk import journal
from gentk.events import Progress, RunStarted, Stepped
from gentk.files import FileWarning
from gentk.observers.metrics import MetricsFile


def start(folder: Path, step: int = 0) -> RunStarted:
    """Return the start of a run that has taken `step` steps."""
    return RunStarted(Progress(step, step * 64, 1.0, 0.1), folder, {}, 100, None)


def rows(*steps: int, loss: float = 0.5) -> Stepped:
    """Return the event of some steps."""
    table = [{"step": float(s), "images": s * 64.0, "loss": loss} for s in steps]
    return Stepped(Progress(steps[-1], steps[-1] * 64), table)


def read(folder: Path) -> list[dict]:
    """Return the log, as strict JSON, its checksums checked."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    lines = (folder / "metrics.jsonl").read_text().splitlines()
    table = [json.loads(line, parse_constant=refuse) for line in lines]
    for row in table:
        row.pop("checksum", None)
    assert journal.read(folder / "metrics.jsonl") == table
    return table


def test_one_row_a_step_at_once(tmp_path) -> None:
    """Each event is on disk when `observe` returns, a JSON object per step, counts as integers."""
    log = MetricsFile()
    log.observe(start(tmp_path))
    log.observe(rows(1, 2))

    text = '{"step": 1, "images": 64, "loss": 0.5}'
    first = (tmp_path / "metrics.jsonl").read_text().splitlines()[0]
    assert first == f'{text[:-1]}, "checksum": "{zlib.crc32(text.encode()):08x}"}}'
    log.observe(rows(3))
    assert [row["step"] for row in read(tmp_path)] == [1, 2, 3]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_null(tmp_path, value) -> None:
    """NaN is not JSON: it is written as null."""
    log = MetricsFile()
    log.observe(start(tmp_path))
    log.observe(rows(1, loss=value))

    assert read(tmp_path) == [{"step": 1, "images": 64, "loss": None}]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive(tmp_path_factory, value) -> None:
    """Every finite float is read back exactly."""
    folder = tmp_path_factory.mktemp("log")
    log = MetricsFile()
    log.observe(start(folder))
    log.observe(rows(1, loss=value))

    assert read(folder)[0]["loss"] == value


def test_new_run_starts_an_empty_log(tmp_path) -> None:
    """A run from step zero forgets what an earlier one logged; the folder is made if need be."""
    folder = tmp_path / "new"
    log = MetricsFile()
    log.observe(start(folder))
    log.observe(rows(1, 2, 3))

    MetricsFile().observe(start(folder))

    assert read(folder) == []


@pytest.mark.parametrize("step", [1, 3, 7, 9])
def test_resumed_run_drops_later_rows(tmp_path, step) -> None:
    """Rows after the checkpoint, and one cut off in the middle, go; those up to it stay as is."""
    MetricsFile().observe(start(tmp_path))
    log = MetricsFile()
    log.observe(start(tmp_path))
    log.observe(rows(*range(1, 8)))
    path = tmp_path / "metrics.jsonl"
    whole = path.read_text().splitlines()
    path.write_text(path.read_text() + '{"step": 8, "ima')

    again = MetricsFile()
    with pytest.warns(FileWarning) as told:
        again.observe(start(tmp_path, step))
    assert any("1 line" in str(one.message) for one in told)
    assert any("missing" in str(one.message) for one in told) == (step > 7)
    assert path.read_text().splitlines() == whole[:step]

    again.observe(rows(step + 1))
    assert [row["step"] for row in read(tmp_path)][-1] == step + 1
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_last_row_without_its_line_end_is_kept(tmp_path) -> None:
    """A row whose line end alone was cut off is whole: it stays, and the next has its own line."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}')
    log = MetricsFile()
    log.observe(start(tmp_path, 2))
    log.observe(rows(3))

    assert [row["step"] for row in read(tmp_path)] == [1, 2, 3]


def test_resumed_run_without_a_log_begins_one(tmp_path) -> None:
    """A log that was deleted is no reason to stop."""
    log = MetricsFile()
    log.observe(start(tmp_path, 5))
    log.observe(rows(6))

    assert [row["step"] for row in read(tmp_path)] == [6]


@pytest.mark.parametrize("place", [3, 40, -3])
def test_a_row_with_a_flipped_bit_is_dropped_and_said(tmp_path, place) -> None:
    """Any flipped bit costs its row, which is told of; the others stay."""
    log = MetricsFile()
    log.observe(start(tmp_path))
    log.observe(rows(1, 2, 3))
    path = tmp_path / "metrics.jsonl"
    lines = path.read_bytes().splitlines()
    second = bytearray(lines[1])
    second[place] ^= 2
    path.write_bytes(b"\n".join([lines[0], bytes(second), lines[2], b""]))
    with pytest.warns(FileWarning, match=r"1 line of .*metrics.jsonl|1 step is missing"):
        MetricsFile().observe(start(tmp_path, 3))

    assert [row["step"] for row in read(tmp_path)] == [1, 3]


def test_a_log_that_is_none_is_kept_aside(tmp_path) -> None:
    """What lies under the log's name and is something else is not thrown away."""
    (tmp_path / "metrics.jsonl").write_text("my thesis")
    with pytest.warns(FileWarning, match=r"metrics.jsonl.damaged"):
        MetricsFile().observe(start(tmp_path, 3))

    assert (tmp_path / "metrics.jsonl.damaged").read_text() == "my thesis"
    assert read(tmp_path) == []
