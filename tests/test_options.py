"""Options: signatures are the schema, text becomes values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gentk.errors import BadOption
from gentk.options import (
    REQUIRED,
    Option,
    argument,
    check_settable,
    convert,
    options_of,
    stray_of,
)


class Part:
    """A component with one option of every type."""

    def __init__(
        self,
        path: Path,
        *,
        image: tuple[int, int, int],
        lr: float = 0.01,
        count: int = 8,
        size: int | None = None,
        flag: bool = False,
        mode: Literal["sum", "mean"] = "sum",
        channels: Literal[1, 3] | None = None,
        betas: tuple[float, float] = (0.5, 0.999),
        layers: tuple[str, ...] = ("all",),
        root: Path | None = None,
        label: str = "x",
    ) -> None:
        self.path, self.image = path, image


OPTIONS = options_of(Part, frozenset({"image"}))
BY_NAME = {option.name: option for option in OPTIONS}


def value(name: str, text: str) -> Any:
    """Return what one option of `Part` becomes."""
    return convert({name: text}, OPTIONS, "part 'x'")[name]


def test_options_are_keyword_only_arguments() -> None:
    """Positional arguments, and those that are supplied, are not options."""
    names = ["lr", "count", "size", "flag", "mode", "channels", "betas", "layers", "root", "label"]

    assert [option.name for option in OPTIONS] == names
    assert BY_NAME["betas"] == Option("betas", tuple[float, float], (0.5, 0.999))


@given(st.integers())
def test_whole_numbers_are_read_back(number) -> None:
    """Every integer is read from its decimal text, exactly."""
    assert value("count", str(number)) == number


@given(st.floats(allow_nan=False))
def test_numbers_are_read_back(number) -> None:
    """Every float is read from its text, exactly, infinities too."""
    assert value("lr", repr(number)) == number


@given(st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False, min_value=0)))
def test_lists_are_joined_with_plus(pair) -> None:
    """A pair is two texts with a plus between (an exponent's sign is written with minus only)."""
    text = "+".join(repr(number).replace("e+", "e") for number in pair)

    assert value("betas", text) == pair


@given(st.lists(st.text("abc.123", min_size=1), max_size=5))
def test_texts_are_joined_with_plus(items) -> None:
    """A list of texts has as many items as are joined; nothing is none."""
    assert value("layers", "+".join(items)) == tuple(items)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("count", "1e5", 100_000),
        ("count", "-3", -3),
        ("lr", "3", 3.0),
        ("size", "32", 32),
        ("size", "none", None),
        ("size", "None", None),
        ("flag", "true", True),
        ("flag", "False", False),
        ("flag", "1", True),
        ("mode", "mean", "mean"),
        ("channels", "3", 3),
        ("channels", "none", None),
        ("root", "/a b", Path("/a b")),
        ("root", "none", None),
        ("label", "none", "none"),
        ("label", "12", "12"),
        ("label", "", ""),
    ],
)
def test_text_becomes_the_annotated_type(name, text, expected) -> None:
    """The annotation decides: `none` is None only where None is allowed."""
    found = value(name, text)

    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "count",
            "many",
            "part 'x': option 'count' takes a whole number, not 'many'; write count=8",
        ),
        ("count", "1.5", "takes a whole number"),
        ("count", "1e-3", "takes a whole number"),
        ("count", "none", "takes a whole number"),
        ("lr", "fast", "takes a number, not 'fast'; write lr=0.01"),
        ("size", "big", r"takes a whole number\|none, not 'big'; write size=1"),
        ("flag", "maybe", r"takes true\|false, not 'maybe'; write flag=false"),
        ("mode", "max", r"takes sum\|mean, not 'max'; write mode=sum"),
        ("channels", "2", r"takes 1\|3\|none, not '2'; write channels=1"),
        ("betas", "0.5", r"takes number\+number, not '0.5'; write betas=0.5\+0.999"),
        ("betas", "1+2+3", r"takes number\+number"),
    ],
)
def test_wrong_types_say_what_is_taken(name, text, message) -> None:
    """A value of the wrong type is refused with the type and an example."""
    with pytest.raises(BadOption, match=message):
        value(name, text)


def test_unknown_options_name_close_ones() -> None:
    """An unknown option is refused with the closest and all that exist."""
    with pytest.raises(
        BadOption, match="no option 'cuont'; did you mean 'count'\\? it takes betas"
    ):
        value("cuont", "1")
    with pytest.raises(BadOption, match="part 'y' takes no options, so 'lr' cannot be set"):
        convert({"lr": "1"}, [], "part 'y'")


def test_missing_options_are_asked_for() -> None:
    """An option without default must be given."""
    options = [Option("classes", str, REQUIRED)]

    with pytest.raises(BadOption, match="needs the option 'classes'; add classes=VALUE"):
        convert({}, options, "data 'lsun'")
    assert convert({"classes": "bed"}, options, "data 'lsun'") == {"classes": "bed"}


def test_types_read_as_people_write() -> None:
    """Types are named as they are typed."""
    names = {option.name: option.type_name for option in OPTIONS}

    assert names == {
        "lr": "a number",
        "count": "a whole number",
        "size": "a whole number|none",
        "flag": "true|false",
        "mode": "sum|mean",
        "channels": "1|3|none",
        "betas": "number+number",
        "layers": "text+text+...",
        "root": "path|none",
        "label": "text",
    }


def test_argument_is_a_path_where_a_path_is_wanted(monkeypatch, tmp_path) -> None:
    """What stands after the colon becomes a path, `~` expanded, or stays text."""
    monkeypatch.setenv("HOME", str(tmp_path))

    class Named:
        def __init__(self, model: str) -> None: ...

    assert argument(Part, "~/x") == tmp_path / "x"
    assert argument(Named, "~/x") == "~/x"


def test_an_option_without_a_type_has_that_of_its_default() -> None:
    """`flip=false` is no text that counts as true, and what has no default stays text."""

    def build(*, flip=True, rate=0.2, count=3, name="a", path) -> None: ...

    found = convert(
        {"flip": "false", "rate": "0.5", "count": "4", "name": "7", "path": "8"},
        options_of(build),
        "loss 'x'",
    )
    assert found == {"flip": False, "rate": 0.5, "count": 4, "name": "7", "path": "8"}
    with pytest.raises(BadOption, match="rate"):
        convert({"rate": "fast", "path": "x"}, options_of(build), "loss 'x'")


class Positional:
    """Takes things by position."""

    def __init__(self, place, image, /, width, depth: int = 2, *rest, lr: float = 0.1, **more):
        pass


@pytest.mark.parametrize(
    ("written", "supplied", "argument", "name"),
    [
        ([], [], True, "image"),  # needed, and nobody can give it
        ([], ["image"], True, "image"),  # given by name, taken by position only
        ([], [], False, "place"),
    ],
)
def test_arguments_by_position_are_named_with_what_to_change(written, supplied, argument, name):
    """The sentence names the argument, the class, and what to write there."""
    with pytest.raises(BadOption) as caught:
        check_settable(Positional, written, supplied, "loss 'x'", argument=argument)
    for word in ("loss 'x'", repr(name), f"'*, {name}'", "Positional"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("written", "supplied", "refused"),
    [
        ([], ["width"], None),
        ([], [], "width"),
        (["lr"], ["width"], None),
        (["depth"], ["width"], "depth"),
        (["rest", "more"], ["width"], None),
    ],
)
def test_what_may_stay_by_position_is_left_alone(written, supplied, refused):
    """With a default, or given by a name that it takes: only what is typed must be an option."""

    class Part:
        def __init__(self, width, depth: int = 2, *rest, lr: float = 0.1, **more):
            pass

    if refused is None:
        check_settable(Part, written, supplied, "loss 'x'", argument=False)
        return
    with pytest.raises(BadOption, match=repr(refused)):
        check_settable(Part, written, supplied, "loss 'x'", argument=False)


def test_a_constructor_of_its_bases_is_no_fault():
    """A class without a constructor has that of object or of torch's Module."""
    assert stray_of(type("Plain", (), {}), argument=False) == []
    assert stray_of(type("Net", (nn.Module,), {}), argument=False) == []
    assert [p.name for p in stray_of(Positional, argument=True)] == [
        "image",
        "width",
        "depth",
        "rest",
        "more",
    ]
