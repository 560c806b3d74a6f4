"""Sphinx: the site that `make docs` builds, from Markdown, without a network."""

from __future__ import annotations

from gentk import __version__

project = "gentk"
author = "the authors of gentk"
copyright = "the authors of gentk, Apache-2.0"
version = release = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
myst_dmath_allow_space = False
exclude_patterns = ["Thumbs.db", ".DS_Store"]

html_theme = "furo"
html_title = f"gentk {version}"
html_copy_source = False
