"""Formulas of docstrings: plain text in a terminal, TeX on the site."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parent.parent / "docs" / "formulas.py"
SPEC = importlib.util.spec_from_file_location("formulas", PATH)
formulas = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(formulas)


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("m_t = alpha s_t", r"m_{t} = \alpha  s_{t}"),
        ("v^2 <= sum_ij w", r"v^{2} \le  \sum _{ij} w"),
        ("MMD^2 = mean_i x", r"\operatorname{MMD}^{2} = \operatorname{mean}_{i} x"),
        ("w <- d w", r"w \leftarrow  d w"),
        ("a = m_{t-1}", r"a = m_{t-1}"),
        ("C_1^1/2 = 1", r"C_{1}^{1/2} = 1"),
    ],
)
def test_a_line(plain, written):
    """Indices, powers, Greek letters, operators and relations."""
    assert formulas.tex([plain]) == written


def test_lines_stand_below_one_another():
    """As an aligned environment, one row a line."""
    assert formulas.tex(["a = b", "c = d"]).count("&") == 2


@pytest.mark.parametrize(
    ("lines", "formula"),
    [
        (["a = b"], True),
        (["w <- d w"], True),
        (["gradient,sided=above      WGAN-LP"], False),
        (["reduction=sum    L(v) = v"], False),
        (["mse         sum_i (x_i - y_i)^2"], False),
        (["a = b", "and then some words"], False),
    ],
)
def test_tables_of_options_are_no_formulas(lines, formula):
    """They stay text."""
    assert formulas.is_formula(lines) is formula
