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

from gentk.first_party import FIRST_PARTY
from gentk.plugins import discover

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = [
    ROOT,
    *sorted((ROOT / "plugins").iterdir()),
    ROOT / "examples/gentk-example-extractor",
]
LIGHT = ["pluggy", "click", "rich"]


def build(folder: Path, out: Path) -> None:
    """Make a distribution's sdist, and its wheel from that sdist alone."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build all distributions, once."""
    out = tmp_path_factory.mktemp("dist")
    for folder in DISTRIBUTIONS:
        build(folder, out)
    return out


@pytest.fixture(scope="module")
def wheels(built):
    """The wheels, sorted."""
    return sorted(built.glob("*.whl"))


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
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    pip += ["--quiet", "--no-compile", "--disable-pip-version-check"]
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


@pytest.mark.slow
def test_an_index_would_take_every_distribution(built):
    """Twine finds nothing to say of sdists and wheels, and all have the one version and addresses."""
    pytest.importorskip("twine", reason="pip install -e '.[dev]'")
    files = sorted(map(str, built.iterdir()))
    assert len(files) == 2 * len(DISTRIBUTIONS)
    command = [sys.executable, "-m", "twine", "check", "--strict", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def environment(tmp_path):
    """The python of a new environment that sees what is installed here, but nothing of gentk's."""
    others = tmp_path / "others"
    others.mkdir()
    places = [Path(place) for place in sys.path if Path(place).name == "site-packages"]
    paths = {path.name: path for place in reversed(places) for path in place.iterdir()}
    for name, path in paths.items():
        if "gentk" not in name and path.suffix != ".pth":
            (others / name).symlink_to(path)
    venv.create(tmp_path / "env", with_pip=False)
    [site] = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(f"{others}\n")
    return tmp_path / "env" / "bin" / "python"


@pytest.mark.slow
def test_a_generated_plugin_is_installed_from_a_folder_of_wheels(built, environment, tmp_path):
    """What `gentk plugin new` writes, built, installs by name without an index, and gentk with it."""
    new = ["plugin", "new", "my-loss", "--kind", "loss", "--out", str(tmp_path / "my-loss")]
    subprocess.run([sys.executable, "-m", "gentk", *new], check=True, capture_output=True)
    build(tmp_path / "my-loss", tmp_path / "mine")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP", "GENTK"))}

    def call(*words: str) -> str:
        command = [str(environment), "-m", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=clean
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    call(
        *("pip", "install", "--quiet", "--no-compile", "--no-index"),
        *(f"--find-links={built}", f"--find-links={tmp_path / 'mine'}", "my-loss[test]"),
    )

    rows = json.loads(call("gentk", "list", "--json"))
    assert rows["broken"] == []
    parts = {name for name, kinds in FIRST_PARTY.items() if kinds}
    assert {row["distribution"] for row in rows["components"]} == {*parts, "my-loss"}
    with zipfile.ZipFile(next(built.glob("gentk_models-*.whl"))) as archive:
        weights = [name for name in archive.namelist() if name.endswith("model.safetensors")]
        assert len(weights) >= 2
    names = {row["name"] for row in json.loads(call("pip", "list", "--format=json"))}
    assert {"gentk-core", "my-loss"} <= names
    assert "gentk" not in names
    assert "gentk-example-extractor" not in names, "nothing asked for it"


def test_first_party_names_are_those_that_are_provided():
    """The table of reserved names equals what gentk's own distributions offer."""
    provided: dict[str, dict[str, set[str]]] = {name: {} for name in FIRST_PARTY}
    for part in discover().provided:
        if part.distribution in provided:
            kinds = provided[part.distribution]
            kinds.setdefault(part.component.kind, set()).add(part.component.name)

    reserved = {d: {k: set(n) for k, n in kinds.items()} for d, kinds in FIRST_PARTY.items()}
    assert provided == reserved
