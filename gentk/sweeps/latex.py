"""LaTeX: a comparison as tables of booktabs, to be put into a paper."""

from __future__ import annotations

from .comparison import Comparison

__all__ = ["latex"]

SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
"""Characters that mean something to LaTeX, or that it does not know."""


def latex(comparison: Comparison) -> str:
    """Return a table for each way of measuring; what it says, and how, stands in comments."""
    tables = []
    for place, columns in comparison.sections().items():
        head, rows = comparison.lines(columns)
        body = [" & ".join(map(_escaped, row)) + r" \\" for row in (head, *rows)]
        lines = [
            f"% in {place}",
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            body[0],
            r"\midrule",
            *body[1:],
            r"\bottomrule",
            r"\end{tabular}",
            *(f"% {line}" for line in comparison.verdicts(columns)),
        ]
        tables.append("\n".join(lines))
    return "\n\n".join([*tables, "\n".join(f"% {line}" for line in comparison.ways())])


def _escaped(text: str) -> str:
    return "".join(SIGNS.get(sign, sign) for sign in text)
