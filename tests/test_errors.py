"""Errors: what is offered in place of a mistyped name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gentk.errors import did_you_mean

ROOT = Path(__file__).parent.parent
LOSSES = ["moments", "mmd", "reconstruction", "hinge", "logistic"]


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("momnts", LOSSES, "did you mean 'moments'? "),
        ("", LOSSES, ""),
        ("wasserstein", LOSSES, ""),
        ("moments", [], ""),
        # As close as the best, not merely close.
        ("vgg18", ["vgg19", "vgg16", "vgg19_bn"], "did you mean 'vgg19' or 'vgg16'? "),
        ("df", ["fd", "kid", "mmd"], "did you mean 'fd'? "),
        ("extractors", ["extractor", "generator"], "did you mean 'extractor'? "),
    ],
)
def test_the_closest_names_are_offered(name, known, hint):
    """One name, or several that are about as close; nothing where nothing is."""
    offered = did_you_mean(name, known)

    assert offered.count("'") == hint.count("'") and offered.endswith("? ") == bool(hint)
    assert set(offered.split("'")[1::2]) == set(hint.split("'")[1::2])


def test_everybody_offers_names_in_the_same_way():
    """No other file of the core or a plugin looks for close names by itself."""
    files = [*ROOT.glob("gentk/**/*.py"), *ROOT.glob("plugins/*/gentk_*/**/*.py")]
    importing = {
        str(path.relative_to(ROOT))
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and node.module == "difflib")
        or (isinstance(node, ast.Import) and any(a.name == "difflib" for a in node.names))
    }

    assert importing == {"gentk/errors.py"}
