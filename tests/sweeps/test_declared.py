"""Declared sweeps: how the keys of [run], of a row and of its tries lie over each other."""

from __future__ import annotations

import pytest

from gentk.errors import UsageError
from gentk.registry import Registry
from gentk.sweeps.declared import declare
from gentk.sweeps.fairness import not_held_out

FILE = """
title = "T"

[run]
data = "digits,validation=200"
extractor = "pixels"
generator = "mlp,latent=8,widths=16"
optimizer = "adam,lr=1e-2,betas=0.5+0.9"
steps = 4

[judge]
data = "digits,split=test"
extractors = ["pixels"]

[[row]]
name = "as it is"

[[row]]
name = "another rate"
optimizer = "lr=1e-3"
operations = 1e6

[[row]]
name = "another optimizer"
optimizer = "sgd,lr=1"

[[row]]
name = "one more"
extractor = "+pixels,range=signed"

[[row]]
name = "tuned"
optimizer = "betas=0.0+0.9"
tries = [{ optimizer = "lr=1e-4" }, { generator = "widths=32" }]
"""


@pytest.fixture
def declared(tmp_path):
    """The sweep of the file."""
    path = tmp_path / "t.toml"
    path.write_text(FILE, encoding="utf-8")
    return declare(path, Registry(), checked=False)


def test_options_alone_keep_the_component_of_the_run(declared):
    """As on the command line: another component goes with its options, options alone stay with it."""
    recipes = {trial.name: trial.resolved.recipe for trial in declared.sweep.trials}
    assert recipes["as it is"].optimizer == "adam,lr=1e-2,betas=0.5+0.9"
    assert recipes["another rate"].optimizer == "adam,lr=1e-3,betas=0.5+0.9"
    assert recipes["another optimizer"].optimizer == "sgd,lr=1"
    assert recipes["one more"].extractor == ("pixels", "pixels,range=signed")


def test_a_row_has_one_budget(declared):
    """Its own, in whichever unit that of [run] is."""
    recipes = {trial.name: trial.resolved.recipe for trial in declared.sweep.trials}
    row, plain = recipes["another rate"], recipes["as it is"]
    assert (row.steps, row.operations) == (None, 1e6)
    assert (plain.steps, plain.operations) == (4, None)


def test_tries_lie_over_their_row(declared):
    """Which lies over [run]."""
    (first,), (second,) = declared.tunings["tuned"].trials
    assert first.resolved.recipe.optimizer == "adam,lr=1e-4,betas=0.0+0.9"
    assert second.resolved.recipe.optimizer == "adam,lr=1e-2,betas=0.0+0.9"
    assert second.resolved.recipe.generator == "mlp,latent=8,widths=32"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("[run]", "seeds = 2\n[run]", ["seeds", "[0, 1]", "[2]"]),
        ("[run]", "seeds = 40\n[run]", ["[0, 1, ..., 39]", "[40]"]),
        ("[run]", "seeds = 0\n[run]", ["[0]"]),
        ('name = "one more"', 'name = "one more"\nseeds = 3', ["'one more'", "[0, 1, 2]", "[3]"]),
        ("[[row]]", "[tries]\nseeds = 2\n[[row]]", ["tries", "[0, 1]", "[2]"]),
    ],
)
def test_a_number_alone_is_refused_with_both_readings(tmp_path, before, after, words):
    """So many seeds, as `--seeds` takes it, or that one: what to write for either."""
    path = tmp_path / "t.toml"
    path.write_text(FILE.replace(before, after, 1), encoding="utf-8")

    with pytest.raises(UsageError) as caught:
        declare(path, Registry(), checked=False)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('optimizer = "lr=1e-3"', "optimizer = { lr = 1e-3 }", ['optimizer = "adam,lr=0.001"']),
        ('extractor = "+pixels,range=signed"', "extractor = { a = 1 }", ["extractor"]),
        ('optimizer = "lr=1e-3"', "batch = { a = 1 }", ["batch", "whole number"]),
    ],
)
def test_a_table_where_a_component_stands_is_refused(tmp_path, before, after, words):
    """The row is refused by what is to be written instead; the others stay."""
    path = tmp_path / "t.toml"
    path.write_text(FILE.replace(before, after, 1), encoding="utf-8")

    sweep = declare(path, Registry(), checked=False).sweep
    (refused,) = [trial.refused for trial in sweep.trials if trial.refused is not None]
    assert all(word in refused for word in words), refused


HELD = "digits,validation=200"
TUNED = "tries = [{ batch = 8 }, { batch = 4 }]"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('"lr=1e-4" }, {', '"lr=1e-4" }, { optimizer = "lr=1e-4" }, {', ["'tuned'", "try 2"]),
        ("[{ optimizer", "[{ batch = 8 }, { batch = '8' }, { optimizer", ["'tuned'", "try 2"]),
        ("[judge]", '[tries]\ndata = "digits"\n[judge]', [f"{HELD},split=validation"]),
        (
            "[judge]",
            '[tries]\ndata = "digits,validation=300,split=validation"\n[judge]',
            [f"{HELD},split=validation"],
        ),
        ('name = "tuned"', 'name = "tuned"\ndata = "digits"', ["'tuned", f'"{HELD}"']),
    ],
)
def test_tries_that_say_nothing_are_refused(tmp_path, before, after, words):
    """One setting twice, and images to choose by that are trained on."""
    path = tmp_path / "t.toml"
    path.write_text(FILE.replace(before, after, 1), encoding="utf-8")

    with pytest.raises(UsageError) as caught:
        declare(path, Registry(), checked=False)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("judged", "trained", "apart"),
    [
        ("digits,validation=9,split=validation", "digits,validation=9", True),
        ("digits,validation=5,split=validation", "digits,validation=9", True),
        ("digits,split=validation", "digits", True),
        ("folder:a", "folder:b", True),
        ("folder:a", "folder:./a/", False),
        ("digits,validation=9", "digits,validation=9", False),
        ("digits,validation=9,split=validation", "digits", False),
        ("digits,validation=9,split=validation,split_seed=1", "digits,validation=9", False),
        ("digits,validation=9,split=validation", "digits,validation=9,split=validation", False),
    ],
)
def test_held_out_are_images_that_nothing_trains_on(judged, trained, apart):
    """A validation split of those that the run leaves out, or other data."""
    assert (not_held_out(judged, trained) is None) == apart
