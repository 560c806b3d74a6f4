"""Bad input through the real command: one sentence, the right exit code, nothing half-written."""

from __future__ import annotations

import os

import numpy as np
import pytest
from forked import Forked
from PIL import Image

RUN = ("run", "--extractor", "pixels", "--generator", "mlp", "--steps", "2", "--quiet")


def over(words, changes):
    """The words of a command with other values of some of its flags, each flag once."""
    kept = list(words)
    for flag in changes[::2]:
        if flag in kept:
            del kept[kept.index(flag) : kept.index(flag) + 2]
    return (*kept, *changes)


def picture(path, size, mode="RGB"):
    """Write a picture of random pixels."""
    channels = {"RGB": (3,), "L": ()}[mode]
    pixels = np.random.default_rng(0).integers(0, 256, (*size, *channels), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folders(place):
    """An empty folder, one of mixed sizes, one with a damaged picture."""
    for name in ("empty", "mixed", "damaged"):
        (place / name).mkdir()
    picture(place / "mixed" / "a.png", (16, 16))
    picture(place / "mixed" / "b.png", (24, 24))
    for index in range(20):
        picture(place / "damaged" / f"{index:02d}.png", (16, 16))
    (place / "damaged" / "05.png").write_bytes(b"\x89PNG not really")
    return place


@pytest.mark.parametrize(
    ("words", "code", "sentences"),
    [
        (("--data", "folder:empty"), 1, ["empty"]),
        (("--data", "folder:nowhere"), 1, ["nowhere"]),
        (("--data", "parquet:nowhere.parquet"), 1, ["nowhere.parquet"]),
        (("--data", "folder:mixed"), 1, ["size=", "16", "24"]),
        (("--data", "folder:damaged,strict=true"), 1, ["05.png"]),
        (("--data", "cifar10,root=nothing"), 1, ["nothing", "download=true"]),
        (("--generator", "dcgan", "--data", "digits,size=20"), 2, ["dcgan", "size=32"]),
        (("--generator", "resnet", "--data", "digits,size=20"), 2, ["resnet", "size="]),
        (
            ("--extractor", "timm:resnet18,weights=none,layers=layer9", "--data", "digits,size=32"),
            2,
            ["layer9", "layer4"],
        ),
        (("--extractor", "timm:resnet81"), 2, ["resnet81", "gentk list extractor"]),
        (("--extractor", "timm:resnet18,weights=none,first=99"), 2, ["99", "17"]),
        (("--extractor", "timm:vgg19,weights=none", "--data", "digits"), 2, ["resize="]),
        (("--loss", "moments,covariance=full", "--data", "digits,size=64"), 2, ["4096", "2048"]),
        (("--init", "run:nowhere"), 1, ["nowhere"]),
        (("--device", "cuda:77"), 2, ["cuda:77", "--device cpu"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_it_is_one_sentence_and_nothing_is_written(gentk, folders, words, code, sentences):
    """Exit code 2 for usage and 1 for the run, one line on stderr, no run folder."""
    result = gentk(*over(RUN, words))

    assert result.exit_code == code, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: "), lines
    assert all(part in lines[0] for part in sentences), lines
    assert not (folders / "runs").exists()


def test_damaged_images_are_skipped_counted_and_listed(gentk, folders):
    """One damaged picture of twenty: a notice names it, run.json lists it, training goes on."""
    import json

    words = [word for word in RUN if word != "--quiet"]
    result = gentk(*words, "--data", "folder:damaged", "--out", "out")

    assert result.exit_code == 0, result.output
    assert "1 damaged image of" in result.stderr and "05.png" in result.stderr
    record = json.loads((folders / "out" / "run.json").read_text())
    assert record["data"]["count"] == 19 and record["data"]["skipped"] == 1
    assert [name.endswith("05.png") for name in record["data"]["damaged"]] == [True]


@pytest.mark.parametrize("recipe", ["gfmn", "gfmn-cifar10", "gfmn-cifar10-cpu"])
def test_recipes_name_what_exists(gentk, place, recipe):
    """Every recipe of the package passes all checks that need no data and no weights."""
    result = gentk("run", recipe, "--dry-run")

    assert result.exit_code == 0, result.output
    assert list(place.iterdir()) == []


def test_a_full_disk_is_one_sentence_and_keeps_the_last_checkpoint(place):
    """No file may grow beyond 200 KB: exit 1, one line, and no part of a checkpoint is left."""
    words = over(RUN, ("--data", "digits", "--out", "out", "--generator", "mlp,widths=512+512"))
    limit = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))"
    )
    done = Forked(place, words, os.environ, limit)
    lines = done.communicate(timeout=300)[1].strip().splitlines()

    assert done.returncode == 1 and len(lines) == 1, lines
    assert "checkpoint of step 2" in lines[0] and "make room" in lines[0]
    assert list((place / "out" / "checkpoints").iterdir()) == []
    again = Forked(place, words, os.environ)
    _, told = again.communicate(timeout=300)
    assert again.returncode == 0, told
