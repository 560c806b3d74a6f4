"""Pictures of a page: each row has its own, of the run that its values are of."""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image

from gentk.registry import Registry
from gentk.sweeps.declared import declare
from gentk.sweeps.finish import Making, finish
from gentk.sweeps.pictures import paths
from gentk.sweeps.request import Request

FILE = """
title = "T"
pictures = {pictures}
[run]
data = "digits"
extractor = "pixels"
generator = "mlp,latent=4,widths=8"
batch = 8
steps = 2
[[judge]]
data = "digits,split=test"
extractors = ["pixels"]
count = 32
"""


@pytest.fixture
def made(tmp_path):
    """Make a sweep of rows, name -> batch, with its page; return the pictures that were drawn."""

    def make(rows, pictures=("grid",)):
        text = FILE.format(pictures=json.dumps(pictures))
        for name, batch in rows.items():
            text += f"[[row]]\nname = {json.dumps(name, ensure_ascii=False)}\nbatch = {batch}\n"
        path = tmp_path / "t.toml"
        path.write_text(text, encoding="utf-8")
        request = Request(path, Registry(), page=tmp_path / "t.md", out=tmp_path / "runs")
        request.check()
        request.finish(lambda sweep, making, what: finish(sweep, making(Making(silent=True))))
        request.write_page()
        return sorted(drawn.name for drawn in (tmp_path / "t").glob("*.png"))

    return make


def test_each_row_has_a_picture_of_its_own(made, tmp_path):
    """Names that files are called alike by; case counts for nothing, as on some disks."""
    names = ["a b", "a-b", "A B", "🙂", "🙃", "c"]
    drawn = made({name: batch for batch, name in enumerate(names, 4)})

    assert len(drawn) == len(names) and "c.png" in drawn
    assert len({Image.open(tmp_path / "t" / name).tobytes() for name in drawn}) == len(names)
    assert all(name in (tmp_path / "t.md").read_text() for name in drawn)


def test_no_row_has_the_name_of_another_ones_second_picture(made):
    """A row may be called as another one with what is shown."""
    drawn = made({"a": 4, "a interpolation": 5}, ("grid", "interpolation"))
    assert len(drawn) == 4


@pytest.mark.parametrize("letter", ["a", "字", "𠀀"])
def test_a_name_longer_than_that_of_a_file_is_cut(made, tmp_path, letter):
    """The page is there with both rows, which only their ends tell apart."""
    names = [letter * 400 + end for end in "xy"]
    drawn = made({names[0]: 4, names[1]: 5}, ("grid", "interpolation"))

    assert len(drawn) == 4 and all(len(name.encode()) < 100 for name in drawn)
    text = (tmp_path / "t.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in text for name in names)
    assert all(name in text for name in drawn)


@pytest.fixture
def shown(tmp_path):
    """Return the pictures that are of the rows that the file has now."""

    def shown():
        now = declare(tmp_path / "t.toml", Registry(), out=tmp_path / "runs", checked=False)
        return paths(tmp_path / "t.md", now)

    return shown


def test_a_picture_is_of_the_run_whose_values_stand_in_the_table(made, shown, tmp_path):
    """Settings that are changed, and changed back: the picture is that of the first run again."""
    picture = tmp_path / "t/a.png"
    made({"a": 4})
    first = Image.open(picture).tobytes()
    made({"a": 5})
    assert Image.open(picture).tobytes() != first and shown() == ["t/a.png"]
    made({"a": 4})
    assert Image.open(picture).tobytes() == first and shown() == ["t/a.png"]


def test_a_picture_of_another_run_is_not_shown_where_its_own_is_gone(made, shown, tmp_path):
    """As on another machine, to which the runs were not copied."""
    made({"a": 4, "b": 6})
    made({"a": 5, "b": 6})
    shutil.rmtree(tmp_path / "runs")
    made({"a": 4, "b": 6})
    assert shown() == ["t/b.png"]


def test_a_picture_stays_that_of_its_run_however_that_is_judged(made, shown, tmp_path):
    """Another judge is another trial and the same run."""
    made({"a": 4})
    path = tmp_path / "t.toml"
    path.write_text(path.read_text().replace("count = 32", "count = 48"))
    assert shown() == ["t/a.png"]


def test_only_pictures_of_declared_rows_are_shown(made, shown, tmp_path):
    """Neither one under a row's former name nor one that somebody else put there."""
    made({"a": 4, "b": 5})
    Image.new("L", (8, 8)).save(tmp_path / "t/other.png")
    made({"z": 4, "b": 5})
    assert shown() == ["t/b.png"] and (tmp_path / "t/a.png").is_file()


def test_a_picture_that_does_not_say_of_what_it_is_is_taken_as_it_is(made, shown, tmp_path):
    """Those that were drawn before pictures said so; what no one can open says nothing either."""
    made({"a": 4, "b": 5})
    for name, write in (("a", Image.new("L", (8, 8)).save), ("b", lambda p: p.write_bytes(b"?"))):
        write(tmp_path / f"t/{name}.png")
    before = [(tmp_path / f"t/{name}.png").read_bytes() for name in "ab"]
    made({"a": 4, "b": 5})
    assert shown() == ["t/a.png", "t/b.png"]
    assert [(tmp_path / f"t/{name}.png").read_bytes() for name in "ab"] == before
