"""Numerals: numbers as gentk writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gentk.numerals import decimal, typed


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (380.0, 2, "380"),
        (11432.0, 4, "11430"),
        (0.28, 2, "0.28"),
        (-1234.5, 2, "-1200"),
        (3e9, 2, "3e+09"),
    ],
)
def test_digits_before_the_point_are_written_out(value: float, digits: int, text: str):
    """380, not 3.8e+02."""
    assert decimal(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e13, "1e13"),
        (1e6, "1e6"),
        (3e-5, "3e-5"),
        (6.9e12, "6.9e12"),
        (0.99, "0.99"),
        (20.0, "20"),
    ],
)
def test_a_number_is_written_as_one_types_it(value: float, text: str):
    """As it stands in recipes and on command lines."""
    assert typed(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_digit_is_lost(value: float):
    """What is typed again is the same number."""
    assert float(typed(value)) == value
