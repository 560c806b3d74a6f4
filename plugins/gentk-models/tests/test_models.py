"""The models that ship: each opens offline, draws what its card shows, and says how it was measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

import gentk
import gentk_models
from gentk.evaluation.record import read
from gentk.models import Models
from gentk.registry import Registry
from gentk.runs.resolving import resolve_recipe

FOLDER = Path(gentk_models.__file__).parent / "models"
NAMES = sorted(path.name for path in FOLDER.iterdir())
README = Path(__file__).parents[1] / "README.md"


def test_all_models_are_known_and_in_the_readme():
    """`model:NAME` finds the folders there are, the README has a row for each, and they stay small."""
    known = Models(Registry().modules).paths
    assert {name: known[name] for name in NAMES} == {n: FOLDER / n for n in NAMES}
    assert NAMES
    text = README.read_text()
    assert all(f"| `model:{name}` |" in text for name in NAMES)
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 8e6


@pytest.mark.parametrize("name", NAMES)
def test_a_model_draws_what_its_card_shows(name):
    """The grid in the folder is that of 64 samples, of one thread or more, to a grey level or two."""
    model = gentk.from_pretrained(f"model:{name}", device="cpu")
    (picture,) = (FOLDER / name / "samples").glob("*.png")

    with Image.open(picture) as stored:
        shown = pil_to_tensor(stored).int()
    drawn = pil_to_tensor(gentk.tile(model.sample(64))).int()
    assert shown.shape == drawn.shape
    assert (shown - drawn).abs().max() <= 2
    assert model.sample(64).std(0).mean() > 0.05, "the samples differ"


@pytest.mark.parametrize("name", NAMES)
def test_a_card_has_values_and_their_protocol(name):
    """What the model is worth stands on its card, with how many samples in which features."""
    text = (FOLDER / name / "README.md").read_text()

    assert "| fd |" in text
    assert "samples" in text
    assert "/tmp/" not in text
    assert "/work/" not in text


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_compared_by_the_values_of_its_card(name):
    """They lie beside it as a run's do, so that `gentk compare` takes it."""
    text = (FOLDER / name / "README.md").read_text()
    rows = [row.measurement for row in read(FOLDER / name)]
    judged = {one.written() for one in rows if not one.trained_on}

    assert judged
    assert all(f"| {written} |" in text for written in judged)
    assert {one.subject for one in rows} == {f"model:{name}"}
    found = gentk.compare([f"model:{name}"])
    assert {value for cell in found.cells.values() for value in cell.values} == {
        one.value for one in rows
    }


def test_the_command_samples_offline(tmp_path):
    """Without a network, a cache or data: `gentk sample model:digits` writes a picture."""
    code = (
        "import socket, sys\n"
        "def refuse(*given, **more): raise OSError('no network')\n"
        "socket.socket.connect = refuse\n"
        "from gentk.cli import main\n"
        "sys.argv = ['gentk', 'sample', 'model:digits', '-n', '16', '--out', 'x.png']\n"
        "main()"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path), "GENTK_CACHE": str(tmp_path / "cache")},
    )

    with Image.open(tmp_path / "x.png") as picture:
        assert picture.width > 100


def test_judging_a_model_leaves_its_distribution_as_it_is(monkeypatch, tmp_path):
    """It goes by its name, and nothing is written beside its weights."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))
    before = sorted((FOLDER / "digits").rglob("*"))
    evaluation = gentk.from_pretrained("model:digits").evaluate(extractors="pixels", count=16)
    link = tmp_path / "link"
    link.symlink_to(FOLDER / "digits")
    others = [
        gentk.evaluate(place, extractors="pixels", count=16) for place in (FOLDER / "digits", link)
    ]

    for one in (evaluation, *others):
        assert one.subject == "model:digits"
        assert one["fd"].value == evaluation["fd"].value > 0
    assert sorted((FOLDER / "digits").rglob("*")) == before


def test_a_model_is_a_start_and_an_unknown_one_names_those_there_are(tmp_path, monkeypatch):
    """Its generator goes on elsewhere; a misspelt name is answered with the right one."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))
    with pytest.raises(gentk.GentkError, match="'digits'"):
        gentk.from_pretrained("model:digit")
    run = gentk.run(
        data="digits,size=32,limit=64",
        init="model:digits",
        extractor="pixels",
        optimizer="sgd,lr=1e-12",
        batch=8,
        device="cpu",
        steps=1,
        observer=[],
        out=tmp_path / "run",
    )
    model = gentk.from_pretrained("model:digits", device="cpu")
    for own, theirs in zip(run.generator.parameters(), model.generator.parameters(), strict=True):
        torch.testing.assert_close(own, theirs)


def test_where_no_recipe_is_named_data_and_generator_are_those_of_the_model():
    """What is typed beside it still counts, and a named recipe keeps its own."""
    taken = resolve_recipe(None, {"init": "model:mnist"}, registry=Registry()).recipe
    typed = resolve_recipe(
        None, {"init": "model:mnist", "data": "digits"}, registry=Registry()
    ).recipe
    named = resolve_recipe("gfmn", {"init": "model:mnist"}, registry=Registry()).recipe

    assert (taken.data, taken.generator) == ("mnist,size=32", "resnet,width=16,classes=10")
    assert (typed.data, typed.generator) == ("digits", taken.generator)
    assert (named.data, named.generator) == ("digits,size=32", "resnet,width=16")
