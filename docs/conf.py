"""Sphinx: the site that `make docs` builds, from Markdown and docstrings, without a network."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gentk import __version__

sys.path.insert(0, str(Path(__file__).parent))
from formulas import is_formula, tex

project = "gentk"
author = "the authors of gentk"
copyright = "the authors of gentk, Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
myst_dmath_allow_space = False
exclude_patterns = ["Thumbs.db", ".DS_Store"]

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_class_signature = "mixed"
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"gentk {version}"
html_copy_source = False

# MathJax comes from a package and goes into the site: nothing is fetched by whoever reads it.
MATHJAX = find_spec("mathjax")
assert MATHJAX is not None and MATHJAX.submodule_search_locations, "type: make docs"
[_place] = list(MATHJAX.submodule_search_locations)
_script = next(Path(_place).rglob("es5/tex-svg-full.js"))
html_static_path = ["_static", str(_script)]
html_css_files = ["site.css"]
mathjax_path = _script.name


def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Write formulas of a docstring, which are its indented blocks, as mathematics."""
    written: list[str] = []
    block: list[str] = []
    before = ""
    for line in [*lines, "<end>"]:
        if line.startswith(("  ", "\t")) and (block or not before.strip()):
            block.append(line)
            continue
        if block:
            # What belongs to a section (`Args:`) has been turned into fields by then.
            formula = is_formula([b for b in block if b.strip()])
            text = tex([b for b in block if b.strip()]).splitlines()
            written += (
                [".. math::", "", *(f"   {t}" for t in text), ""] if formula else _literal(block)
            )
            block = []
        written.append(line.replace("|", "\\|") if "`" not in line else line)
        before = line
    lines[:] = written[:-1]


def _literal(block: list[str]) -> list[str]:
    return (
        [*block] if block[0].lstrip().startswith((":", "..", "*", "-")) else ["::", "", *block, ""]
    )


def setup(app: Any) -> None:
    """Connect what is done to docstrings, before napoleon reads their sections."""
    app.connect("autodoc-process-docstring", process, priority=900)
