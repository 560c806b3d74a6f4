"""The main job: `gentk run` draws digits that a classifier of real digits recognises."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from judge import DigitJudge, digits

import gentk


@pytest.fixture(scope="module")
def judge():
    """The judge of digits."""
    return DigitJudge()


def test_the_judge_knows_digits(judge):
    """Held-out accuracy is at least 0.95, and real digits pass."""
    assert judge.accuracy() >= 0.95
    assert judge(digits("test")[0]).passed


def test_the_judge_rejects_what_is_not_a_generator_of_digits(judge):
    """Rejected: an untrained generator, noise with the pixels' moments, one digit, class means."""
    images, labels = digits("train")
    torch.manual_seed(0)
    flat = images.flatten(1)
    noise = flat.mean(0) + flat.std(0) * torch.randn(1000, 1024)
    means = torch.stack([images[torch.from_numpy(labels == k)].mean(0) for k in range(10)])
    untrained = gentk.compose("gfmn", extractor=["pixels"]).generator.eval()
    with torch.no_grad():
        drawn = (untrained(untrained.prior.draw(1000)) + 1) / 2
    rejected = {
        "untrained": drawn,
        "noise": noise.clamp(0, 1).reshape(-1, 1, 32, 32),
        "one digit": images[:1].repeat(1000, 1, 1, 1),
        "class means": means.repeat(100, 1, 1, 1),
    }

    verdicts = {name: judge(made) for name, made in rejected.items()}
    assert not any(verdict.passed for verdict in verdicts.values()), verdicts


@pytest.mark.slow
def test_quickstart_draws_digits(judge, tmp_path):
    """From nothing, a fifth of its steps: every class, as clear and varied as real digits."""
    place = tmp_path / "run"
    command = [sys.executable, "-m", "gentk", "run", "quickstart", "--steps", "120"]
    done = subprocess.run(
        [*command, "--out", str(place)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert_digits(judge, gentk.load(place))
    assert len(list((place / "samples").glob("*.png"))) == 20


def test_the_whole_quickstart_drew_digits(judge):
    """The model that is shipped is a run of all its steps."""
    shipped, recipe = gentk.load("model:digits"), gentk.compose("quickstart").recipe
    assert shipped.steps == recipe.steps and shipped.recipe.generator == recipe.generator
    assert_digits(judge, shipped)


def assert_digits(judge, run):
    """Hold it to what the recipe is (docs/results/quickstart.md), with room for others' last bits."""
    verdict = judge(run.sample(1000))
    assert verdict.sure >= 0.91 and verdict.share >= 0.065, verdict
    assert 0.85 <= verdict.spread <= 1.15, verdict
    for label in range(10):
        assert (judge.labels(run.sample(50, label=label)) == label).mean() >= 0.8, label


def test_the_readme_shows_the_run_that_make_run_makes():
    """The folder in the README's output carries the identity of today's recipe."""
    from pathlib import Path

    from gentk.registry import Registry
    from gentk.runs.resolving import resolve_recipe

    folder = resolve_recipe("quickstart", registry=Registry()).folder()
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert f"folder  {folder}\n" in readme
