"""Sweeps: what becomes of rows whose runs, judges or pictures are not what they seem."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from gentk.errors import RunError, UsageError
from gentk.evaluation.measurement import Measurement, Preparation, Protocol, Reference
from gentk.files import FileWarning
from gentk.registry import Registry
from gentk.sweeps.cell import cell_of, verdict_of
from gentk.sweeps.declared import declare
from gentk.sweeps.finish import Making, _pending, finish
from gentk.sweeps.page import render
from gentk.sweeps.request import Request
from gentk.sweeps.row import Row, append, latest

HEAD = """
title = "T"
seeds = [0, 1]
[run]
data = "digits"
extractor = "pixels"
generator = "mlp,latent=4,widths=8"
batch = 8
steps = 4
"""
JUDGE = """
[[judge]]
data = "digits,split=test"
extractors = ["pixels"]
"""


ROW_A = '[[row]]\nname = "a"\n'


def measured(value, data="digits,split=test", samples=5000, weights="w", mark="A"):
    """A value of `fd` in pixels."""
    reference = Reference(data, "test", 355, mark)
    protocol = Protocol("", samples, 0, reference, Preparation(weights), gentk="")
    return Measurement("", "fd", "pixels", "fd", value, None, "lower", False, protocol)


def row_of(trial, *measurements, **more):
    """A row of a trial."""
    result = {"steps": 4, "images": 32, "seconds": 1.0} if measurements else None
    return Row(
        trial.key,
        trial.name,
        trial.seed,
        "2026-01-01",
        result=result,
        measurements=measurements,
        **more,
    )


@pytest.fixture
def written(tmp_path):
    """Write a sweep file and return what declares it."""
    path = tmp_path / "t.toml"

    def write(text, **more):
        path.write_text(text, encoding="utf-8")
        return lambda: declare(path, Registry(), out=tmp_path / "runs", checked=False, **more)

    return write


def test_a_run_of_another_length_is_no_value_of_a_trial(written, tmp_path):
    """Shorter or longer than what was there: each trial has its own run of its own steps."""
    text = HEAD.replace("[0, 1]", "[0]") + JUDGE.replace("[[judge]]", "[[judge]]\ncount = 32")
    for steps in (4, 2, 6):
        now = written(text.replace("steps = 4", f"steps = {steps}") + '[[row]]\nname = "a"\n')
        finish(now().sweep, Making(silent=True))
        (row,) = now().sweep.settled().values()
        assert row.failed is None
        assert row.result["steps"] == steps


@pytest.mark.parametrize(
    ("decay", "budgets", "words"),
    [
        ("none", ({"steps": 4}, {"steps": 7}), None),
        ("none", ({"steps": 4}, {"steps": 3}), ["steps=4"]),
        ("none", ({"steps": 4}, {"steps": None, "operations": 1e12}), ["steps=4"]),
        ("linear", ({"steps": 4}, {"steps": 7}), ["steps=4", "rate"]),
    ],
)
def test_a_folder_that_two_budgets_share_goes_on_where_that_is_exact(
    written, tmp_path, decay, budgets, words
):
    """As `--out` makes it: a raised budget is that of one long run, unless its rate follows it."""
    text = HEAD.replace("[0, 1]", "[0]") + JUDGE.replace("[[judge]]", "[[judge]]\ncount = 32")
    now = written(text.replace("steps = 4", f'steps = 4\ndecay = "{decay}"') + ROW_A)
    (trial,) = now().sweep.trials
    recipe = trial.resolved.recipe

    def made(budget, key, folder=recipe.out):
        own = replace(
            trial.resolved, recipe=recipe.model_copy(update={**budget, "out": str(folder)})
        )
        other = replace(trial, resolved=own, parts=(*trial.parts, key))
        finish(replace(now().sweep, trials=[other]), Making(silent=True))
        return latest(tmp_path / "t.jsonl")[other.key]

    first, second = (made(budget, str(number)) for number, budget in enumerate(budgets))
    assert first.failed is None
    if words is not None:
        assert second.kind == RunError.__name__
        assert all(word in second.failed for word in words)
        return
    at_once = made(budgets[1], "at once", tmp_path / "at once")
    assert second.result["steps"] == budgets[1]["steps"]
    assert [m.value for m in second.measurements] == [m.value for m in at_once.measurements]


def test_two_rows_whose_names_are_alike_do_not_share_a_folder(written):
    """`KL (a||b)` and `KL (a | b)`, of one identity and two budgets; tries of a long name too."""
    rows = '[[row]]\nname = "KL (a||b)"\nsteps = 9\n[[row]]\nname = "KL (a | b)"\nsteps = 3\n'
    long = "a row of a name that is longer than all of the letters of a folder of its own can be"
    tuned = f'[tries]\nsteps = 2\n[[row]]\nname = "{long}"\ntries = [{{ batch = 8 }}, {{ batch = 4 }}]\n'
    declared = written(HEAD + JUDGE + rows + tuned)()
    trials = [t for t in (*declared.sweep.trials, *declared.tries().trials) if t.seed == 0]
    folders = [trial.resolved.folder() for trial in trials]
    assert len(set(folders)) == len(folders) == 4


def test_judges_of_one_metric_have_a_column_each_and_claims_their_own(written, tmp_path):
    """On test and on training images; what cannot be told apart is refused."""
    train = JUDGE.replace("split=test", "split=train")
    claim = '[[claim]]\nsays = "a is better"\nbetter = "a"\nworse = "b"\njudge = %d\n'
    rows = '[[row]]\nname = "a"\n[[row]]\nname = "b"\nbatch = 4\n'
    now = written(HEAD + JUDGE + train + rows + claim % 0 + claim % 1)
    values = {"a": (1.0, 9.0), "b": (2.0, 5.0)}
    lines = []
    for trial in now().sweep.trials:
        test, other = (value + 0.01 * trial.seed for value in values[trial.name])
        pair = measured(test), measured(other, "digits,split=train", mark="B")
        lines.append(row_of(trial, *pair))
    append(tmp_path / "t.jsonl", lines)
    page = render(now())
    assert "**holds** (1.005 against 2.005" in page
    assert "**does not hold** (9.005 against 5.005" in page
    head, _, first = [line for line in page.splitlines() if line.startswith("|")][:3]
    assert "split=test" in head
    assert "split=train" in head
    assert [cell.strip().split(" ")[0] for cell in first.split("|")[2:4]] == ["1.005", "9.005"]
    for twin in (JUDGE, JUDGE.replace('data = "digits,split=test"\n', "")):
        with pytest.raises(UsageError, match=r"\[\[judge\]\].*data"):
            written(HEAD + JUDGE + twin + rows)()


def test_a_judge_of_the_critic_needs_no_encoder(written):
    """What a plan asks of a run is the network that it names."""
    own = JUDGE.replace('"pixels"', '"run,of=critic"').replace(
        "extractors", 'metric = "probe"\nextractors'
    )
    (plan,) = written(HEAD + own + '[[row]]\nname = "a"\n')().sweep.trials[0].plans
    assert plan.networks == {"critic"}


def test_a_row_is_quoted_only_with_all_that_is_asked(written, tmp_path):
    """A file that judged without the ratio has no `fdr` to quote."""
    row = '[[row]]\nname = "a"\n'
    (tmp_path / "other.toml").write_text(HEAD + JUDGE + row, encoding="utf-8")
    for values, quoted in (("[]", True), ('["fd", "fdr"]', False)):
        judge = JUDGE + f"values = {values}\n"
        now = written('rows = ["other.toml"]\n' + HEAD + judge + row)
        assert all((trial.source is not None) == quoted for trial in now().sweep.trials)


def test_a_try_that_may_yet_pass_decides_nothing(written, tmp_path):
    """A full disk is no reason to choose the other setting; a loss that diverges is."""
    row = '[tries]\nsteps = 2\n[[row]]\nname = "a"\ntries = [{ batch = 8 }, { batch = 4 }]\n'
    now = written(HEAD + JUDGE + row)
    first, second = now().tries().trials
    append(tmp_path / "t.jsonl", [row_of(second, measured(9.0))])
    for kind, chosen in (("RunError", None), ("NonFinite", 1)):
        append(tmp_path / "t.jsonl", [row_of(first, failed="it failed", kind=kind)])
        assert now().tunings["a"].chosen == chosen
        assert (first.key in {t.key for t in _pending(now().tries(), now().tries().trials)}) == (
            chosen is None
        )


def test_a_tuned_row_whose_best_is_another_row_shows_its_values(written, tmp_path):
    """Its claim is decided, the page says whose runs they are, and is not on its way for good."""
    rows = '[tries]\nsteps = 2\n[[row]]\nname = "as published"\n[[row]]\nname = "tuned"\n'
    claim = '[[claim]]\nsays = "Tuning helps"\nbetter = "tuned"\nworse = "as published"\n'
    now = written(HEAD + JUDGE + rows + "tries = [{ batch = 8 }, { batch = 4 }]\n" + claim)
    tries = [row_of(t, measured(float(n))) for n, t in enumerate(now().tries().trials)]
    append(tmp_path / "t.jsonl", tries)
    trials = {trial.key: trial for trial in now().sweep.trials}
    assert len(trials) == 2
    append(tmp_path / "t.jsonl", [row_of(t, measured(3.0 + t.seed)) for t in trials.values()])
    page = render(now())
    assert "in progress" not in page
    assert "Tuning helps: **is a tie**" in page
    assert "these are the runs of as published" in page


def test_a_row_that_does_not_fit_says_why_and_is_not_waited_for(written, tmp_path):
    """The page is whole without it."""
    now = written(HEAD + JUDGE + '[[row]]\nname = "a"\n[[row]]\nname = "b"\nbatch = "many"\n')
    good = [trial for trial in now().sweep.trials if trial.refused is None]
    append(tmp_path / "t.jsonl", [row_of(trial, measured(1.0)) for trial in good])
    page = render(now())
    assert "in progress" not in page
    assert "| b | refused |" in page
    assert "b is refused: " in page
    assert "many" in page
    with pytest.raises(UsageError, match=r"seeds.*0 twice"):
        written(HEAD.replace("[0, 1]", "[0, 0]") + JUDGE + '[[row]]\nname = "a"\n')()


UNFIT = 'loss = "mmd"\nestimator = "ama"\n'
"""What only the check of parts refuses: ama cannot track samples."""


def test_a_row_whose_parts_do_not_fit_is_refused_on_the_page_too(written, tmp_path):
    """It can never be made and is not waited for: the same trials as the sweep refuses."""
    now = written(HEAD + JUDGE + f'{ROW_A}[[row]]\nname = "b"\n{UNFIT}')
    made = [trial for trial in now().sweep.trials if trial.name == "a"]
    append(tmp_path / "t.jsonl", [row_of(trial, measured(1.0)) for trial in made])
    page = render(now())
    assert "| b | refused |" in page
    assert "b is refused: " in page
    assert "ama" in page
    assert "in progress" not in page

    whole = declare(tmp_path / "t.toml", Registry(), out=tmp_path / "runs", checked=True)
    assert {t.name: t.refused for t in whole.sweep.trials} == {
        t.name: t.refused for t in now().sweep.trials
    }


def test_a_trial_with_a_row_is_not_refused_afterwards(written, tmp_path):
    """What has been made keeps its value, whatever is said of it today."""
    now = written(HEAD.replace("[0, 1]", "[0]") + JUDGE + f"{ROW_A}{UNFIT}")
    (trial,) = now().sweep.trials
    assert trial.refused is not None
    append(tmp_path / "t.jsonl", [row_of(trial, measured(3.0))])
    assert [trial.refused for trial in now().sweep.trials] == [None]
    assert "| a | 3" in render(now())


def test_what_is_only_missing_here_is_not_refused_on_a_page(written):
    """A plugin that is not installed makes no row impossible."""
    now = written(HEAD + JUDGE + f'{ROW_A}loss = "of-somebody"\n')
    assert [trial.refused for trial in now().sweep.trials] == [None, None]


def test_a_setting_that_does_not_fit_is_no_setting_to_be_waited_for(written, tmp_path):
    """On the page as in the sweep the others are chosen among."""
    tries = f"tries = [{{ batch = 8 }}, {{ {', '.join(UNFIT.split(chr(10))[:2])} }}]\n"
    now = written(HEAD + JUDGE + '[tries]\ndata = "digits,split=validation"\n' + ROW_A + tries)
    first, second = now().tunings["a"].trials
    assert [trial.refused is None for trial in (*first, *second)] == [True, False]
    append(tmp_path / "t.jsonl", [row_of(t, measured(1.0)) for t in first])
    assert now().tunings["a"].chosen == 0
    append(tmp_path / "t.jsonl", [row_of(t, measured(2.0)) for t in now().sweep.trials])
    assert "| a | 2" in render(now())


def test_no_claim_is_decided_by_what_was_measured_differently_or_is_no_number(written, tmp_path):
    """On any seed, not on the first one only."""
    claim = '[[claim]]\nsays = "a is better"\nbetter = "a"\nworse = "b"\n'
    now = written(HEAD + JUDGE + '[[row]]\nname = "a"\n[[row]]\nname = "b"\nbatch = 4\n' + claim)
    for trial in now().sweep.trials:
        weights = "others" if (trial.name, trial.seed) == ("a", 1) else "w"
        value = {"a": 1.0, "b": 5.0}[trial.name] + 0.1 * trial.seed
        append(tmp_path / "t.jsonl", [row_of(trial, measured(value, weights=weights))])
    assert "**is not decided** (1.05 against 5.05, 2 seeds, measured differently)" in render(now())
    low = cell_of([(0, measured(1.0)), (1, measured(1.1))])
    for value in (float("nan"), float("inf")):
        broken = cell_of([(0, measured(value)), (1, measured(9.0))])
        assert (
            verdict_of(broken, low, "lower") == verdict_of(low, broken, "lower") == "is not decided"
        )


def test_a_picture_that_cannot_be_drawn_costs_no_row(tmp_path):
    """It is told of, the row is there, and the page has it as soon as the trial has ended."""
    text = HEAD.replace("[0, 1]", "[0]").replace(
        "title", 'pictures = ["grid", "reconstruction"]\ntitle'
    )
    path, page = tmp_path / "t.toml", tmp_path / "t.md"
    judge = JUDGE.replace("[[judge]]", "[[judge]]\ncount = 32")
    path.write_text(text + judge + '[[row]]\nname = "a"\n[[row]]\nname = "b"\nbatch = 4\n')
    request = Request(path, Registry(), page=page, out=tmp_path / "runs")
    pages = []

    def made(sweep, making, what):
        own = making(Making(silent=True))

        def ended(trial, run):
            own.ended(trial, run)
            pages.append(page.read_text())

        finish(sweep, replace(own, ended=ended))

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        request.finish(made)
    rows = latest(tmp_path / "t.jsonl").values()
    assert [row.failed for row in rows] == [None, None]
    assert any(
        issubclass(w.category, FileWarning) and "reconstruction" in str(w.message) for w in told
    )
    assert "| a | not made yet" not in pages[0]
    assert (tmp_path / "t/a.png").is_file()
