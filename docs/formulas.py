"""Formulas: those of docstrings, plain text that a terminal shows, as TeX for the site.

    D = sum_j (mu_j^data - mu_j^model)^2   ->   D = \\sum_{j} (\\mu_{j}^{\\mathrm{data}} - ...)^{2}

A block that is not clearly a formula (a table of options, say) is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["is_formula", "tex"]

GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "lambda", "mu", "nu", "xi"),
    *("pi", "rho", "sigma", "tau", "phi", "psi", "omega"),
)
OPERATORS = {"sum": r"\sum", "int": r"\int", "log": r"\log", "exp": r"\exp", "max": r"\max"}
OPERATORS |= {"min": r"\min", "grad": r"\nabla"}
SIGNS = {
    "<=": r"\le ",
    ">=": r"\ge ",
    "->": r"\to ",
    "<-": r"\leftarrow ",
    "!=": r"\ne ",
    "||": r"\,\Vert\,",
    "~": r"\sim ",
    "*": r"\cdot ",
    "%": r"\% ",
    "#": r"\# ",
    "&": r"\& ",
    "{": r"\{",
    "}": r"\}",
}
TOKEN = re.compile(
    r"(?P<script>[_^])(?:\{(?P<braced>[^}]*)\}|\((?P<round>[^()]*)\)|(?P<bare>-?[A-Za-z0-9]+(?:/\d+)?))"
    r"|(?P<gap> {2,})|(?P<word>[A-Za-z]+)|(?P<sign><=|>=|->|<-|!=|\|\||[~*%#&{}])|(?P<rest>.)"
)


def is_formula(lines: Sequence[str]) -> bool:
    """Say whether a block is a formula: each line relates two sides, and none sets an option."""
    relates = all(re.search(r" (=|<-|->|<=) ", line) for line in lines)
    tabular = any(re.match(r"\s*[\w,=.-]+ {2,}[^=\s]", line) for line in lines)
    return relates and not tabular and not any(re.search(r"[a-z]=\w", line) for line in lines)


def tex(lines: Sequence[str]) -> str:
    """Return a formula as TeX, its lines below one another."""
    written = [_line(line.strip()) for line in lines]
    if len(written) == 1:
        return written[0]
    body = " \\\\\n".join(f"& {line}" for line in written)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def _line(text: str) -> str:
    parts: list[str] = []
    worded = False
    for match in TOKEN.finditer(text):
        kind, value = match.lastgroup, match[0]
        if match["script"]:
            inner = next(
                v for v in (match["braced"], match["round"], match["bare"]) if v is not None
            )
            parts.append(f"{match['script']}{{{_script(inner)}}}")
        elif kind == "gap":
            parts.append(r"\quad ")
        elif kind == "word":
            # Words that follow one another are a text, and a text has spaces.
            parts.append((r"\ " if worded and len(value) > 1 else "") + _word(value))
        elif kind == "sign":
            parts.append(SIGNS[value])
        else:
            parts.append(value)
        if value != " ":
            worded = (
                kind == "word" and len(value) > 1 and value not in GREEK and value not in OPERATORS
            )
    return "".join(parts).strip()


def _word(value: str) -> str:
    if value in GREEK or value.lower() in GREEK:
        return f"\\{value} "
    if value in OPERATORS:
        return f"{OPERATORS[value]} "
    return value if len(value) == 1 else f"\\operatorname{{{value}}}"


def _script(inner: str) -> str:
    """Return what stands above or below: indices are letters, longer words are words."""
    if inner.isalpha() and inner.islower() and len(inner) <= 2:
        return inner
    return _line(inner)
