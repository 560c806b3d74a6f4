"""`gentk sweep FILE.toml`: the example of the documentation, going on, filters, and what is refused."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from gentk import journal

EXAMPLE = Path(__file__).parents[2] / "examples" / "sweep.toml"
SMALL = """
title = "Small"
seeds = [0, 1]

[run]
data = "digits,limit=200"
extractor = "pixels"
generator = "mlp,latent=8,widths=16"
batch = 16
steps = 4

[judge]
data = "digits,split=test"
extractors = ["pixels"]
count = 30

[[row]]
name = "one"

[[row]]
name = "two"
loss = "moments,covariance=diagonal"
"""
QUIET = ("--quiet", "--device", "cpu", "--threads", "1")


@pytest.fixture
def file(place):
    """Write a sweep file, the small one by default, with texts replaced or added."""

    def write(text=SMALL, **changes):
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (place / "s.toml").write_text(text, encoding="utf-8")
        return "s.toml"

    return write


def test_the_example_runs_and_its_page_says_what_was_measured(gentk, place):
    """Tries, a stage, real images, a floor, a claim; the same command again makes nothing."""
    shutil.copy(EXAMPLE, place)
    words = ("sweep", "sweep.toml", "--page", "page.md", *QUIET)
    first = gentk(*words)
    assert first.exit_code == 0, first.output
    page = (place / "page.md").read_text(encoding="utf-8")
    rows = journal.read(place / "sweep.jsonl")

    assert "not made yet" not in page and page.count("(chosen)") == 2
    assert "2 tries for each row that was tuned" in page
    assert "- not tuned: moments, from a start" in page
    assert "- A start helps: **" in page and "![kernels](page/kernels.png)" in page
    assert (
        len(rows) == 4 + 2 + 6 and len(list(place.glob("runs/sweep/stages/start-*/run.json"))) == 1
    )
    # A stage is made once, whatever names it.
    assert len(list(place.glob("runs/**/run.json"))) == 4 + 6 + 1
    before = (place / "sweep.jsonl").read_bytes()
    assert gentk(*words).exit_code == 0
    assert (place / "sweep.jsonl").read_bytes() == before
    assert (place / "page.md").read_text(encoding="utf-8") == page
    shutil.rmtree(place / "runs")
    assert gentk("sweep", "sweep.toml", "--render", "--page", "page.md").exit_code == 0
    assert (place / "page.md").read_text(encoding="utf-8") == page


def test_only_some_rows_and_seeds(gentk, file, place):
    """The page says what is not there; what is printed makes the rest, one trial each."""
    file()
    words = ("sweep", "s.toml", *QUIET, "--page", "s.md")
    some = gentk(*words, "--only", "t*", "--seed", "1")
    assert some.exit_code == 0 and "3 of 4 trials" in some.stderr
    (row,) = journal.read(place / "s.jsonl")
    assert (row["name"], row["seed"]) == ("two", 1)
    assert "| one | not made yet |" in (place / "s.md").read_text(encoding="utf-8")
    lines = gentk("sweep", "s.toml", "--print", *QUIET).stdout.splitlines()
    assert len(lines) == 4 and row["command"] in lines
    for line in lines:
        assert gentk(*shlex.split(line)[1:], "--quiet").exit_code == 0
    assert len(journal.read(place / "s.jsonl")) == 4
    out = json.loads(gentk("sweep", "s.toml", "--render", "--json").stdout)
    assert {tuple(one["seeds"]) for one in out["rows"]} == {(0, 1)}


def test_another_file_quotes_rows(gentk, file, place):
    """What the other has made is taken from there, whatever it is called; nothing is made twice."""
    file()
    assert gentk("sweep", "s.toml", *QUIET).exit_code == 0
    text = SMALL.replace('"Small"', '"Other"\nrows = ["s.toml"]').replace('"one"', '"uno"')
    (place / "other.toml").write_text(
        text + '\n[[row]]\nname = "new"\nbatch = 8\n', encoding="utf-8"
    )
    done = gentk("sweep", "other.toml", *QUIET, "--page", "other.md")
    page = (place / "other.md").read_text(encoding="utf-8")

    assert done.exit_code == 0, done.output
    assert {row["name"] for row in journal.read(place / "other.jsonl")} == {"new"}
    assert "[s](s.md), from the same runs: uno; two." in page and "not made yet" not in page


def test_a_row_that_another_file_does_not_have_is_named(refused, file, place):
    """With its rows."""
    file()
    text = (
        'title = "Q"\n[judge]\nextractors = ["pixels"]\n[[row]]\nname = "tow"\nquotes = "s.toml"\n'
    )
    (place / "q.toml").write_text(text, encoding="utf-8")
    sentence = refused("sweep", "q.toml", code=2)
    assert all(name in sentence for name in ("'tow'", "s.toml", "'two'", "one")), sentence


def test_a_row_is_found_wherever_its_run_was_made(gentk, file, place):
    """Folder, threads and the row's name are no part of its key; what decides values is."""
    file()
    assert gentk("sweep", "s.toml", *QUIET, "--out", "here").exit_code == 0
    before = (place / "s.jsonl").read_bytes()
    file(one="another name")
    again = gentk("sweep", "s.toml", "--quiet", "--device", "cpu", "--out", "there")
    assert again.exit_code == 0 and (place / "s.jsonl").read_bytes() == before
    file(**{"steps = 4": "steps = 5"})
    assert "4 of 4 trials" in gentk("sweep", "s.toml", "--render").stderr


def test_a_row_whose_settings_change_is_made_again(gentk, file, place):
    """Beside what was made before, whose folder and row stay."""
    file()
    words = ("sweep", "s.toml", *QUIET, "--only", "two", "--seed", "0")
    assert gentk(*words).exit_code == 0
    file(**{"batch = 16": "batch = 8"})
    assert gentk(*words).exit_code == 0
    rows = journal.read(place / "s.jsonl")
    assert len(rows) == len({row["folder"] for row in rows}) == 2
    assert not any("failed" in row for row in rows)


def test_two_rows_that_are_the_same_are_told(gentk, file):
    """No table holds the same runs twice."""
    done = gentk("sweep", file(SMALL + '[[row]]\nname = "three"\n'), *QUIET, "--dry-run")
    assert "refused: three: it is the row 'one'" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('title = "Small"', "", ["'title'"]),
        ("seeds", "seds", ["'seds'", "'seeds'"]),
        ("[judge]", "[jugde]", ["'jugde'", "'judge'"]),
        ("count", "cuont", ["[[judge]]", "'cuont'", "'count'"]),
        ("count = 30", 'count = "many"', ["[[judge]]", "count"]),
        ("steps = 4", "stesp = 4", ["[run]", "'stesp'", "'steps'"]),
        ("steps = 4", "steps = 4\nseed = 1", ["[run]", "'seed'"]),
        ('loss = "moments,covariance=diagonal"', "los = 1", ["[[row]] 'two'", "'los'", "'loss'"]),
        ('name = "two"', "", ["[[row]]", "'name'"]),
        ('name = "two"', 'name = "one"', ["'one'"]),
        ('name = "two"', 'name = "two"\nfloor = "noise"', ["[[row]] 'two'", "subject"]),
        ('name = "two"', 'name = "two"\nsubject = "digits"', ["'two'", "loss"]),
        ('name = "two"', 'name = "two"\npublished = { fid = 1 }', ["'fid'", "'fd'"]),
        ('name = "two"', 'name = "two"\ntries = [{ los = 1 }]', ["'two'", "'los'", "'loss'"]),
        ('name = "two"', 'name = "two"\nquotes = "t.toml"', ["'two'", "drop loss", "quotes"]),
        ('name = "two"', 'name = "two"\ncited = "them"', ["'two'", "published"]),
        (
            'name = "two"\nloss = "moments,covariance=diagonal"',
            'name = "two"\ncited = "them"\npublished = 1\nseeds = [0]',
            ["'two'", "drop seeds", "cited"],
        ),
        (
            'name = "two"\nloss = "moments,covariance=diagonal"',
            'name = "two"\nquotes = "s.toml"',
            ["s.toml", "circle"],
        ),
        ("[judge]", "[judge]\nmetric = 'fid'", ["'fid'"]),
        ('title = "Small"', 'title = "S"\nrows = ["s.toml"]', ["circle"]),
        ('title = "Small"', "title = 3", ["title"]),
        ('title = "Small"', "title", ["s.toml", "TOML"]),
    ],
)
def test_what_is_wrong_in_a_file_is_named(refused, file, old, new, names):
    """With the table it stands in and what to write, before anything is made."""
    sentence = refused("sweep", file(**{old: new}), code=2)
    assert all(name in sentence for name in names), sentence


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ('[[claim]]\nsays = "s"\nbetter = "one"\nworse = "tow"', ["'tow'", "'two'"]),
        ('[[claim]]\nsays = "s"\nbetter = "one"\nworse = "two"\njudge = 1', ["'s'", "judge = 0"]),
        (
            '[[row]]\nname = "c"\ncited = "them"\npublished = 1\n'
            '[[claim]]\nsays = "s"\nbetter = "one"\nworse = "c"',
            ["'s'", "'c'", "cited"],
        ),
        ("[stage.a]\nstep = 1", ["[stage.a]", "'step'", "'steps'"]),
        (
            '[[row]]\nname = "a"\ntries = [{ ema = 0.5 }]\n'
            '[[row]]\nname = "b"\ntries = [{ ema = 0.5 }, { ema = 0.6 }]',
            ["'a'", "'b'", "same number"],
        ),
        (
            '[tries]\ndata = "digits,split=test"\nsettings = [{ ema = 0.5 }]',
            ["[tries]", "held-out"],
        ),
    ],
)
def test_what_does_not_fit_together_is_named(refused, file, more, names):
    """Claims of rows that there are not, and tries that would not be fair."""
    sentence = refused("sweep", file(SMALL + more), code=2)
    assert all(name in sentence for name in names), sentence


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--loss", "mmd"), "--loss"),
        (("--metric", "kid"), "--metric"),
        (("--seeds", "3"), "--seeds"),
        (("--only", "tow"), "'two'"),
        (("--seed", "7"), "0, 1"),
        (("--page", "no/page.md"), "--page"),
        (("--rows", "no/rows.jsonl"), "--rows"),
        (("--over", "loss=mmd"), "--over"),
    ],
)
def test_flags_that_a_file_does_not_take_are_refused(refused, file, words, name):
    """What is run and judged stands in the file."""
    assert name in refused("sweep", file(), *words, code=2)


def test_flags_of_files_are_refused_without_one(refused):
    """They would do nothing."""
    sentence = refused("sweep", "--over", "loss=moments", "--page", "a.md", code=2)
    assert "--page" in sentence and "FILE.toml" in sentence


def test_a_row_that_does_not_fit_leaves_the_others(gentk, file):
    """It is refused by name with the reason."""
    done = gentk(
        "sweep", file(SMALL + '[[row]]\nname = "no"\nloss = "momnts"\n'), *QUIET, "--dry-run"
    )
    assert done.exit_code == 0 and len(done.stdout.splitlines()) == 4
    assert "refused: no: " in done.stderr and "'moments'" in done.stderr


def test_tries_without_a_value_say_why(gentk, file):
    """A row of which no setting fits is refused with the first one's reason."""
    text = SMALL + '[[row]]\nname = "t"\ntries = [{ loss = "momnts" }]\n'
    text = text.replace('"digits,limit=200"', '"digits,validation=50"')
    done = gentk("sweep", file(text), *QUIET, "--dry-run")
    assert "refused: t: none of its tries" in done.stderr
