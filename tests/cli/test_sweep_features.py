"""`gentk sweep`: rows of features, which stand in the place of those of the runs' own encoders."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from gentk import journal
from gentk.registry import Registry
from gentk.runs.images import open_data

SMALL = """
title = "Small"
seeds = [0, 1]
pictures = []

[run]
data = "digits,limit=300"
loss = "reconstruction"
generator = "mlp,latent=8,widths=16"
encoder = "mlp,widths=16"
batch = 16
steps = 4

[[judge]]
data = "digits,split=test"
extractors = ["pixels"]
count = 30

[[judge]]
data = "digits,limit=300,split=test"
metric = "probe,iterations=40"
extractors = ["run", "run,layers=code"]
percent = true

[[claim]]
says = "An encoder helps"
judge = 1
better = "learned"
worse = "pixels"

[[row]]
name = "learned"

[[row]]
name = "pixels"
features = "pixels,flat=true"
"""
QUIET = ("--quiet", "--device", "cpu", "--threads", "1")


@pytest.fixture
def file(place):
    """Write a sweep file, the small one by default."""

    def write(text=SMALL):
        (place / "s.toml").write_text(text, encoding="utf-8")
        return "s.toml"

    return write


def by_hand(train, test) -> float:
    """Return the accuracy of logistic regression on standardised pixels, of scikit-learn alone."""

    def rows(images):
        x = images.batch(range(len(images))).numpy().reshape(len(images), -1) / 255.0
        return x.astype(np.float64), images.labels.numpy()

    (x, y), (tx, ty) = rows(train), rows(test)
    mean, scale = x.mean(0), np.sqrt(x.var(0) + 1e-5)
    model = LogisticRegression(C=0.1, max_iter=40).fit((x - mean) / scale, y)
    return float((model.predict((tx - mean) / scale) == ty).mean())


def test_features_stand_where_those_of_runs_do(gentk, file, place):
    """With the value of a plain logistic regression; no samples, one row, and a claim is decided."""
    done = gentk("sweep", file(), *QUIET, "--page", "s.md")
    assert done.exit_code == 0, done.output
    page = (place / "s.md").read_text(encoding="utf-8")
    rows = {row["name"]: row for row in journal.read(place / "s.jsonl") if row["seed"] == 0}
    assert len(journal.read(place / "s.jsonl")) == 3
    values = {m["extractor"]: m["value"] for m in rows["pixels"]["measurements"]}
    # A reference's limit is its own: what is fitted to are all training images.
    opened = [open_data(name, Registry()) for name in ("digits", "digits,limit=300,split=test")]
    wanted = by_hand(*opened)
    assert set(values) == {"run", "run,layers=code"}
    assert list(values.values()) == pytest.approx([wanted, wanted], abs=0.004)
    assert rows["pixels"]["features"] == "pixels,flat=true"
    line = next(line for line in page.splitlines() if line.startswith("| pixels"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1] == "-" and cells[2] == cells[3] != "-" and cells[4:] == ["", ""]
    (claim,) = [line for line in page.splitlines() if "An encoder helps: **" in line]
    assert claim.endswith(", 2 seeds).") and "not decided" not in claim, claim
    assert "in progress" not in page
    before = (place / "s.jsonl").read_bytes()
    assert gentk("sweep", "s.toml", *QUIET, "--page", "s.md").exit_code == 0
    assert (place / "s.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('features = "pixels,flat=true"', 'features = "pixles"', ["pixels: ", "'pixles'"]),
        ('"run", "run,layers=code"', '"pixels"', ["pixels: ", "[[judge]]", '"run"']),
        ('metric = "probe,iterations=40"', 'metric = "fd"', ["pixels: ", "[[judge]]", '"probe"']),
        ('data = "digits,limit=300,split=test"\n', "", ["pixels: ", "[[judge]]", "data ="]),
    ],
)
def test_features_that_no_judge_looks_at_are_refused(gentk, file, old, new, names):
    """The others are made."""
    assert old in SMALL
    done = gentk("sweep", file(SMALL.replace(old, new)), *QUIET, "--dry-run")
    assert len(done.stdout.splitlines()) == 2, done.output
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("refused: ")]
    assert all(name in line for name in names), line


@pytest.mark.parametrize(
    "more", ['floor = "noise"', "steps = 3", "seeds = [0]", 'subject = "digits"']
)
def test_features_take_no_keys_of_a_run(refused, file, more):
    """Nothing is trained for them."""
    key = more.partition(" ")[0]
    assert key in refused("sweep", file(f"{SMALL}{more}\n"), code=2)
