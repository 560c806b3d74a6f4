"""TOML that is written is read again as what it was."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gentk.toml import inline_toml, parse_toml

# TOML has no surrogates and no numbers without end.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(value=values)
def test_what_is_written_is_read_again(value: Any) -> None:
    """Also keys with quotes and line ends, and letters of all alphabets; on one line, printable."""
    line = f"value = {inline_toml(value)}"
    assert parse_toml(line) == {"value": value}
    assert line.isprintable()


def test_keys_without_a_value_are_left_out_and_plain_keys_are_bare() -> None:
    """As people write it."""
    table = {"critic": {"optimizer": "adam,lr=1e-3", "loss": None, "a b": 1}, "empty": {}}
    written = inline_toml(table)
    assert written == '{ critic = { optimizer = "adam,lr=1e-3", "a b" = 1 }, empty = {} }'
