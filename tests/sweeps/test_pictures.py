"""Pictures of a page: each has a file of its own, whatever its row is called."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from gentk.registry import Registry
from gentk.sweeps.finish import Making, finish
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
