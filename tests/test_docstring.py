"""Docstrings, taken apart."""

from __future__ import annotations

from gentk.docstring import Docstring

TEXT = """Do a thing.

    It follows

        y = a x + b

    for all x, and this paragraph goes on beyond the end of the line it begins on, twice.

    Args:
        a: The slope: it
            may be long.
        b: The intercept.

    Raises:
        ValueError: Never.

    Source: somebody, 2019.
    """


def test_paragraphs_keep_what_is_no_section() -> None:
    """Paragraphs outside sections stay in order; sections are taken out."""
    paragraphs = Docstring.parse(TEXT).paragraphs

    assert paragraphs[:3] == ["Do a thing.", "It follows", "    y = a x + b"]
    assert paragraphs[-1] == "Source: somebody, 2019."
    assert len(paragraphs) == 5


def test_arguments_join_their_lines() -> None:
    """A description over several lines is one text, colons and all."""
    assert (Docstring.parse(TEXT).arguments) == {
        "a": "The slope: it may be long.",
        "b": "The intercept.",
    }


def test_prose_is_filled_and_formulas_stay() -> None:
    """Prose is broken at the width, formulas are left as written."""
    text = Docstring.parse(TEXT).rendered(40)

    assert "\n\n    y = a x + b\n\n" in text
    assert all(len(line) <= 40 for line in text.splitlines())
    assert "Do a thing.\n\nIt follows\n" in text


def test_formula_inside_a_paragraph_stays() -> None:
    """An indented line between prose keeps its line."""
    text = Docstring.parse("One\ntwo\n    a = b\nthree\nfour").rendered(80)

    assert text == "One two\n    a = b\nthree four"


def test_nothing_is_nothing() -> None:
    """A missing docstring has no paragraphs."""
    assert Docstring() == Docstring.parse(None)
