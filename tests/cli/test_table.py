"""Tables and meters: what is drawn on a terminal, what is printed elsewhere."""

from __future__ import annotations

import re
import sys

import pytest

from gentk.cli.meter import Meter
from gentk.cli.table import cell, echo_mapping, echo_prose, echo_table

ROWS = [("loss", "mmd", "[b]kernels[/b]"), ("loss", "moments", "sums"), ("data", "digits", "8 x 8")]


def test_piped_table_is_aligned(capsys) -> None:
    """In a pipe columns are aligned and every row is whole, so that grep and cut work."""
    echo_table(("kind", "name", "summary"), ROWS, grouped=True)

    assert capsys.readouterr().out.splitlines() == [
        "kind  name     summary",
        "loss  mmd      [b]kernels[/b]",
        "loss  moments  sums",
        "data  digits   8 x 8",
    ]


def test_drawn_table_shows_a_group_once(capsys, monkeypatch) -> None:
    """On a terminal a kind is named once, and text that looks like markup is text."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")

    echo_table(("kind", "name", "summary"), ROWS, grouped=True)
    text = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)

    assert [line.split()[0] if line.split() else "" for line in text.splitlines()] == [
        "name",
        "",
        "loss",
        "mmd",
        "moments",
        "",
        "data",
        "digits",
    ]
    assert "[b]kernels[/b]" in text


def test_a_sentence_breaks_between_words_on_a_terminal(capsys, monkeypatch) -> None:
    """What another program reads stays one line."""
    text = "200 samples, against the 10 images of folder:photos,size=32"

    echo_prose(text)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    echo_prose(text)

    assert capsys.readouterr().out.splitlines() == [
        text,
        "200 samples, against the 10 images of",
        "folder:photos,size=32",
    ]


def test_a_brief_table_has_a_line_a_row(capsys, monkeypatch) -> None:
    """On a terminal that is too narrow the end of a row is cut off, and says so."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")

    echo_table(("name", "summary"), [("mmd", "a kernel, of which there are seven")], brief=True)
    lines = capsys.readouterr().out.splitlines()

    assert len(lines) == 2
    assert lines[1].rstrip().endswith("…")


@pytest.mark.parametrize("width", [20, 40, 80])
def test_columns_that_do_not_fit_follow_below(capsys, monkeypatch, width) -> None:
    """On a terminal no value is broken: each stands whole in the line of its row."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    headers = ("run", *(f"head{n}" for n in range(5)))
    rows = [(f"run{r}", *(f"{r}{n} ± 0.0123" for n in range(5))) for r in range(3)]

    echo_table(headers, rows, folded=True)
    lines = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()

    assert max(map(len, lines)) <= width
    for row in rows:
        own = " ".join(line for line in lines if line.startswith(row[0]))
        assert all(own.count(value) == 1 for value in row[1:])
    assert sum(line.startswith("run ") for line in lines) == {20: 5, 40: 3, 80: 1}[width]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (3, "3"),
        (2.0 / 3, "0.66667"),
        ([1, 2], "1, 2"),
        ([], "-"),
        ({"a": 1}, "a: 1"),
    ],
)
def test_cells_read_well(value, text) -> None:
    """Values are written for people."""
    assert text == cell(value)


def test_mapping_is_lines(capsys) -> None:
    """A mapping is one line a key, a mapping inside it indented."""
    echo_mapping({"a": 1, "b": {"c": False}, "d": {}})

    assert capsys.readouterr().out.splitlines() == ["a: 1", "b:", "  c: no", "d: -"]


def test_meter_prints_quarters(capsys) -> None:
    """Elsewhere than on a terminal a pass prints four lines, each pass anew."""
    with Meter() as meter:
        for done in [*range(10, 101, 10), *range(10, 101, 10)]:
            meter.advance("statistics", done, 100)

    counts = re.findall(r"statistics: (\d+)/100 images\n", capsys.readouterr().err)
    assert [int(count) for count in counts] == 2 * [30, 50, 80, 100]


def test_quiet_meter_is_silent(capsys) -> None:
    """A quiet meter prints nothing."""
    with Meter(quiet=True) as meter:
        meter.advance("statistics", 100, 100)

    assert capsys.readouterr() == ("", "")


def test_meter_draws_on_a_terminal(capsys, monkeypatch) -> None:
    """On a terminal a bar counts, and is taken away at the end."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with Meter() as meter:
        meter.advance("statistics", 64, 128)
        meter.advance("statistics", 128, 128)
        assert meter._bar is not None

    assert "128/128" in capsys.readouterr().err
    assert meter._bar is None


def test_tables_in_a_pipe_keep_to_120_columns(capsys) -> None:
    """Wide cells go on below in their column; no word is cut or lost, however narrow it gets."""
    text = " ".join(f"word{n}" for n in range(60))
    echo_table(["a", "b", "c"], [["x", text, "y" * 30], ["x2", "short", text]])
    lines = capsys.readouterr().out.splitlines()

    assert max(map(len, lines)) <= 120
    assert sum(line.count("word") for line in lines) == 120
    assert [line.split()[0] for line in lines if line[0] != " "] == ["a", "x", "x2"]
