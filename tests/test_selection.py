"""Selections: how components and their options are written."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gentk.errors import BadOption
from gentk.selection import Selection

names = st.text(string.ascii_lowercase + string.digits + "-", min_size=1)
keys = st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True)
plain = st.text(string.ascii_letters + string.digits + "./:+_- ,\\").map(str.strip)
values = st.text(string.ascii_letters + string.digits + "./:+_-=").map(str.strip)


@given(names, st.none() | plain, st.dictionaries(keys, values, max_size=4))
def test_written_selections_are_read_back(name, argument, options) -> None:
    """`str` and `parse` are inverse, whatever commas, colons and spaces an argument holds."""
    selection = Selection(name, argument, options)

    assert Selection.parse(str(selection)) == selection


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("ama", Selection("ama")),
        ("  ama ", Selection("ama")),
        (
            "ama,lr=1e-2,betas=0.5+0.999",
            Selection("ama", None, {"lr": "1e-2", "betas": "0.5+0.999"}),
        ),
        ("timm:vgg19", Selection("timm", "vgg19")),
        ("timm:hf-hub:a/b", Selection("timm", "hf-hub:a/b")),
        ("folder:", Selection("folder", "")),
        ("folder:/a,b/c d,size=32", Selection("folder", "/a,b/c d", {"size": "32"})),
        (r"folder:C:\x", Selection("folder", r"C:\x")),
        ("npz:x,images=a=b", Selection("npz", "x", {"images": "a=b"})),
        ("x,split-seed=1", Selection("x", None, {"split_seed": "1"})),
        ("x,root=", Selection("x", None, {"root": ""})),
        ("x,root=/a,b,limit=3", Selection("x", None, {"root": "/a,b", "limit": "3"})),
    ],
)
def test_grammar(text, selection) -> None:
    """NAME[:ARGUMENT][,KEY=VALUE...]; a comma not followed by KEY= belongs to what is before it."""
    assert Selection.parse(text) == selection


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no component"),
        (":vgg19", "names no component"),
        (",lr=1", "names no component"),
        ("ama,lr", "'lr' in 'ama,lr' has no value"),
        ("ama,lr=1,lr=2", "option 'lr' stands twice"),
        ("ama,a-b=1,a_b=2", "option 'a_b' stands twice"),
    ],
)
def test_malformed_selections_are_refused(text, message) -> None:
    """What cannot be read is told in one sentence."""
    with pytest.raises(BadOption, match=message):
        Selection.parse(text)


def test_a_path_that_exists_is_that_path(tmp_path) -> None:
    """A folder whose name looks like options is that folder, also on the way; quotes say otherwise."""
    (tmp_path / "n=1").mkdir()
    (tmp_path / "n=1,limit=3").mkdir()
    (tmp_path / "w=1.5,limit=4.npz").touch()
    long, short = f"{tmp_path}/n=1,limit=3", f"{tmp_path}/n=1"

    assert Selection.parse(f"folder:{long}") == Selection("folder", long)
    assert Selection.parse(f"folder:{long},size=8") == Selection("folder", long, {"size": "8"})
    assert Selection.parse(f"folder:{short},limit=4") == Selection("folder", short, {"limit": "4"})
    assert Selection.parse(f"run:{long}/new") == Selection("run", f"{long}/new")
    assert Selection.parse(f"parquet:{long}/*.parquet,label=y") == Selection(
        "parquet", f"{long}/*.parquet", {"label": "y"}
    )
    weights = f"{tmp_path}/w=1.5,limit=4.npz"
    assert Selection.parse(f"timm:x,weights={weights},first=2") == Selection(
        "timm", "x", {"weights": weights, "first": "2"}
    )
    quoted = Selection.parse(f'folder:"{short}",limit=3')
    assert quoted == Selection("folder", short, {"limit": "3"})


looking = st.lists(values, min_size=1, max_size=3).map(
    lambda v: ",".join(f"k{i}={x}" for i, x in enumerate(v))
)


@given(names, looking, st.dictionaries(keys, looking, max_size=2))
def test_what_looks_like_options_is_quoted(name, argument, options) -> None:
    """What is written is read back, whatever exists: paths such as `n=1,limit=3` are quoted."""
    selection = Selection(name, argument, options)

    assert Selection.parse(str(selection)) == selection


def test_an_open_quote_is_refused() -> None:
    """A quote that is not closed is told."""
    with pytest.raises(BadOption, match="not closed"):
        Selection.parse('folder:"a,size=3')
