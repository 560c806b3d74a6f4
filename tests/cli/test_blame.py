"""Errors that nobody foresaw: told with whose code raised them, a plugin's, the user's or gentk's."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

RUN = ["run", "--data=digits,limit=64", "--generator=mlp,widths=8", "--loss=moments"]
RUN += ["--estimator=batch", "--batch=8", "--steps=2", "--quiet", "--device=cpu"]

HOOK = """
import gentk.spec as gentk

@gentk.hookimpl
def gentk_components():
    return [gentk.Component(kind="extractor", name="theirs", target="theirs.extractor:Theirs",
                            summary="it fails where it is told to")]
"""
EXTRACTOR = """
import torch
from gentk.interfaces import Extractor
from theirs.maths import product

class Theirs(Extractor):
    def __init__(self, *, at: str = "nowhere"):
        super().__init__()
        self.at = at
        if at == "construction":
            raise KeyError("at construction")

    def forward(self, images):
        if self.at == "library":
            torch.ones(3) @ images.flatten(1)
        if self.at == "function":
            product(images)
        if self.at == "recursion":
            return self.forward(images)
        if self.at == "users":
            import users_own
            users_own.fail()
        return {"a": images.flatten(1)}

    def fingerprint(self):
        return "theirs-1"
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A plugin of a third party, and a module of the user's that belongs to no distribution."""
    place = tmp_path / "packages"
    files = {
        "theirs/__init__.py": HOOK,
        "theirs/extractor.py": EXTRACTOR,
        "theirs/maths.py": "def product(images):\n    return images.nothing\n",
        "users_own.py": "def fail():\n    raise LookupError('mine')\n",
        "theirs-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n",
        "theirs-1.0.dist-info/entry_points.txt": "[gentk]\ntheirs = theirs\n",
    }
    for path, text in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    monkeypatch.syspath_prepend(place)
    importlib.invalidate_caches()
    yield place
    for name in [each for each in sys.modules if each.split(".")[0] in ("theirs", "users_own")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("at", "error", "file"),
    [
        ("construction", "KeyError", "extractor.py, line 11"),
        ("library", "RuntimeError", "extractor.py, line 15"),
        ("function", "AttributeError", "maths.py, line 2"),
        ("recursion", "RecursionError", "extractor.py, line 1"),
    ],
)
def test_an_error_of_a_plugin_names_the_component_and_the_place(gentk, packages, at, error, file):
    """Torch's frames are passed over; the author is told, and gentk is not to blame."""
    told = gentk(*RUN, f"--extractor=theirs,at={at}")

    assert told.exit_code == 1
    [line] = told.stderr.splitlines()
    assert line.startswith("Error: extractor 'theirs' of theirs (")
    assert str(packages / "theirs" / file.partition(",")[0]) in line
    assert file in line
    assert error in line
    for word in ("author", "--debug"):
        assert word in line
    assert "this is a bug" not in line


def test_an_error_of_a_file_of_no_distribution_is_its_owners(gentk, packages):
    """What the user wrote is the user's to correct."""
    told = gentk(*RUN, "--extractor=theirs,at=users")

    assert f"Error: {packages / 'users_own.py'}, line 2 raised LookupError: mine" in told.stderr
    assert "correct it there" in told.stderr


def test_an_error_of_gentk_stays_a_bug(gentk, packages, monkeypatch):
    """With a plugin in the run, too."""
    monkeypatch.setattr("gentk.families.matching._check_finite", "no function")
    told = gentk(*RUN, "--extractor=theirs")

    assert told.exit_code == 1
    assert "(this is a bug)" in told.stderr
    assert "theirs" not in told.stderr


def test_a_rehearsal_says_whose_part_does_not_fit(gentk, packages):
    """The sentence about parts that do not fit names the plugin in which they do not."""
    told = gentk(*RUN, "--extractor=theirs,at=library", "--dry-run")

    assert told.exit_code == 2
    assert "in extractor 'theirs' of theirs (" in told.stderr
    assert "extractor.py, line 15" in told.stderr
