"""Pages: what they say of values is computed from rows, and is right."""

from __future__ import annotations

import json
import re

import pytest

from gentk.evaluation.measurement import Measurement, Protocol, Reference
from gentk.registry import Registry
from gentk.sweeps.declared import declare
from gentk.sweeps.page import render
from gentk.sweeps.row import Row, append

FILE = """
title = "T"
seeds = [0, 1]

[run]
data = "digits"
extractor = "pixels"
steps = 4

[[judge]]
data = "digits,split=test"
metric = "parzen"
extractors = ["pixels"]

[[judge]]
data = "digits,split=validation"
metric = "probe"
extractors = ["run"]
percent = true

[[row]]
name = "a"
published = { parzen = "147 ± 2", probe = 97.4 }

[[row]]
name = "b"
batch = 32
published = { parzen = "282 ± 2", probe = 97.5 }

[[claim]]
says = "A is better"
better = "a"
worse = "b"

[[claim]]
says = "A's code is better"
better = "a"
worse = "b"
judge = 1
"""


def protocol(samples, data, count, fingerprint=""):
    """How something was measured."""
    reference = Reference(data, "test", count, fingerprint)
    return Protocol("", samples, 0, reference, gentk="")


def measured(value, metric="parzen", name=None, **more):
    """A measurement of the first judge, or of the second."""
    probe = metric == "probe"
    how = protocol(0, "digits,split=validation", 50) if probe else protocol(100, "digits", 355)
    how = more.get("protocol", how)
    place = "run" if probe else "pixels"
    trained = more.get("trained_on", False)
    return Measurement("", metric, place, name or metric, value, None, "higher", trained, how)


@pytest.fixture
def page(tmp_path):
    """Render the file with what (row, seed) was measured to be."""

    def write(values, text=FILE):
        path = tmp_path / "t.toml"
        path.write_text(text, encoding="utf-8")
        (tmp_path / "t.jsonl").unlink(missing_ok=True)
        rows = [
            Row(
                trial.key,
                trial.name,
                trial.seed,
                "2026-01-01",
                result={"steps": 4, "images": 256, "seconds": 1.0},
                measurements=tuple(values[trial.name, trial.seed]),
            )
            for trial in declare(path, Registry(), checked=False).sweep.trials
            if (trial.name, trial.seed) in values
        ]
        append(tmp_path / "t.jsonl", rows)
        return render(declare(path, Registry(), checked=False))

    return write


def line(page, start):
    """The one line that begins so."""
    (only,) = [each for each in page.splitlines() if each.startswith(start)]
    return only


def test_a_cell_is_one_value_and_seeds_are_counted(page):
    """The bandwidth that a metric reports beside its value is no second seed of it."""
    one = [measured(140.3), measured(0.2, name="parzen/sigma")]
    cells = line(page({("a", 0): one}), "| a |").split(" | ")

    assert cells[1:3] == ["140.3 (1 seed)", "147 ± 2"] and cells[-1] == "1 |"
    two = {("a", 0): one, ("a", 1): [measured(0.3, name="parzen/sigma"), measured(142.3)]}
    assert line(page(two), "| a |").split(" | ")[1] == "141.3 ± 1.4"
    named = FILE.replace('["pixels"]', '["pixels"]\nvalues = ["parzen"]')
    assert line(page(two, named), "| a |").split(" | ")[1] == "141.3 ± 1.4"


def test_each_column_has_the_protocol_it_was_measured_by(page):
    """Two judges, two protocols; a metric of labels took no samples."""
    values = {("a", 0): [measured(1.0), measured(0.9, "probe")]}
    text = page(values)

    assert "100 samples" in line(text, "- `parzen`") and "355" in line(text, "- `parzen`")
    assert "no samples" in line(text, "- `probe`") and "50 labelled" in line(text, "- `probe`")


def test_shares_stand_beside_percentages_as_percentages(page):
    """Value and standard deviation."""
    values = {
        ("a", 0): [measured(1.0), measured(0.93, "probe")],
        ("a", 1): [measured(1.0), measured(0.95, "probe")],
    }
    assert "| 94 ± 1.4 | 97.4 |" in line(page(values), "| a |")


def test_claims_say_what_one_place_says(page):
    """One seed decides nothing, a tie is one, and published values are asked too."""
    one = {("a", 0): [measured(2.0)], ("b", 0): [measured(1.0)]}
    told = line(page(one), "- A is better")
    assert "**is not decided**" in told and "1 seed" in told
    assert "in the published values it does not hold (147 ± 2 against 282 ± 2)" in told
    both = {(name, seed): [measured(v)] for name, v in (("a", 2.0), ("b", 1.0)) for seed in (0, 1)}
    assert "**holds**" in line(page(both), "- A is better")
    tie = {key: [measured(1.0)] for key in both}
    assert "**is a tie**" in line(page(tie), "- A is better")
    valueless = line(page(tie), "- A's code")
    assert "**is not decided**" in valueless and "probe" in valueless


def test_what_was_measured_unlike_decides_nothing(page):
    """Other numbers of samples do; another name of what may be the same images does not."""

    def values(other):
        sides = {"a": measured(2.0), "b": measured(1.0, protocol=other)}
        return {(name, seed): [m] for name, m in sides.items() for seed in (0, 1)}

    assert "measured differently" in line(page(values(protocol(99, "digits", 355))), "- A is")
    renamed = Protocol("", 100, 0, Reference("other", "train", 355), gentk="")
    assert "**holds**" in line(page(values(renamed)), "- A is")


def test_a_run_that_was_trained_in_the_judges_features_is_marked(page):
    """In its cell and in claims."""
    values = {("a", 0): [measured(2.0, trained_on=True)], ("b", 0): [measured(1.0)]}
    text = page(values)

    assert "2 (1 seed) *" in line(text, "| a |") and "*: trained in these features" in text
    assert "in features that a run was trained in" in line(text, "- A is better")


def test_failed_seeds_are_counted(page, tmp_path):
    """A row of which all failed says so; of which one failed, how many."""
    path = tmp_path / "t.toml"
    page({("a", 0): [measured(1.0)]})
    trials = declare(path, Registry(), checked=False).sweep.trials
    failed = [t for t in trials if (t.name, t.seed) != ("a", 0)]
    rows = [Row(t.key, t.name, t.seed, "2026-01-01", failed="no", kind="NonFinite") for t in failed]
    append(tmp_path / "t.jsonl", rows)
    text = render(declare(path, Registry(), checked=False))

    assert "1 (+1 failed)" in line(text, "| a |") and "| failed |" in line(text, "| b |")


def test_a_page_on_its_way_says_how_much_is_there(tmp_path):
    """Of four runs one has a row; a page with all of them says nothing of that."""
    path = tmp_path / "two.toml"
    path.write_text(FILE)
    one = declare(path, Registry(), checked=False)
    made = []
    for trial in one.sweep.trials:
        before = render(declare(path, Registry(), checked=False))
        assert f"{len(made)} of 4 runs have been made" in before
        made.append(Row(trial.key, trial.name, trial.seed, "2026-01-01", result={"images": 1}))
        append(one.sweep.rows, made[-1:])
    assert len(made) == 4
    assert "runs are made" not in render(declare(path, Registry(), checked=False))


QUOTING = """
title = "Q"

[judge]
data = "digits,split=validation"
metric = "parzen"
extractors = ["pixels", "other"]

[[row]]
group = "First"
name = "a"
quotes = "t.toml"
published = "27.5 / 22.8"

[[row]]
name = "b"
quotes = "t.toml"
published = "32.3 / 27.6"

[[row]]
group = "Second"
name = "c"
cited = "Their paper, table 1"
published = "138 ± 2"

[[claim]]
says = "A is better"
better = "a"
worse = "b"
"""


def test_rows_of_another_file_stand_as_they_are_there(page, tmp_path):
    """Values, seeds and failures of a row of that name, however it was judged; nothing is made here."""
    values = {("a", seed): [measured(3.0 + seed / 9)] for seed in (0, 1)}
    page(values | {("b", 0): [measured(1.0)], ("b", 1): [measured(1.1)]})
    path = tmp_path / "q.toml"
    path.write_text(QUOTING, encoding="utf-8")
    text = render(declare(path, Registry(), checked=False))

    cells = line(text, "| a |").split(" | ")
    assert cells == ["| a", "3.056 ± 0.079", "27.5 / 22.8", "-", "256", "2 |"]
    assert "**holds**" in line(text, "- A is better")
    assert "[t](t.md), from the same runs: a; b." in text
    assert "runs are made" not in text and "Made by" not in text
    assert not (tmp_path / "q.jsonl").exists()


def test_what_a_publication_says_stands_beside_what_was_run(page, tmp_path):
    """Under its group, with its source, without a value."""
    page({})
    path = tmp_path / "q.toml"
    path.write_text(QUOTING, encoding="utf-8")
    declared = declare(path, Registry(), checked=False)
    text = render(declared)

    assert line(text, "| c |") == "| c | quoted | 138 ± 2 |  |  |  |"
    assert "Quoted and not run here: c (Their paper, table 1)." in text
    order = ["**First**", "| a | not made yet | 27.5 / 22.8 |", "| b |", "**Second**", "| c |"]
    assert [text.index(each) for each in order] == sorted(text.index(each) for each in order)
    assert {trial.name for trial in declared.sweep.trials} == {"a", "b"}
    assert all(trial.source is not None for trial in declared.sweep.trials)


def test_a_published_value_is_of_all_columns_of_its_name(page):
    """It stands beside the first, and a claim of another one is held against it too."""
    text = FILE.replace('extractors = ["pixels"]', 'extractors = ["other", "pixels"]')
    text = text.replace('worse = "b"', 'worse = "b"\njudge = 1', 1).partition(
        "[[claim]]\nsays = \"A's"
    )[0]
    shown = page({("a", 0): [measured(2.0)], ("b", 0): [measured(1.0)]}, text)

    assert "(147 ± 2 against 282 ± 2)" in line(shown, "- A is better")
    assert line(shown, "| run |").count("parzen") == 2 and line(shown, "| a |").count("147") == 1


HOSTILE = "p(x|z)\n<script> \\| <b>"
SAFE = r"p(x\|z) &lt;script> \\\| &lt;b>"


def test_what_a_file_says_is_no_markup_of_the_page(page):
    """Names, groups, published values, titles and claims: a bar, a new line, HTML."""
    text = FILE.replace('"a"', json.dumps(HOSTILE)).replace('"A is better"', json.dumps(HOSTILE))
    text = text.replace('"T"', json.dumps(HOSTILE)).replace('"147 ± 2"', json.dumps(HOSTILE))
    text = text.replace("[[row]]", f"[[row]]\ngroup = {json.dumps(HOSTILE)}", 1)
    shown = page({(HOSTILE, 0): [measured(2.0)], ("b", 0): [measured(1.0)]}, text)

    assert "<" not in shown and line(shown, "# ") == f"# {SAFE}"
    assert f"- {SAFE}: **is not decided**" in line(shown, "- p(x")
    cells = [
        re.split(r" (?<!\\)\| ", each[2:-2]) for each in shown.splitlines() if each[:2] == "| "
    ]
    assert {len(row) for row in cells} == {len(cells[0])}, "a cell more or less than the head has"
    assert cells[2][0] == f"**{SAFE}**"
    assert cells[3][0] == SAFE and cells[3][2] == SAFE


def test_names_are_no_markup_below_the_table_either(page, tmp_path):
    """Rows that are refused, tuned, not tuned, of other pages, and of publications."""
    base = FILE.partition("[[claim]]")[0].replace('"a"', json.dumps(HOSTILE))
    refused = base.replace("batch = 32", 'generator = "mlp,<i>=1"')
    assert "&lt;i>" in line(page({}, refused), "- b is refused: ")
    assert "<" not in page({}, refused)
    tries = "tries = [{ batch = 8 }, { batch = 16 }]\n[[row]]"
    tuned = base.replace("=validation", "=test,count=50").replace('[[row]]\nname = "b"', "[[row]]")
    tuned = tuned.replace("[[row]]\nbatch", f"{tries}\nname = {json.dumps(HOSTILE + '!')}\nbatch")
    shown = page({}, tuned)
    assert f"- {SAFE}: `batch=8` not tried yet" in shown and f"- not tuned: {SAFE}!" in shown
    page({(HOSTILE, 0): [measured(1.0)]}, base)
    quoting = QUOTING.partition("[[claim]]")[0].replace('"a"', json.dumps(HOSTILE))
    path = tmp_path / "q.toml"
    path.write_text(
        quoting.replace('"Their paper, table 1"', json.dumps(HOSTILE)), encoding="utf-8"
    )
    text = render(declare(path, Registry(), checked=False))
    assert f"from the same runs: {SAFE}; b." in text and f"c ({SAFE})." in text
