"""`gentk run --seeds`, `evaluate`, `compare` and `sweep`, as they are typed."""

from __future__ import annotations

import json
import shutil

import pytest

SMALL = (  # noqa: SIM905
    "gfmn --data digits,limit=200 --extractor pixels --generator mlp,latent=8,widths=16+32 "
    "--batch 16 --steps 5 --device cpu --quiet"
).split()


@pytest.fixture
def two(gentk):
    """Two seeds, judged."""
    made = gentk("run", *SMALL, "--seeds", "2", "--out", "a")
    assert made.exit_code == 0, made.output
    for folder in ("a-seed0", "a-seed1"):
        judged = gentk("evaluate", folder, "--extractor", "pixels", "-n", "40", "--quiet")
        assert judged.exit_code == 0, judged.output
    return made


def test_seeds_are_runs_of_their_own(two, place):
    """Folders end in the seed, and what to type next is said."""
    assert "gentk compare a-seed0 a-seed1" in two.stdout
    records = [json.loads((place / f"a-seed{s}/run.json").read_text()) for s in (0, 1)]
    assert [record["recipe"]["seed"] for record in records] == [0, 1]


def test_a_comparison_in_every_form(two, gentk, place):
    """A table, Markdown, JSON and a picture."""
    both = ("compare", "a-seed0", "a-seed1")
    plain = gentk(*both).stdout
    assert "2" in plain and "±" in plain and "40 samples" in plain
    assert gentk(*both, "--markdown").stdout.count("| --- |") >= 1
    found = json.loads(gentk(*both, "--json").stdout)
    assert found["rows"][0]["seeds"] == [0, 1] and found["rows"][0]["std"] > 0
    latex = gentk(*both, "--latex").stdout
    assert latex.count(r"\begin{tabular}") == latex.count(r"\bottomrule") >= 1
    rows = [line for line in latex.splitlines() if line.endswith(r" \\")]
    assert (
        len({row.count(" & ") for row in rows}) == 1 and r"$\pm$" in latex and "±" not in rows[-1]
    )
    assert gentk(*both, "--latex", "--json").exit_code == 2
    assert gentk(*both, "--png", "x.png").exit_code == 0 and (place / "x.png").stat().st_size > 999


def test_figures_of_other_protocols_are_refused(two, gentk, place):
    """One sentence, which says in what they differ; --mixed shows them."""
    (place / "a-seed1/figures.jsonl").unlink()
    gentk("evaluate", "a-seed1", "--extractor", "pixels", "-n", "30", "--quiet")
    refused = gentk("compare", "a-seed0", "a-seed1")
    assert refused.exit_code == 2 and "samples: 40 or 30" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1 and "--mixed" in refused.stderr
    mixed = gentk("compare", "a-seed0", "a-seed1", "--mixed")
    assert mixed.exit_code == 0 and "samples: 40 or 30" in mixed.stderr
    assert "the runs were measured differently" in mixed.stdout and "40 samples" not in mixed.stdout


def test_every_way_of_measuring_is_a_column(two, gentk):
    """What one run was judged by in several ways is no spread of seeds."""
    for more in (("-n", "30"), ("-n", "40", "--seed", "7")):
        gentk("evaluate", "a-seed0", "--extractor", "pixels", *more, "--quiet")
    plain = gentk("compare", "a-seed0").stdout
    found = json.loads(gentk("compare", "a-seed0", "--json").stdout)
    cells = [row for row in found["rows"] if row["name"] == "fd"]
    labels = {"samples 40, seed 0", "samples 30, seed 0", "samples 40, seed 7"}
    assert {row["label"] for row in cells} == labels
    assert all(len(row["values"]) == 1 and row["std"] is None for row in cells)
    assert {row["protocol"]["samples"] for row in found["verdicts"]} == {30, 40}
    assert "40 samples of seed 7" in plain and "30 samples, values" in plain
    # The other run has one of them.
    both = json.loads(gentk("compare", "a-seed0", "a-seed1", "--json").stdout)
    assert {row["label"] for row in both["rows"]} == {""}


def test_a_run_counts_once(two, gentk, place):
    """However it is written, and however often it was copied."""
    shutil.copytree(place / "a-seed0", place / "copy")
    found = gentk("compare", "a-seed0", "a-seed0/", "./a-seed0", "copy", "--json")
    assert {tuple(row["seeds"]) for row in json.loads(found.stdout)["rows"]} == {(0,)}
    assert "copy is the run a-seed0 once more" in found.stderr


def test_forms_are_checked_before_any_work(refused):
    """One form, one kind of picture, in a folder that there is."""
    assert "drop one" in refused("compare", "a", "--json", "--markdown", code=2)
    assert "write --png table.png" in refused("compare", "a", "--png", "x.foo", code=2)
    assert "write --png table.png" in refused("compare", "a", "--png", "no/x.png", code=2)


def test_a_line_that_was_cut_off_is_told(two, gentk, place):
    """The figures after it count."""
    path = place / "a-seed0/figures.jsonl"
    path.write_text(path.read_text()[:-20], encoding="utf-8")
    gentk("evaluate", "a-seed0", "--extractor", "pixels", "-n", "30", "--quiet")
    found = gentk("compare", "a-seed0", "--json")
    assert "cannot be read" in found.stderr
    assert 30 in {row["protocol"]["samples"] for row in json.loads(found.stdout)["verdicts"]}


def test_sanity_rows_are_a_table_by_subject(two, gentk):
    """`--floor` prints a row per subject; JSON holds the rows."""
    words = ("evaluate", "a-seed0", "--extractor", "pixels", "-n", "40", "--floor", "--quiet")
    table = gentk(*words).stdout
    assert "one real image" in table and "trained on" in table
    assert {row["subject"] for row in json.loads(gentk(*words, "--json").stdout)["rows"]} >= {
        "noise"
    }


def test_a_grid_prints_its_commands_and_makes_its_runs(gentk, place):
    """`--print` is one line a run; the command makes the table; refused rows say why."""
    words = ["sweep", *SMALL, "--over", "loss=moments", "--over", "loss=mmd", "--over"]
    words += ["estimator=ama", "--judge", "pixels", "-n", "30", "--out", "g"]
    printed = gentk(*words, "--print")
    assert printed.stdout.startswith("gentk run gfmn") and "&& gentk evaluate" in printed.stdout
    assert len(printed.stdout.splitlines()) == 1 and not (place / "g").exists()
    assert "refused: loss=mmd estimator=ama" in printed.stderr
    made = gentk(*words)
    assert made.exit_code == 0 and "loss=moments" in made.stdout
    assert (place / "g/rows.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("compare", "nowhere"), "is not the folder of a run"),
        (("sweep",), "write --over"),
        (("sweep", "--over", "loss"), "has no value"),
        (("sweep", "--over", "steps=5"), "one budget"),
        (("sweep", "--over", "loss=moments", "--metric", "nope"), "no metric 'nope'"),
        (("run", "--seeds", "0"), "--seeds"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(gentk, words, sentence):
    """It says what to type."""
    result = gentk(*words)
    assert result.exit_code != 0 and sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_evaluation_during_training(gentk, place):
    """`--evaluate-every` keeps figures of every so many steps."""
    quiet = [word for word in SMALL if word != "--quiet"]
    result = gentk("run", *quiet, "--evaluate-every", "4", "--out", "b", "--dry-run")
    assert "evaluate,every=4" in result.stdout


def test_a_finished_run_is_judged_if_figures_are_asked_for(gentk, place, monkeypatch):
    """`--evaluate-every` on a run that has none; once."""
    monkeypatch.setattr("gentk.evaluation.judges.DEFAULT_JUDGE", ("pixels",))
    loud = [word for word in SMALL if word != "--quiet"]
    assert gentk("run", *SMALL, "--out", "b").exit_code == 0
    first = gentk("run", *loud, "--out", "b", "--evaluate-every", "4")
    figures = (place / "b/figures.jsonl").read_text()
    again = gentk("run", *loud, "--out", "b", "--evaluate-every", "4")
    assert "step 5: fd " in first.stderr and "step 5: fd " not in again.stderr
    assert (place / "b/figures.jsonl").read_text() == figures
    seeds = (*SMALL, "--seeds", "2", "--out", "c")
    gentk("run", *seeds)
    gentk("run", *seeds, "--evaluate-every", "4")
    assert all((place / f"c-seed{s}/figures.jsonl").exists() for s in (0, 1))
