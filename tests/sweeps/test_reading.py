"""Sweep files that hold what means nothing: the sentence names the key and what to write."""

from __future__ import annotations

import pytest

from gentk.errors import UsageError
from gentk.sweeps.reading import other_file, read_file

FILE = """
title = "T"
seeds = [0, 1]

[run]
steps = 4

[[judge]]
extractors = ["pixels"]
count = 30

[[row]]
name = "one"

[[row]]
name = "two"
"""
ROW = 'name = "two"'
JUDGE = "count = 30"


def written(tmp_path, before, after):
    """The path of a file in which one text is another."""
    assert before in FILE
    path = tmp_path / "s.toml"
    path.write_text(FILE.replace(before, after, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (ROW, ROW + '\nquotes = ""', ["'two'", "quotes"]),
        (ROW, ROW + '\ncited = ""\npublished = 1', ["'two'", "cited"]),
        (ROW, 'name = "  "', ["[[row]]", "name"]),
        (ROW, 'loss = "moments"', ["[[row]] number 2", "'name'"]),
        (ROW, ROW + "\ntries = { batch = 8 }", ["'two'", "tries = [{"]),
        (ROW, ROW + "\nalone = 1", ["'two'", "alone", "true or false"]),
        (ROW, ROW + "\npublished = { fid = 1 }", ["'two'", "'fd'", "are fd"]),
        ('[[row]]\nname = "one"\n\n[[row]]\nname = "two"', "", ["'row'", "[[row]]"]),
        ('[[row]]\nname = "one"\n\n[[row]]', "[row]", ["'row'", "[[row]]"]),
        ('[[row]]\nname = "two"', '[[rows]]\nname = "two"', ["[[rows]]", "write [[row]]"]),
        ("[run]", '[claim]\nsays = "s"\nbetter = "one"\nworse = "two"\n[run]', ["[[claim]]"]),
        ("[run]", "[[run]]", ["'run'", "table [run]"]),
        (
            "[run]",
            '[[claim]]\nsays = "s"\nbetter = "one"\nworse = "one"\n[run]',
            ["'s'", "'one'", "worse"],
        ),
        ("[0, 1]", "[-1]", ["seeds", "-1", "at least 0"]),
        ("[0, 1]", "[true, false]", ["seeds", "whole number"]),
        (JUDGE, 'percent = "yes"', ["[[judge]]", "percent", "true or false"]),
        (JUDGE, "count = true", ["[[judge]]", "count", "whole number"]),
        ('["pixels"]', '["pixels", "pixels"]', ["[[judge]]", "extractors", "'pixels'", "once"]),
        ("[run]", "[tries]\nsteps = true\n[run]", ["[tries]", "steps", "whole number"]),
        ("[run]", "[tries]\nminutes = inf\n[run]", ["[tries]", "minutes", "finite"]),
        ("[run]", '[stage."v1.0"]\nsteps = 1\n[run]', ["stage:v1.0", "letters"]),
        ("[run]", '[stage."my start"]\nsteps = 1\n[run]', ["stage:my start", "letters"]),
    ],
)
def test_what_means_nothing_is_refused(tmp_path, before, after, words):
    """By the table, the key and what to write there."""
    path = written(tmp_path, before, after)
    with pytest.raises(UsageError) as caught:
        read_file(path)
    assert all(word in str(caught.value) for word in (str(path), *words)), caught.value


@pytest.mark.parametrize("text", ["none.toml", "\0", "a" * 5000])
def test_a_file_that_is_not_there_is_named_with_the_one_that_quotes_it(tmp_path, text):
    """Whatever is written for it."""
    with pytest.raises(UsageError, match=r"s\.toml quotes"):
        other_file(tmp_path / "s.toml", text)


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path):
    """Some editors write one."""
    path = tmp_path / "s.toml"
    path.write_text(FILE.lstrip(), encoding="utf-8-sig")
    assert read_file(path).title == "T"
