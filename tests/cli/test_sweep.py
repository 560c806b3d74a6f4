"""`gentk sweep`, as it is typed: refusals before training, failures, forms of output."""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path

import pytest
import torch

from gentk.cli.sweep import command
from gentk.interfaces import ImageShape
from gentk.registry import Registry
from gentk.runs.features import extractor_space

ROOT = Path(__file__).parents[2]

WORDS = (  # noqa: SIM905
    "sweep gfmn --data digits,limit=200 --extractor pixels --generator mlp,latent=8,widths=16+32 "
    "--batch 16 --steps 5 --estimator batch --device cpu --threads 1 --quiet --out g"
).split()
JUDGE = ("--judge", "pixels", "-n", "30")
ONE = (*WORDS, *JUDGE, "--over", "loss=moments")


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (("--judge", "pixls"), "no extractor 'pixls'", 2),
        (("--judge", "pixels,rnge=unit"), "'rnge'", 2),
        (("--judge", "pixels", "--against", "digts"), "no data 'digts'", 2),
        (("--judge", "pixels", "--against", "digits,size=no"), "size", 2),
        (("--judge", "pixels", "--metric", "fid"), "no metric 'fid'", 2),
        (("--judge", "pixels", "--json", "--markdown"), "drop one", 2),
        (("--judge", "pixels", "--png", "x.foo"), "--png table.png", 2),
        (("--judge", "pixels", "--png", "no/x.png"), "--png table.png", 2),
        (("--judge", "pixels", "--rows", "no/rows.jsonl"), "--rows rows.jsonl", 2),
        (("--over", "loss="), "gentk sweep --help", 2),
    ],
)
@pytest.mark.parametrize("mode", [(), ("--dry-run",), ("--print",)])
def test_what_cannot_be_judged_or_written_is_refused_first(refused, words, sentence, code, mode):
    """Nothing is trained and nothing written, in every mode."""
    assert sentence in refused(*WORDS, "--over", "loss=moments", *words, *mode, code=code)


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (("--metric", "kid", "--judge", "pixels", "-n", "30"), "kid", 1),
        (("--judge", "pixels", "--against", "digits,size=16"), "size=8", 2),
        (("--judge", "run:nowhere"), "nowhere", 1),
    ],
)
def test_what_fails_on_real_images_is_refused_before_training(refused, words, sentence, code):
    """Real images are judged as the runs will be, first."""
    assert sentence in refused(*WORDS, "--over", "loss=moments", *words, code=code)


def test_a_sweep_over_nothing_points_at_its_own_help(refused):
    """It is a usage error of the command."""
    assert "gentk sweep --help" in refused(*WORDS, code=2)


def test_the_same_value_twice_is_one_run(gentk, place):
    """No spread comes of training the same seed twice; neither does another way of writing it."""
    made = gentk(*ONE, "--over", "loss=moments", "--json")

    found = json.loads(made.stdout)
    assert {tuple(row["seeds"]) for row in found["rows"]} == {(0,)}
    assert (place / "g/rows.jsonl").read_text().count("\n") == 1
    twins = gentk(*WORDS, *JUDGE, "--over", "clip=1", "--over", "clip=1.0", "--json")
    assert "under another name" in json.loads(twins.stdout)["refused"][0]["reason"]


def test_every_judge_has_its_figures(gentk):
    """A folder that one of two judges has judged is judged by the other too."""
    gentk(*ONE)
    two = gentk(*ONE, "--judge", "pixels,range=signed", "--json")

    found = {row["extractor"] for row in json.loads(two.stdout)["rows"]}
    assert found == {"pixels", "pixels,range=signed"}


def test_json_holds_what_is_refused_and_what_failed(gentk):
    """Whatever came of the grid; a run that failed counts beside the seeds."""
    over = ("--over", "loss=mmd", "--over", "loss=moments", "--over", "estimator=ama")
    none = gentk(*WORDS, *JUDGE, *over[:2], *over[4:], "--json")
    assert none.exit_code == 2
    found = json.loads(none.stdout)
    assert found["rows"] == [] and "cannot track" in found["refused"][0]["reason"]
    dry = gentk(*WORDS, *JUDGE, *over[:2], *over[4:], "--dry-run")
    assert dry.exit_code == 2 and dry.stdout == ""
    planned = json.loads(gentk(*WORDS, *JUDGE, *over, "--dry-run", "--json").stdout)
    assert len(planned["runs"]) == len(planned["refused"]) == 1


def test_a_failure_is_told_and_counted(gentk):
    """Only of this grid, though the file holds others; alone it is exit code 1."""
    long = [word if word != "5" else "20" for word in WORDS]
    over = ("--over", "optimizer=sgd,lr=1e30", "--rows", "rows.jsonl")
    failing = gentk(*long, *JUDGE, *over, "--seeds", "2")
    assert failing.exit_code == 1 and failing.stderr.count("failed: optimizer=sgd") == 2
    empty = gentk(*long, *JUDGE, *over, "--seeds", "2", "--json")
    assert [row["seed"] for row in json.loads(empty.stdout)["failed"]] == [0, 1]
    both = gentk(*long, *JUDGE, *over, "--over", "optimizer=adam,lr=1e-3")
    assert both.exit_code == 0 and "0 (+1 failed)" in both.stdout
    other = gentk(*long, *JUDGE, "--over", "loss=moments", "--rows", "rows.jsonl")
    assert other.exit_code == 0 and "failed" not in other.stdout + other.stderr


def test_unequal_numbers_of_images_are_told(gentk):
    """As many steps of a larger batch are more images."""
    over = ("--over", "batch=16", "--over", "batch=64", "--dry-run")
    assert "4 times as many images" in gentk(*WORDS, *JUDGE, *over).stderr
    timed = [word if word != "--steps" else "--minutes" for word in WORDS]
    assert "many images" not in gentk(*timed, *JUDGE, *over).stderr


def test_printed_commands_leave_what_the_sweep_itself_would(gentk, place):
    """Where a run was made shows nowhere: same device, same threads, same columns."""
    # Where real images of another split are far enough from each other to be a floor of ratios.
    judge = "timm:tf_efficientnet_lite0,weights=none,first=1"
    place_of = ONE.index("--judge") + 1
    one = [*ONE[:place_of], judge, *ONE[place_of + 1 :]]
    (line,) = gentk(*one, "--print").stdout.splitlines()
    made, judged = (shlex.split(part)[1:] for part in line.split(" && "))
    assert judged[-4:] == ["--device", "cpu", "--threads", "1"]
    assert gentk(*made, "--quiet").exit_code == gentk(*judged, "--quiet").exit_code == 0
    assert "fdr" in (place / "g/00-moments-seed0/figures.jsonl").read_text()
    elsewhere = json.loads(gentk(*one, "--json").stdout)["rows"]
    (place / "g").rename(place / "before")
    assert elsewhere == json.loads(gentk(*one, "--json").stdout)["rows"]
    assert "fdr" not in {row["name"] for row in elsewhere}


def test_a_picture_comes_after_the_table(gentk, place):
    """Whole, and nothing beside it."""
    made = gentk(*ONE, "--png", "x.png")
    assert made.exit_code == 0 and "loss=moments" in made.stdout
    assert [path.name for path in place.glob("*x.png*")] == ["x.png"]


def test_a_sweep_over_data_is_a_table_without_a_winner(gentk):
    """Its runs have references of their own."""
    over = ("--over", "data=digits,limit=200", "--over", "data=digits,limit=200,size=16")
    words = [word for word in WORDS if not word.startswith("digits") and word != "--data"]
    made = gentk(*words, *JUDGE, *over, "--json")

    assert made.exit_code == 0, made.output
    verdicts = {row["verdict"] for row in json.loads(made.stdout)["verdicts"]}
    assert verdicts == {"no winner is called: measured differently"}


def shown_sweeps():
    """The factorial sweeps that README, help and pages show."""
    texts = [
        path.read_text(encoding="utf-8")
        for path in (ROOT / "README.md", ROOT / "docs/composing.md")
    ]
    texts.append(command.help)
    lines = [line.partition(" #")[0].strip() for text in texts for line in text.splitlines()]
    return [line for line in lines if line.startswith("gentk sweep") and "--over" in line]


def test_sweeps_that_are_shown_have_no_refusals(gentk):
    """As they are typed, every combination of them fits."""
    lines = shown_sweeps()
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line.replace("RECIPE", "gfmn"))[1:]
        done = gentk(*words, "--dry-run")
        assert done.exit_code == 0 and "refused" not in done.stderr, (line, done.output)


def test_the_features_of_the_gfmn_recipe_are_as_many_as_it_says():
    """Timm's ResNet18 has fewer than the published one; the recipe and a page say how many."""
    recipe = (ROOT / "gentk/recipes/gfmn-cifar10.toml").read_text(encoding="utf-8")
    texts = tuple(f"{text},weights=none" for text in tomllib.loads(recipe)["extractor"])
    space = extractor_space(texts, Registry(), ImageShape(3, 32, 32), torch.device("cpu"))
    count = sum(v.numel() for v in space(torch.zeros(1, 3, 32, 32), "unit").values())
    page = (ROOT / "docs" / "composing.md").read_text(encoding="utf-8")
    assert f"{count:,}" in recipe and f"{count:,}" in page and "timm:vgg19_bn" in page


def test_the_old_name_works_and_says_so(gentk):
    """On stderr, so that what is piped stays what it was."""
    new = gentk(*WORDS, *JUDGE, "--over", "loss=moments", "--dry-run")
    old = gentk("grid", *WORDS[1:], *JUDGE, "--over", "loss=moments", "--dry-run")

    assert (old.exit_code, old.stdout) == (0, new.stdout)
    assert "gentk sweep" in old.stderr and "gentk sweep" not in new.stderr


def test_several_seeds_are_the_seeds(gentk):
    """One is the first of --seeds; beside several, --seeds says nothing more."""
    over = (*JUDGE, "--over", "loss=moments", "--dry-run", "--json")

    def seeds(*words):
        return [row["seed"] for row in json.loads(gentk(*WORDS, *over, *words).stdout)["runs"]]

    assert seeds("--seed", "3", "--seeds", "2") == [3, 4]
    assert seeds("--seed", "3", "--seed", "7") == [3, 7]
    assert gentk(*WORDS, *over, "--seed", "3", "--seed", "7", "--seeds", "2").exit_code == 2
