"""What people type who know other tools: understood, or answered with what to type."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from gentk.cli.group import COMMANDS, cli
from gentk.cli.sections import Command
from gentk.recipe import Recipe


def resolved(gentk, *words: str) -> Recipe:
    """The recipe that a dry run prints."""
    result = gentk("run", *words, "--dry-run")
    assert result.exit_code == 0, result.output
    return Recipe.model_validate(tomllib.loads(result.stdout))


@pytest.mark.parametrize("flag", ["--lr", "--learning-rate"])
def test_a_rate_is_set_and_the_optimizer_stays(gentk, flag) -> None:
    """Betas are those of the recipe."""
    recipe = resolved(gentk, flag, "1e-4", "--extractor=pixels")

    assert recipe.optimizer == "adam,lr=1e-4,betas=0.5+0.999"


def test_a_sweep_over_the_rate_keeps_the_optimizer(gentk) -> None:
    """`--over lr=` makes runs that differ in it alone, and prints commands that make them."""
    words = ("sweep", "--over", "lr=1e-3", "--over", "lr=1e-4", "--extractor=pixels", "--steps=2")
    lines = gentk(*words, "--print").stdout.splitlines()

    assert len(lines) == 2
    for rate, line in zip(("1e-3", "1e-4"), lines, strict=True):
        assert f"--lr {rate}" in line
        first = line.partition(" && ")[0].split()[2:]
        assert resolved(gentk, *first).optimizer == f"adam,lr={rate},betas=0.5+0.999"


TYPED = {
    "a command of other tools": (("train",), "'run'"),
    "another": (("eval", "x"), "'evaluate'"),
    "and another": (("ls",), "'list'"),
    "a folder as data": (("run", "--data", "photos"), "'folder:photos'"),
    "a file as data": (("run", "--data", "arrays.npz"), "'npz:arrays.npz'"),
    "a model as extractor": (("run", "--extractor", "vgg19"), "'timm:vgg19'"),
    "a model as judge": (
        ("evaluate", "digits", "--data=digits", "--extractor", "vgg19"),
        "'timm:vgg19'",
    ),
    "a model to be shown": (("show", "vgg19"), "'timm:vgg19'"),
    "a model with a slip": (("run", "--extractor", "timm:vg19", "--dry-run"), "'vgg19'"),
    "a recipe to sample from": (("sample", "quickstart"), "'runs/quickstart-bbbbbbbb'"),
    "a recipe to evaluate": (("evaluate", "quickstart"), "'runs/quickstart-bbbbbbbb'"),
    "half a folder's name": (("sample", "runs/quickstart-aaaa"), "'runs/quickstart-aaaaaaaa'"),
    "a slip in a folder's name": (
        ("sample", "runs/quckstart-aaaaaaaa"),
        "'runs/quickstart-aaaaaaaa'",
    ),
    "text for a number": (("run", "--steps", "many"), "--steps 1000"),
    "a stage that there is not": (("run", "ae", "--stage", "layer9.steps=1"), "'layer1'"),
}


SLIPS = {
    "epochs": (("run", "--epochs", "10"), "'--steps'"),
    "a graphics card": (("run", "--gpu"), "'--device cuda'"),
    "a file of settings": (("run", "--config", "x.toml"), "'gentk run FILE.toml'"),
    "an option of the data as a flag": (("run", "--size", "32"), "--data size=VALUE"),
    "a space for a comma": (("run", "--data", "digits", "size=32"), "NAME,KEY=VALUE"),
    "a metric by its other name": (("evaluate", "digits", "--metric", "fid"), "'fd'"),
    "a kind in the plural": (("list", "extractors"), "'extractor'"),
    "a budget of nothing": (("run", "--minutes", "0"), "--minutes 5"),
    "no samples": (("sample", "x", "-n", "0"), "at least 1"),
    "another name of a device": (("run", "--device", "gpu", "--dry-run"), "--device c"),
    "two dashes for one": (("evaluate", "x", "--n", "9"), "'-n'"),
    "a setting of the optimizer": (
        ("run", "--weight_decay", "1"),
        "--optimizer weight_decay=VALUE",
    ),
    "a form of samples": (("sample", "x", "--as", "png"), "'folder'"),
    "a data set with a dash": (("run", "--data", "cifar-10"), "'cifar10'"),
    "a data set in capitals": (("run", "--data", "CIFAR10"), "'cifar10'"),
    "a run to resume": (("run", "--resume", "runs/x"), "'--out'"),
    "thousands": (("run", "--steps", "10k"), "--steps 10000"),
    "thousands with a comma": (("run", "--steps", "2,500"), "--steps 2500"),
    "a whole number with a point": (("run", "--batch", "64.5"), "--batch 64"),
    "a list of sizes": (("run", "--batch", "32,64"), "gentk sweep --over batch=32 --over batch=64"),
    "a list of seeds": (("run", "--seed", "0,1,2"), "--seeds 3"),
    "a list of later seeds": (("run", "--seed", "5,6"), "--seed 5 --seeds 2"),
    "a list of seeds apart": (("run", "--seed", "5,9"), "the first with --seed 5"),
    "an average turned off": (("run", "--ema", "false"), "for none type --ema none"),
    "a bound turned off": (("run", "--clip", "0"), "for none type --clip none"),
    "threads by default": (("run", "--threads", "0"), "for none type --threads none"),
    "a power of ten": (("run", "--steps", "1e3"), "--steps 1000"),
    "a kernel by its other name": (("run", "--loss", "mmd,kernel=rbf"), "kernel=gaussian"),
    "a metric as a loss": (("run", "--loss", "fid", "--dry-run"), "'fd'"),
    "half precision": (("run", "--dtype", "fp16"), "--dtype float32"),
    "an average beyond one": (("run", "--ema", "1.5"), "--ema 0.999"),
    "seeds as a factor": (("sweep", "--over", "seed=0", "--over", "seed=1"), "--seeds 3"),
    "a network of others": (("run", "--generator", "unet", "--dry-run"), "'resnet'"),
    "chance as a seed": (("run", "--seed", "random"), "--seed 0"),
    "a name in capitals": (("run", "--optimizer", "Adam", "--dry-run"), "'adam'"),
}
"""Slips that nobody's list names, and what the answer must hold."""

SLIPS |= {
    "minutes with a unit": (("run", "--minutes", "2h"), "--minutes 120"),
    "seconds": (("run", "--minutes", "30s"), "--minutes 0.5"),
    "a decay cut short": (("run", "--decay", "cos"), "--decay cosine"),
    "a list of rates": (
        ("run", "--lr", "1e-3,1e-4"),
        "gentk sweep --over lr=1e-3 --over lr=1e-4",
    ),
    "a size as height and width": (("run", "--data", "digits,size=64x64"), "size=64"),
    "the number of a card": (("run", "--device", "0", "--dry-run"), "'cuda:0'"),
    "a loss by its field's name": (("run", "--loss", "gan", "--dry-run"), "'logistic'"),
    "a recipe as a loss": (("run", "--loss", "wgan-gp", "--dry-run"), "gentk run wgan-gp"),
    "no estimator": (("run", "--estimator", "none", "--dry-run"), "'batch'"),
    "another tracker": (("run", "--observer", "wandb", "--dry-run"), "'tensorboard'"),
    "an option of the loss as a flag": (
        ("run", "--kernel", "energy"),
        "'--loss kernel=VALUE'",
    ),
    "a network with its owner": (
        ("run", "--extractor", "timm/resnet18,first=3", "--dry-run"),
        "'timm:resnet18,first=3'",
    ),
    "a network of the hub": (
        ("run", "--extractor", "hf-hub:timm/resnet18", "--dry-run"),
        "'timm:resnet18'",
    ),
    "a recipe with an ending": (("run", "quickstart.toml"), "recipe 'quickstart'"),
    "one value of a metric": (("evaluate", "x", "--metric", "precision"), "'prdc'"),
    "thousands of samples": (("evaluate", "x", "-n", "10k"), "'-n 10000'"),
    "American English": (("sample", "x", "--as", "neighbors"), "'neighbours'"),
    "no folder to export to": (("export", "x"), "--to PATH"),
    "a list of components": (
        ("sweep", "--over", "estimator=[batch,ama]"),
        "--over estimator=batch --over estimator=ama",
    ),
    "components with a bar": (
        ("sweep", "--over", "estimator=batch|ama"),
        "--over estimator=batch --over estimator=ama",
    ),
    "a level with a colon": (("sweep", "--over", "batch:32"), "--over batch=32"),
    "a level without the option": (("sweep", "batch=32"), "--over batch=32"),
    "a component to list": (("list", "timm:vgg19"), "gentk list extractor 'timm:vgg19'"),
    "a recipe to list": (("list", "quickstart"), "gentk show quickstart"),
}
"""Slips of another afternoon."""

SLIPS |= {
    "metrics with a comma": (("evaluate", "x", "--metric", "fd,kid"), "--metric fd --metric kid"),
    "extractors with a comma": (
        ("run", "--extractor", "pixels,identity"),
        "--extractor pixels --extractor identity",
    ),
    "levels with a comma": (
        ("sweep", "--over", "lr=1e-3,1e-4"),
        "--over lr=1e-3 --over lr=1e-4",
    ),
    "components as levels with a comma": (
        ("sweep", "--over", "estimator=batch,ama"),
        "--over estimator=batch --over estimator=ama",
    ),
    "the kind behind the name": (("show", "ama", "estimator"), "gentk show estimator ama"),
    "a kind in the plural to be shown": (("show", "losses"), "gentk list loss"),
    "the rate in full": (("run", "--optimizer", "adam,learning_rate="), "'lr'"),
    "the length of latents": (("run", "--generator", "mlp,z_dim=8", "--dry-run"), "'latent'"),
    "a switch of the optimizer": (
        ("run", "--optimizer", "sgd,lr=0.1,nesterov", "--dry-run"),
        "lr=0.1,nesterov=VALUE",
    ),
    "a recipe as a command": (("quickstart",), "'gentk run quickstart'"),
    "a component as a command": (("ama",), "'gentk show ama'"),
    "a component for a kind": (("list", "timm"), "gentk show timm"),
    "a key of a recipe in the manner of Hydra": (("run", "steps=100"), "'--steps 100'"),
    "a level of an option with a dot": (
        ("sweep", "--over", "generator.width=16"),
        "--over generator=width=VALUE",
    ),
    "an option of the generator as a flag": (("run", "--latent", "64"), "--generator latent=VALUE"),
    "a metric as a flag": (("evaluate", "x", "--fid"), "'--metric fd'"),
    "no average of weights": (("run", "--no-ema"), "'--ema none'"),
    "samples without the option": (("sample", "x", "16"), "'-n 16'"),
    "a verbose run": (("run", "--verbose"), "'--debug'"),
    "a plugin to install": (("plugin", "install", "gentk-timm"), "'pip install NAME'"),
    "a slip in the name of a subcommand": (("weights", "verfy", "x"), "'verify'"),
}


RUNS = {
    "a file of a run": (("sample", "runs/mine/run.json"), 1, "'runs/mine'"),
    "the folder of its samples": (("sample", "runs/mine/samples"), 1, "'runs/mine'"),
    "a checkpoint of it": (("export", "runs/mine/checkpoints/9", "--to", "x"), 1, "'runs/mine'"),
    "no run": (("sample",), 2, "'runs/mine'"),
    "no subject": (("evaluate",), 2, "'runs/mine'"),
    "a run as a command": (("runs/mine",), 2, "'gentk sample runs/mine'"),
    "a run as a recipe": (("run", "runs/mine"), 2, "--out runs/mine"),
    "two runs to judge": (("evaluate", "runs/mine", "runs/mine"), 2, "'gentk compare'"),
    "all runs to judge": (("evaluate", "runs"), 1, "did you mean 'runs/mine'?"),
    "all runs to compare": (("compare", "runs"), 1, "type: gentk compare runs/*"),
    "all runs to sample": (("sample", "runs"), 1, "did you mean 'runs/mine'?"),
    "all runs to report": (("report", "runs"), 1, "did you mean 'runs/mine'?"),
    "all runs from here": (("evaluate", "./runs/"), 1, "runs holds runs"),
    "pictures as a recipe": (("run", "photos"), 2, "--data folder:photos"),
    "pictures as a recipe, from here": (("run", "./photos"), 2, "--data folder:photos"),
}
"""What is typed where `runs/mine` and `photos` are folders, the code, and what the answer must hold."""


@pytest.mark.parametrize("case", RUNS)
def test_folders_in_the_wrong_place_are_answered_with_the_right_one(refused, place, case) -> None:
    """Paths within a run, runs where something else is wanted, and none at all."""
    for folder in ("runs/mine/samples", "runs/mine/checkpoints", "photos"):
        (place / folder).mkdir(parents=True)
    (place / "runs/mine/run.json").write_text("{}")
    words, code, wanted = RUNS[case]

    assert wanted in refused(*words, code=code)


def test_help_is_a_word_too(gentk) -> None:
    """`gentk help run` is `gentk run --help`."""
    assert gentk("help", "run").stdout == gentk("run", "--help").stdout
    assert gentk("help").stdout == gentk("--help").stdout
    assert "no command 'rum'; did you mean 'run'" in gentk("help", "rum").stderr


PHOTOS = {
    "a colon for a comma": (("run", "--data", "folder:photos:size=32"), 1, "folder:photos,size=32"),
    "a space for a comma": (("run", "--data", "folder:photos size=32"), 1, "folder:photos,size=32"),
    "a size without its name": (("run", "--data", "folder:photos,32"), 1, "folder:photos,size=32"),
    "a slip in a folder": (("run", "--data", "folder:phots,size=32"), 1, "'photos'"),
    "a folder with options": (("run", "--data", "photos,size=32"), 2, "'folder:photos,size=32'"),
    "a folder to list": (("list", "photos"), 2, "ls photos"),
}
"""What is typed where `photos` is a folder, the code, and what the answer must hold."""


@pytest.mark.parametrize("case", PHOTOS)
def test_options_of_a_folder_are_set_apart(refused, place, case) -> None:
    """The path that is there is found in what was typed, and its options are kept."""
    (place / "photos").mkdir()
    words, code, wanted = PHOTOS[case]
    more = ("--extractor", "pixels", "--generator", "mlp") if words[0] == "run" else ()

    assert wanted in refused(*words, *more, code=code)


def test_a_recipe_means_its_newest_run_wherever_that_is(refused, place, gentk) -> None:
    """Also where the folder was chosen by hand."""
    words = ("--data", "digits,limit=40", "--extractor", "pixels", "--generator", "mlp")
    made = gentk("run", *words, "--batch", "8", "--steps", "1", "--out", "runs/mine", "--quiet")
    assert made.exit_code == 0, made.output

    assert "'runs/mine'" in refused("sample", "gfmn", code=1)
    for form, name, other in (("grid", "a.jpg", "a.png"), ("npz", "a.png", "a.npz")):
        said = refused("sample", "runs/mine", "--as", form, "--out", name, code=2)
        assert f"--out {other}" in said
    assert "--out a.html" in refused("report", "runs/mine", "-o", "a.pdf", code=2)


def test_a_group_of_commands_alone_is_its_help(gentk) -> None:
    """No error, and not on one line."""
    for name in ("weights", "plugin"):
        alone = gentk(name)
        assert (alone.exit_code, alone.stderr) == (0, "")
        assert alone.stdout == gentk(name, "--help").stdout


@pytest.mark.parametrize("case", SLIPS)
def test_slips_are_answered_with_what_to_type(refused, case) -> None:
    """One sentence, code 2, nothing written."""
    words, wanted = SLIPS[case]

    assert wanted in refused(*words, code=2)


@pytest.mark.parametrize("case", TYPED)
def test_what_was_meant_is_offered(refused, place, case) -> None:
    """One sentence, with what to type in it; nothing is trained, nothing is written."""
    for index, name in enumerate(("quickstart-aaaaaaaa", "quickstart-bbbbbbbb")):
        folder = place / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({}))
        os.utime(folder / "run.json", (index, index))
    (place / "photos").mkdir()
    np.savez(place / "arrays.npz", x_train=np.zeros((2, 4, 4), np.uint8))
    words, wanted = TYPED[case]

    code = 1 if words[0] in ("sample", "evaluate") and "--data=digits" not in words else 2
    assert wanted in refused(*words, code=code)


def commands() -> dict[str, click.Command]:
    """Every command, those of groups by both names."""
    context = click.Context(cli)
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{name} {sub}": each for sub, each in command.commands.items()}
        else:
            found[name] = command
    return found


NO_OPTIONS = ("list", "show", "doctor", "weights", "plugin", "completion")


@pytest.mark.parametrize("name", commands())
def test_an_option_of_one_value_is_typed_once(name) -> None:
    """A second value would win without a word; options that take several stay as they are."""
    command = commands()[name]
    assert isinstance(command, Command)
    single = [
        option
        for option in command.params
        if isinstance(option, click.Option) and not (option.multiple or option.is_flag)
    ]
    for option in single:
        flag = option.opts[-1]
        result = CliRunner().invoke(cli, [*name.split(), flag, "1", option.opts[0], "2"])

        assert result.exit_code == 2
        assert f"{option.opts[0]} is typed twice" in result.stderr, result.stderr
        assert result.stdout == ""
    assert single or name.split()[0] in NO_OPTIONS


@pytest.mark.parametrize("name", commands())
def test_help_fits_a_terminal_of_80_columns(name) -> None:
    """Its examples too, which are shown as they are written."""
    words = [*name.split(), "--help"]
    shown = CliRunner().invoke(cli, words, prog_name="gentk", terminal_width=80).stdout

    assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_a_list_of_extractors_says_what_works_offline(gentk, monkeypatch, tmp_path) -> None:
    """What comes with a package and what is in the hub's cache; nothing is imported for it."""
    from huggingface_hub import constants

    snapshot = tmp_path / "hub" / "models--timm--vgg19.tv_in1k" / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    text = " ".join(gentk("list", "extractor", "timm").stdout.split())
    rows = gentk("list", "extractor", "timm:vgg19*").stdout.splitlines()[1:]
    offline = {row.split()[1]: row.split()[-2] for row in rows}

    assert "works offline" in text
    assert "cache: vgg19.tv_in1k" in text
    assert offline["timm:vgg19"] == offline["timm:vgg19.tv_in1k"] == "cache"
    assert offline["timm:vgg19_bn"] == "no"


def test_paths_that_data_read_are_those_of_their_sources() -> None:
    """The folder source declares the archives that it reads."""
    from gentk.data.tree import ARCHIVES
    from gentk.registry import Registry

    assert {*ARCHIVES, "/"} == set(Registry().find("data", "folder").component.files)
    assert Registry().reading("data", str(Path("nowhere.npz"))) is None


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (("run", "mine"), "gentk run mine.toml"),
        (("show", "mine"), "gentk run mine.toml"),
        (("mine",), "'gentk run mine.toml'"),
        (("mine.toml",), "'gentk run mine.toml'"),
        (("run", "table"), "gentk sweep table.toml"),
        (("run", "table.toml"), "gentk sweep table.toml"),
        (("sweep", "table"), "gentk sweep table.toml"),
        (("table.toml",), "'gentk sweep table.toml'"),
    ],
)
def test_a_file_that_lies_here_is_what_is_meant(refused, place, words, typed) -> None:
    """A recipe's or a sweep's name without its ending, or with the wrong command."""
    (place / "mine.toml").write_text("steps = 3\n")
    (place / "table.toml").write_text('title = "x"\n[judge]\n[[row]]\nname = "a"\n')

    assert typed in refused(*words, code=2)
