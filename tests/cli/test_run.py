"""`gentk run`, and what is done with its folder: `gentk sample`, `gentk evaluate`."""

from __future__ import annotations

import json
import os
import signal
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from forked import Forked
from PIL import Image

from gentk.cli.flags import KEYS
from gentk.recipe import Recipe, resolve

FAST = (
    "--data=digits,limit=100",
    "--extractor=pixels",
    "--generator=mlp",
    "--loss=moments",
    "--estimator=batch",
    "--batch=8",
    "--ema=none",
)
"""A run of milliseconds a step."""


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def trained(gentk) -> Path:
    """Return the folder of a finished run."""
    result = gentk("run", *FAST, "--steps=3", "--out=done")
    assert result.exit_code == 0, result.output
    return Path("done")


def test_flags_are_the_keys_of_a_recipe() -> None:
    """Every key that fits on a command line is a flag, and every flag is a key."""
    flags = {row.split()[0].removeprefix("--") for rows in KEYS.values() for row in rows}

    assert set(Recipe.model_fields) - {"summary", "schedule", "phase"} == flags


def test_help_has_sections(gentk) -> None:
    """Options stand under the heading of what they are about."""
    text = gentk("run", "--help").stdout

    assert all(f"\n{section}:\n" in text for section in KEYS)
    words = " ".join(text.split())
    assert all(
        f"{field.description}".rstrip(".") + "." in words
        for key, field in Recipe.model_fields.items()
        if f"--{key} " in text
    )
    assert text.index("What is trained:") < text.index("--data NAME") < text.index("How:")


def test_dry_run_prints_a_recipe_that_can_be_run(gentk, place) -> None:
    """What --dry-run prints in a pipe is TOML that resolves to the very same recipe."""
    flags = ("--batch=32", "--extractor=pixels", "--extractor=pixels", "--decay=cosine")
    text = gentk("run", "gfmn", *flags, "--dry-run").stdout
    again = resolve("again", tomllib.loads(text), {})
    library = Path(__file__).parents[2] / "gentk" / "recipes" / "gfmn.toml"
    table = tomllib.loads(library.read_text())
    wanted = resolve(
        "x", table, {"batch": 32, "extractor": ("pixels", "pixels"), "decay": "cosine"}
    )

    assert wanted.recipe == again.recipe
    assert list(place.iterdir()) == []


def test_dry_run_tells_origins_and_folder(gentk) -> None:
    """Each value comes with its origin, and the folder is named."""
    lines = gentk("run", "--batch=32", "--ema=none", "--dry-run").stdout.splitlines()
    origins = {line.split()[0]: line.rpartition("# ")[2] for line in lines[1:] if line[0] != "#"}

    assert "it would train in runs/gfmn-" in lines[0]
    assert origins["batch"] == "--batch"
    assert origins["loss"] == "recipe gfmn"
    assert origins["seed"] == "default"
    assert any(line.startswith("# ema is not set") and line.endswith("# --ema") for line in lines)


def test_dry_run_keeps_tables(gentk, place) -> None:
    """Schedules and phases survive the way through TOML."""
    path = place.parent / "mine.toml"
    path.write_text(
        "steps = 5\n[[schedule]]\nat = 640\nset = { lr = 3e-4, betas = [0.5, 0.9] }\n"
        '[phase.generator]\ndecay = "linear"\n'
    )

    again = tomllib.loads(gentk("run", str(path), "--dry-run").stdout)

    assert again["schedule"] == [{"at": 640, "set": {"lr": 3e-4, "betas": [0.5, 0.9]}}]
    assert again["phase"] == {"generator": {"decay": "linear"}}


def test_run_prints_its_result_and_what_to_type(gentk, trained, place) -> None:
    """Results go to stdout, and a finished run typed again prints them again without training."""
    first = gentk("run", *FAST, "--steps=3", "--out=done")
    log = (place / "done" / "metrics.jsonl").read_text()
    rows = dict(line.split() for line in first.stdout.splitlines()[:5])

    assert first.exit_code == 0
    assert "training" not in first.stderr
    assert {key: rows[key] for key in ("folder", "steps", "images")} == {
        "folder": "done",
        "steps": "3",
        "images": "24",
    }
    assert float(rows["loss"]) == pytest.approx(json.loads(log.splitlines()[-1])["loss"], rel=1e-4)
    assert "gentk sample done" in first.stdout
    assert "gentk evaluate done" in first.stdout
    assert len(log.splitlines()) == 3


def test_more_steps_extend_a_run(gentk, trained, place) -> None:
    """The same command with a larger budget goes on where the run stopped."""
    result = gentk("run", *FAST, "--steps=5", "--out=done")
    steps = [
        json.loads(row)["step"] for row in (place / "done/metrics.jsonl").read_text().splitlines()
    ]

    assert result.exit_code == 0, result.output
    assert "going on from step 3" in result.stderr
    assert steps == [1, 2, 3, 4, 5]


def test_a_finished_run_says_so_and_keeps_what_it_has(gentk, trained) -> None:
    """Typed again it says that it is finished; with fewer steps also that it has more already."""
    same = gentk("run", *FAST, "--steps=3", "--out=done")
    fewer = gentk("run", *FAST, "--steps=2", "--out=done")

    assert "finished after 3 steps" in same.stderr
    assert "--steps" in same.stderr
    assert {"3", "2", "--out"} <= set(fewer.stderr.split())
    assert same.stdout == fewer.stdout
    assert gentk("run", *FAST, "--steps=3", "--out=done", "--quiet").stderr == ""


def test_a_finished_run_is_told_without_torch(trained, shell) -> None:
    """Nothing is imported that it does not need: the answer is there at once."""
    words = ["gentk", "run", *FAST, "--steps=3", "--out=done"]
    code = (
        f"import sys; sys.argv = {words!r}\nfrom gentk.cli import main\ntry:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\nassert 'torch' not in sys.modules"
    )
    done = shell(code)

    assert done.returncode == 0, done.stderr
    assert "gentk evaluate done" in done.stdout


def test_budgets_of_stages_are_told_and_can_be_typed(gentk) -> None:
    """`--steps` is the run's own: what stages have is said, with the option that shortens them."""
    (Path.cwd() / "two.toml").write_text(
        'data = "digits,limit=64"\ngenerator = "mlp,latent=4"\nloss = "moments"\nbatch = 8\n'
        'extractor = ["stage:first"]\nsteps = 9\n'
        '[stage.first]\nloss = "reconstruction"\nencoder = "mlp,widths=8"\n'
        'generator = "mlp,latent=4"\nbatch = 8\nsteps = 4\n'
    )
    told = gentk("run", "two.toml", "--steps=1", "--out=a")
    typed = gentk("run", "two.toml", "--steps=1", "--stage=first.steps=2", "--out=b")
    steps = [
        json.loads(Path(out, "stages/first/run.json").read_text())["result"]["steps"]
        for out in "ab"
    ]

    assert (told.exit_code, typed.exit_code) == (0, 0), told.output + typed.output
    assert "--stage first.steps=1" in told.stderr
    assert steps == [4, 2]


def test_stages_of_stages_are_named_once(gentk) -> None:
    """What `ae` itself trains first is as long as before; the sentence stands at the very start."""
    small = ["--data=digits,limit=20", "--batch=4", "--reference=4", "--generator=mlp,widths=8"]
    shorter = ["--stage=ae.layer1.steps=2", "--stage=ae.layer2.steps=1"]

    told = gentk("run", "gmmn-ae", "--steps=1", *small, *shorter, "--stage=ae.steps=2").stderr

    assert told.count("--steps is the budget") == 1
    assert "--stage ae.layer1.steps=1 --stage ae.steps=1\n" in told, (
        "what has that budget is left out"
    )


def test_newest_grid_is_named(gentk, trained) -> None:
    """Of the pictures in samples/ the one of the most images seen is named."""
    gentk("sample", "done", "-n", "4")

    shown = gentk("run", *FAST, "--steps=3", "--out=done").stdout

    assert "samples done/samples/000000024.png" in shown


def test_quiet_leaves_stderr_empty(gentk) -> None:
    """With --quiet only the result is printed; files are written as ever."""
    result = gentk("run", *FAST, "--steps=3", "--out=hushed", "--quiet")

    assert (result.exit_code, result.stderr) == (0, "")
    assert len(Path("hushed/metrics.jsonl").read_text().splitlines()) == 3


def test_sample_prints_where_it_went(gentk, trained, tmp_path) -> None:
    """`gentk sample` writes the form that is asked for and prints its path."""
    default = gentk("sample", "done", "-n", "4")
    folder = gentk("sample", "done", "--as", "folder", "-n", "5", "--out", str(tmp_path / "five"))

    assert default.stdout == "done/samples/grid.png\n", default.output
    assert Path("done/samples/grid.png").is_file()
    assert f"{tmp_path / 'five'}\n" == folder.stdout, folder.output
    assert len(list((tmp_path / "five").glob("*.png"))) == 5


def test_the_error_of_a_ratio_holds_that_of_the_floor(gentk, trained) -> None:
    """For fdr = a / b: its relative error is the root of the sum of both relative errors' squares."""
    judge = "timm:tf_efficientnet_lite0,weights=none,first=1"
    words = ("evaluate", "done", "--extractor", judge, "-n", "300", "--floor", "--json")
    printed = json.loads(gentk(*words, "--quiet").stdout)
    by = {(row["subject"], row["name"]): row for row in printed["rows"]}
    ours, real, ratio = by["done", "fd"], by["real images (train)", "fd"], by["done", "fdr"]

    parts = [(row["error"] / row["value"]) ** 2 for row in (ours, real)]
    assert min(parts) > 0
    assert ratio["value"] == pytest.approx(ours["value"] / real["value"])
    assert (ratio["error"] / ratio["value"]) ** 2 == pytest.approx(sum(parts))


def test_evaluate_prints_figures_and_protocol(gentk, trained) -> None:
    """`gentk evaluate` prints one table, or JSON with rows and protocol; progress is on stderr."""
    words = ("evaluate", "done", "--extractor", "pixels", "-n", "16")
    plain = gentk(*words)
    table = json.loads(gentk(*words, "--json", "--quiet").stdout)

    assert plain.exit_code == 0, plain.output
    assert {"rows", "protocol"} == set(table)
    assert {row["metric"] for row in table["rows"]} == {"fd"}
    assert table["rows"][0]["name"] == "fd"
    assert f"{table['rows'][0]['value']:.5g}" in plain.stdout
    assert "16 samples" in plain.stdout
    assert "fingerprint" not in plain.stdout
    assert "samples: 16" in gentk(*words, "--protocol").stdout
    assert "samples: 16/16 images" in plain.stderr


def test_interrupt_keeps_a_checkpoint_to_go_on_from(gentk, place) -> None:
    """Ctrl-C ends a run with code 130, a checkpoint and what to type, which then goes on."""
    out = place / "stopped"
    words = ("run", *FAST, "--threads=1", f"--out={out}")
    process = Forked(place, [*words, "--steps=1000000"], os.environ)
    for _ in range(3000):
        if (out / "metrics.jsonl").exists() and (out / "metrics.jsonl").stat().st_size:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=300)
    steps = int(next((out / "checkpoints").iterdir()).name)

    assert process.returncode == 130
    assert told.splitlines()[-1] == "stopped; type the same command to go on"
    assert "Traceback" not in told
    again = gentk(*words, f"--steps={steps + 2}")
    assert f"going on from step {steps:,}" in again.stderr
    assert f"steps   {steps + 2:,}\n" in again.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["quikstart"],
            "no recipe 'quikstart'; did you mean 'quickstart'? type: gentk list recipe",
        ),
        (["missing.toml"], "recipe 'missing.toml' cannot be read"),
        (["--data=cifar"], "no data 'cifar'; did you mean 'cifar10'"),
        (["--extractor=pixel"], "no extractor 'pixel'; did you mean 'pixels'"),
        (["--generator=resnt"], "no generator 'resnt'; did you mean 'resnet'"),
        (["--generator=moments"], "no generator 'moments'; there is a loss of that name"),
        (["--loss=momnts"], "no loss 'momnts'; did you mean 'moments'"),
        (["--estimator=bach"], "no estimator 'bach'; did you mean 'batch'"),
        (["--observer=progres"], "no observer 'progres'; did you mean 'progress'"),
        (["--optimizer=adm", "--dry-run"], "no optimizer 'adm'; did you mean 'adam'"),
        (["--optimizer=adam,beta=1", "--dry-run"], "has no option 'beta'; did you mean 'betas'"),
        (["--data=folder"], "data 'folder' needs PATH: folder:PATH"),
        (["--data=digits:8"], "data 'digits' takes no argument; type 'digits'"),
        (["--data=digits,sise=8", "--dry-run"], "has no option 'sise'; did you mean 'size'"),
        (["--data=digits,size=big", "--dry-run"], "'size' takes a whole number|none, not 'big'"),
        (["--estimator=batch,lr=1", "--dry-run"], "takes no options, so 'lr' cannot be set"),
        (["--loss=moments,covariance=half", "--dry-run"], "takes diagonal|none|full, not 'half'"),
        (["--loss=moments,unbiased=maybe", "--dry-run"], "takes true|false, not 'maybe'"),
        (["--generator=mlp,width"], "'width' in 'mlp,width' has no value; write KEY=VALUE"),
        (["--loss="], "names no component; write NAME"),
        (["--batch=one"], "--batch takes a whole number, not 'one'; type --batch 64"),
        (["--batch=1"], "--batch takes at least 2, not '1'"),
        (["--decay=slow"], "--decay takes none, linear or cosine, not 'slow'"),
        (["--device=tpu9"], "there is no device 'tpu9'; type --device cpu"),
        (["--steps=none"], "has no budget; add --steps 1000 or --minutes 5"),
    ],
)
def test_bad_requests_are_one_sentence(refused, words, sentence) -> None:
    """A request that cannot be understood is refused in a sentence, code 2, nothing written."""
    assert sentence in refused("run", *words, code=2)


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_unknown_option_is_refused_before_and_when_training(refused, dry) -> None:
    """A dry run refuses what the run itself would refuse."""
    assert "did you mean 'latent'?" in refused("run", "--generator=mlp,latnet=3", *dry, code=2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('los = "moments"\nsteps = 1', "has no key 'los'; did you mean 'loss'"),
        ('loss = "moments"', "has no budget"),
        ("steps = many", "is not TOML"),
        ("batch = 2.5\nsteps = 1", "batch takes a whole number, not 2.5"),
        ("steps = 1\n[phase.generator]\noptimiser = 'sgd'", "phase.generator.optimiser"),
    ],
)
def test_bad_recipe_files_are_one_sentence(refused, tmp_path, text, sentence) -> None:
    """A recipe file with a mistake is refused, naming the key."""
    path = tmp_path / "mine.toml"
    path.write_text(text)

    assert sentence in refused("run", str(path), code=2)


def test_binary_recipe_is_refused(refused, tmp_path) -> None:
    """A file that is no text is no recipe."""
    path = tmp_path / "picture.toml"
    path.write_bytes(b"\xff\xfe\x00")

    assert str(path) in refused("run", str(path), code=2)


def test_folder_of_another_recipe_is_refused(refused, trained) -> None:
    """A run folder holds one run: another recipe there is refused and changes nothing."""
    told = refused("run", *FAST, "--steps=3", "--seed=1", "--out=done", code=1)

    assert "done" in told.split() and "--out" in told


def test_folder_of_other_things_is_refused(refused, place) -> None:
    """A folder with foreign files is not made a run's."""
    (place / "photos").mkdir()
    (place / "photos" / "cat.jpg").touch()

    told = refused("run", *FAST, "--steps=3", "--out=photos", code=1)

    assert "photos" in told.split()


@pytest.mark.parametrize("words", [("sample", "nowhere"), ("sample", ".")])
def test_what_is_no_run_cannot_be_sampled(refused, words) -> None:
    """Sampling from a folder that is no run says so."""
    assert {words[1], "run.json"} <= set(refused(*words, code=1).replace(")", " ").split())


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["nowhere"], 1, "there is no 'nowhere'"),
        (["digits", "--metric=df", "--data=digits"], 2, "no metric 'df'; did you mean 'fd'"),
        (["digits", "-n", "9", "--data=digit"], 2, "no data 'digit'; did you mean 'digits'"),
        (["digits", "-n", "9"], 2, "add --against"),
    ],
)
def test_bad_evaluations_are_one_sentence(refused, words, code, sentence) -> None:
    """What cannot be evaluated is told in a sentence."""
    assert sentence in refused("evaluate", *words, code=code)


def photos(count: int) -> None:
    """Write a folder of small pictures."""
    Path("photos").mkdir()
    draw = np.random.default_rng(0)
    for number in range(count):
        pixels = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"photos/{number}.png")


@pytest.mark.parametrize(
    ("more", "split", "count", "said"),
    [("", "train", 24, "validation=2"), (",validation=4", "validation", 4, "")],
)
def test_what_a_run_on_own_photos_prints_works(gentk, more, split, count, said) -> None:
    """`gentk evaluate` judges against held-out photos, or against all, which is told at the start."""
    photos(24)
    words = ("--extractor=pixels", "--generator=mlp", "--steps=2", "--batch=8", "--ema=none")
    trained = gentk("run", f"--data=folder:photos,size=8{more}", *words)
    command = next(line for line in trained.stdout.splitlines() if "gentk evaluate" in line)
    judged = gentk(*command.split()[1:], "--extractor=pixels", "-n", "16", "--json")
    protocol = json.loads(judged.stdout)["protocol"]

    assert (trained.exit_code, judged.exit_code) == (0, 0), judged.output
    assert ("has no test split" in trained.stderr) == bool(said)
    assert said in trained.stderr
    assert "has no test split" in judged.stderr
    assert (protocol["reference"]["split"], protocol["reference"]["count"]) == (split, count)


def test_images_of_unknown_origin_are_not_said_to_be_untrained(gentk) -> None:
    """Nobody knows in what features the maker of a folder trained; real data by name are nobody's."""
    photos(12)
    judge = ("--against=digits,channels=3", "--extractor=pixels", "-n", "9")
    rows = [
        json.loads(gentk("evaluate", subject, *judge, "--json").stdout)["rows"]
        for subject in ("photos", "digits,channels=3")
    ]

    assert {row["trained_on"] for row in rows[0]} == {None}
    assert {row["trained_on"] for row in rows[1]} == {False}
    assert "unknown" in gentk("evaluate", "photos", *judge).stdout


def test_one_name_for_what_is_compared_with(gentk) -> None:
    """`--against`, as in sweeps; `--data`, its old name, is understood."""
    words = ("evaluate", "digits", "--extractor=pixels", "-n", "9", "--json")
    new, old = (gentk(*words, f"{flag}=digits,split=test") for flag in ("--against", "--data"))

    assert new.exit_code == 0
    assert new.stdout == old.stdout


def test_an_observer_that_fails_is_a_note_without_a_bar(shell) -> None:
    """A run whose observers do not show notices says on stderr which of them failed."""
    code = (
        "import sys\n"
        "from gentk.observers.metrics import MetricsFile\n"
        "def broken(self, event): raise OSError('no space left')\n"
        "MetricsFile.observe = broken\n"
        "import gentk.cli as c\n"
        "sys.argv = 'gentk run --data digits,limit=64 --extractor pixels'.split()\n"
        "sys.argv += '--generator mlp,widths=8 --batch 8 --steps 2'.split()\n"
        "sys.argv += '--observer metrics --out mine'.split()\n"
        "c.main()"
    )
    done = shell(code)

    assert done.returncode == 0, done.stderr
    (note,) = [line for line in done.stderr.splitlines() if "MetricsFile" in line]
    assert note.startswith("note: MetricsFile failed and is dropped (OSError: no space left)")
