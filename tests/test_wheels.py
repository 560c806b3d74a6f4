"""Distributions: every wheel builds, carries its licence and data, and works installed for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = [
    ROOT,
    *sorted((ROOT / "plugins").iterdir()),
    ROOT / "examples/gentk-example-extractor",
]
LIGHT = ["pluggy", "click", "rich"]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Build all wheels, once."""
    out = tmp_path_factory.mktemp("wheels")
    for folder in DISTRIBUTIONS:
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
        done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return sorted(out.glob("*.whl"))


@pytest.mark.slow
def test_every_wheel_carries_licence_and_readme(wheels):
    """One wheel a distribution, each with the Apache licence, py.typed and a description."""
    assert len(wheels) == len(DISTRIBUTIONS)
    licence = (ROOT / "LICENSE").read_bytes()
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            (found,) = [name for name in names if name.endswith("licenses/LICENSE")]
            (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
            assert archive.read(found) == licence
            assert len(archive.read(metadata).decode().split("\n\n", 1)[1]) > 200, wheel.name
            assert any(name.endswith("/py.typed") for name in names), wheel.name
            assert not any("tests/" in name for name in names), wheel.name


@pytest.mark.slow
def test_installed_wheels_list_everything_without_torch(wheels, tmp_path):
    """In a new environment with the wheels and what listing stands on, `gentk list` finds all."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *LIGHT], check=True)
    subprocess.run([*pip, "--no-deps", *map(str, wheels)], check=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}

    done = subprocess.run(
        [str(python.parent / "gentk"), "list", "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )

    found = json.loads(done.stdout)
    names = {(row["kind"], row["name"]) for row in found["components"]}
    assert found["broken"] == []
    assert {
        ("extractor", "timm"),
        ("extractor", "pixels"),
        ("extractor", "scattering-lite"),
        ("loss", "moments"),
        ("estimator", "ama"),
        ("generator", "resnet"),
        ("metric", "fd"),
        ("data", "digits"),
    } <= names
    assert {"quickstart", "gfmn-cifar10"} <= {row["name"] for row in found["recipes"]}


def test_first_party_names_are_those_that_are_provided():
    """The table of reserved names equals what gentk's own distributions offer."""
    from gentk.plugins import discover
    from gentk.registry import FIRST_PARTY

    provided: dict[str, dict[str, set[str]]] = {name: {} for name in FIRST_PARTY}
    for part in discover().provided:
        if part.distribution in provided:
            kinds = provided[part.distribution]
            kinds.setdefault(part.component.kind, set()).add(part.component.name)

    reserved = {d: {k: set(n) for k, n in kinds.items()} for d, kinds in FIRST_PARTY.items()}
    assert provided == reserved
