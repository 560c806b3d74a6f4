"""The pages of docs/results are what their rows render to, and no claim is told in two ways."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from functools import cache
from pathlib import Path

import pytest

from gentk.library import is_sweep
from gentk.registry import Registry
from gentk.sweeps.declared import Declared, declare
from gentk.sweeps.page import render
from gentk.sweeps.pictures import paths
from gentk.sweeps.published import number_of, published_value
from gentk.sweeps.row import latest
from gentk.sweeps.trial import sweep_command

RESULTS = Path(__file__).parents[2] / "docs" / "results"
FILES = [path for path in sorted(RESULTS.glob("*.toml")) if is_sweep(str(path))]
each_file = pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])


@cache
def declared(path: Path) -> Declared:
    """The sweep of a file; no data are opened for it."""
    return declare(path, Registry(), checked=False)


@each_file
def test_a_page_is_what_its_rows_render_to(path, monkeypatch):
    """Byte for byte: nothing in it was typed by hand. Commands are typed in the project's folder."""
    monkeypatch.chdir(RESULTS.parents[1])
    page = path.with_suffix(".md")
    assert render(declared(path), paths(page, declared(path))) == page.read_text(
        encoding="utf-8"
    ), f"type: gentk sweep {path} --render --page {page}"


@each_file
def test_every_row_is_that_of_a_trial(path):
    """Keys are those of what the file resolves to, so that nothing would be made again.

    A sweep that takes days is committed on its way: its page says how much of it is there.
    """
    one = declared(path)
    trials = [*one.sweep.trials, *one.tries().trials]
    assert [t.name for t in trials if t.refused] == []
    keys = {trial.key for trial in trials}
    strays = [row.name for row in latest(one.sweep.rows).values() if row.key not in keys]
    assert strays == [], "type: gentk sweep FILE --dry-run, and see which keys have changed"


def test_the_readme_says_what_each_page_says_and_what_it_cannot():
    """Every page has its row, with all columns filled, and no row names a page that is not there."""
    lines = RESULTS.joinpath("README.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("| [")]
    assert all(len(cells) == 4 and all(cell.strip() for cell in cells) for cells in rows)
    named = [name for cells in rows for name in re.findall(r"\(([\w-]+\.md)\)", cells[0])]
    assert sorted(named) == sorted(p.name for p in RESULTS.glob("*.md") if p.stem != "README")


def test_one_digit_that_was_changed_shows(tmp_path):
    """In a row: its checksum no longer fits, so it counts for nothing, and the page is another."""
    for ending in (".toml", ".jsonl"):
        shutil.copy(RESULTS / f"selection{ending}", tmp_path)
    rows = tmp_path / "selection.jsonl"
    page = render(declare(tmp_path / "selection.toml", Registry(), checked=False))
    assert "not made yet" not in page
    text = rows.read_text(encoding="utf-8")
    assert text.count("815.19") == 1
    rows.write_text(text.replace("815.19", "715.19"), encoding="utf-8")
    changed = render(declare(tmp_path / "selection.toml", Registry(), checked=False))
    assert changed != page and "not made yet" in changed


def test_the_same_runs_say_the_same_of_a_claim():
    """On whatever page: what is claimed of the same recipes, seeds and judges has one verdict."""
    told: dict[tuple[object, ...], dict[str, object]] = {}
    for path in FILES:
        one = declared(path)
        settled = one.sweep.settled()
        for claim in one.file.claim:
            column = one.columns[claim.judge]
            sides, values = [], []
            for side in (claim.better, claim.worse):
                trials = [trial for trial in settled if trial.name == side]
                sides.append(tuple(str(trial.parts) for trial in trials))
                values.append([column.of(settled[t].measurements).value for t in trials])
            key = (column.metric, column.extractor, *sides)
            told.setdefault(key, {})[path.stem] = values
    shared = {key: pages for key, pages in told.items() if len(pages) > 1}
    assert shared, "no two pages claim the same, so this tests nothing"
    for pages in shared.values():
        assert len({str(values) for values in pages.values()}) == 1, pages


@each_file
def test_published_values_have_the_unit_of_their_column(path):
    """A share beside a percentage is a hundred times less."""
    one = declared(path)
    settled = one.sweep.settled()
    for row in one.file.row:
        for column in one.columns:
            published = number_of(published_value(one, row, column))
            values = [
                column.of(settled[trial].measurements)
                for trial in settled
                if trial.name == row.name
            ]
            for m in values if published is not None else ():
                if m is None:  # A row of another page has not all columns of this one.
                    continue
                ratio = published / (m.value * (100 if column.percent else 1))
                assert not 50 < ratio < 200, (row.name, published, m.value)


CURVES = [
    path.stem
    for path in sorted(RESULTS.glob("*.toml"))
    if "\npoints = " in path.read_text() and path.with_suffix(".jsonl").exists()
]


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_is_what_its_rows_render_to(name, monkeypatch):
    """Their script has pages of its own."""
    spec = importlib.util.spec_from_file_location("curve", RESULTS / "curve.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "curve", module)  # dataclasses look there
    spec.loader.exec_module(module)
    assert module.page(module.Curve(name)) == (RESULTS / f"{name}.md").read_text(encoding="utf-8")


@each_file
def test_no_value_is_typed_into_a_text(path):
    """Published values are keys of rows, measured ones are rendered."""
    text = " ".join(declared(path).file.text.split())
    assert not re.findall(r"(?:distances?|FID|accuracy|likelihood|`fd`|KID)\W+\d+", text)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("docs/a.toml", "gentk sweep docs/a.toml"),
        ("HERE/docs/a b.toml", "gentk sweep 'docs/a b.toml'"),
        ("/elsewhere/a.toml", "gentk sweep /elsewhere/a.toml"),
    ],
)
def test_a_sweep_file_is_named_as_it_is_typed_from_here(path, words, tmp_path, monkeypatch):
    """Relative to the folder one is in, if it is in it: pages tell no one's home folder."""
    monkeypatch.chdir(tmp_path)
    assert sweep_command(Path(path.replace("HERE", str(tmp_path)))) == words
