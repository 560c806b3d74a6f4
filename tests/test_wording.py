"""Sentences of the command line, as Python says them."""

from __future__ import annotations

import pytest

from gentk.wording import spoken


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("type --batch 64", "write batch=64"),
        ("type --data folder:photos", "write data='folder:photos'"),
        ("add --lr 1e-3, or less", "add lr=1e-3, or less"),
        ("has no use for --estimator; drop it", "has no use for estimator=; drop it"),
        ("type --encoder NAME", "write encoder=NAME"),
        ("type --critic ali or bigan or fhj", "write critic='ali' or 'bigan' or 'fhj'"),
        ("type --estimator batch or ma; or wait", "write estimator='batch' or 'ma'; or wait"),
        ("type --out FOLDER, or drop --out", "write out=FOLDER, or drop out="),
        ("type --batch 20 or more", "write batch=20 or more"),
        ("leave --generator and --data out", "leave generator= and data= out"),
        ("type --over loss=NAME", "write over={'loss': [NAME]}"),
        ("type --over batch=64 for it", "write over={'batch': ['64']} for it"),
        ("type the same command again", "call it again"),
        ("type: gentk doctor", "type in a shell: gentk doctor"),
        (
            "no run; type: gentk run --out FOLDER, or ls runs; or add --batch 64",
            "no run; type in a shell: gentk run --out FOLDER, or ls runs; or add batch=64",
        ),
        ("type: gentk doctor, or --ema none", "type in a shell: gentk doctor, or ema='none'"),
        ("type --over KEY=VALUE", "write over={'KEY': [VALUE]}"),
        ("type a larger -n", "write a larger count"),
        ("type -n 4", "write count=4"),
        ("type --rows rows.jsonl", "write rows='rows.jsonl'"),
        ("--out runs/a is a file", "out='runs/a' is a file"),
        ("a well-kept double--dash is left alone", "a well-kept double--dash is left alone"),
    ],
)
def test_a_sentence_of_the_command_line_in_python(typed, written):
    """Options are keyword arguments, components texts, numbers numbers, placeholders themselves."""
    assert spoken(typed) == written


def test_what_was_said_once_is_not_changed_by_saying_it_again():
    """A verb that calls another hands on its sentence."""
    said = spoken("no run; type: gentk run --out FOLDER, or ls runs")

    assert spoken(said) == said


def test_a_keyword_of_another_name_is_called_by_it():
    """`--against` of a command may be `data` of its verb."""
    assert spoken("type --against cifar10", against="data") == "write data='cifar10'"
