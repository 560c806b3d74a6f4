"""gentk from Python: verbs, values, faces in notebooks, and a user's script under mypy."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import traceback
import types
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gentk
from gentk.errors import (
    GentkError,
    Incompatible,
    ObserverWarning,
    RunError,
    UnknownName,
    UsageError,
)
from gentk.interfaces import Observer
from gentk.interrupts import Stopped
from gentk.keys import KEYS
from gentk.recipe import Recipe
from gentk.registry import Registry
from gentk.runs import history

EXAMPLE = Path(__file__).parents[1] / "examples" / "sweep.toml"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two finished runs that differ in their seed, judged in pixels."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENTK_CACHE", str(folder / "cache"))
        both = [
            gentk.run(
                data="digits,limit=64",
                extractor="pixels",
                generator="mlp,latent=4,widths=8",
                batch=8,
                steps=20,
                seed=seed,
                device="cpu",
                out=folder / f"seed{seed}",
                observer=["metrics", "grids"],
            )
            for seed in (0, 1)
        ]
        for one in both:
            one.evaluate(extractors="pixels", count=16)
        yield both


def well_formed(text):
    """The texts of an HTML fragment all of whose elements are closed."""

    class Reader(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.texts = [], []

        def handle_starttag(self, tag, attributes):
            if tag != "img":
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

        def handle_data(self, data):
            self.texts.append(data)

    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    return " ".join(reader.texts)


def test_the_keywords_are_the_keys_of_recipes():
    """Every key of a recipe is a typed keyword, and nothing else is."""
    assert set(gentk.RecipeKeys.__annotations__) == set(Recipe.model_fields) == set(KEYS)
    assert set(gentk.OverKeys.__annotations__) < set(KEYS)


SCRIPT = """\
from pathlib import Path

import torch

import gentk

settings: gentk.RecipeKeys = {"data": "digits", "extractor": ["pixels"], "minutes": 1.5}
composition = gentk.compose("gfmn", **settings)
shape: tuple[int, ...] = tuple(composition.images.shape)

run: gentk.Run = gentk.run("gfmn", batch=32, steps=100, ema="none", out=Path("runs/mine"))
photos, network = torch.rand(64, 3, 32, 32), torch.nn.Linear(8, 3072)
mine = gentk.run(data=photos, generator=network, loss=gentk.own(max, name="mine"))
losses = run.metrics["loss"]
best: float = float(losses.min())
run.plot("loss").savefig("loss.png")

gentk.export(run, "models/mine", form="onnx")
gentk.report([run, "runs/other"], out="report.html")
again = gentk.load("runs/mine", generator=network)
images = gentk.sample(again, 64, seed=1)
gentk.tile(images, columns=8).save("images.png")

evaluation = again.evaluate(metrics=["fd", "kid"], count=1000)
other = gentk.evaluate(again, against="cifar10", sanity=True)
value: float = evaluation["fd"].value
comparison: gentk.Comparison = gentk.compare([run, "runs/other"])
sweep: gentk.SweepOutcome = gentk.sweep("gfmn", {"estimator": ["batch", "ama"]}, minutes=1)
folders = [row.folder for row in sweep.rows if row.failed is None]
print(shape, best, value, other, comparison, folders)
"""
MISSPELT = {
    "": "",
    "steps=100": "step=100",
    "batch=32": "batch='32'",
    '"minutes"': '"minuts"',
    "count=1000": "cuont=1000",
    "gentk.compare(": "gentk.comprae(",
    "generator=network, loss": "genrator=network, loss",
    "data=photos": "dta=photos",
    'evaluation["fd"].value': 'evaluation["fd"].valeu',
    '"estimator":': '"estimater":',
    "minutes=1)": "minuets=1)",
    "row.folder": "row.foldr",
    "seed=1)": "sed=1)",
    'form="onnx"': 'fomr="onnx"',
    '"models/mine", form="onnx"': '"models/mine", form="onxn"',
    'out="report.html"': 'ot="report.html"',
    "sanity=True": "santiy=True",
}


def test_a_misspelt_option_fails_under_mypy(tmp_path):
    """A user's script passes `mypy --strict`; with one slip it fails, on the slip's line alone."""
    assert len(SCRIPT.splitlines()) <= 31
    for index, (right, wrong) in enumerate(MISSPELT.items()):
        text = SCRIPT.replace(right, wrong, 1) if right else SCRIPT
        (tmp_path / f"script{index}.py").write_text(text)
    # What the script is checked against is gentk: half a minute of torch's own types decides nothing.
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\n[mypy-torch.*,torchvision.*]\nfollow_imports = skip\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "."],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )

    complaints = [line for line in done.stdout.splitlines() if ": error:" in line]
    lines = SCRIPT.splitlines()
    slips = {
        (f"script{index}.py", 1 + next(i for i, line in enumerate(lines) if right in line))
        for index, right in enumerate(MISSPELT)
        if right
    }
    places = {(line.split(":")[0], int(line.split(":")[1])) for line in complaints}
    assert places == slips, done.stdout + done.stderr


def test_the_package_lists_its_names_and_imports_nothing_heavy():
    """`dir(gentk)` completes every verb without torch; a misspelt name is none."""
    code = (
        "import sys, gentk\n"
        "assert set(gentk.__all__) <= set(dir(gentk))\n"
        "assert {'run', 'evaluate', 'compare', 'sample'} <= set(dir(gentk))\n"
        "assert {n for n in dir(gentk) if n[:2] != '__'} <= set(gentk.__all__)\n"
        "assert gentk.RecipeKeys and gentk.OverKeys and gentk.GentkError\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not set(done.stdout.split()) & {"torch", "numpy", "pydantic", "timm"}
    assert all(getattr(gentk, name) is not None for name in gentk.__all__)
    with pytest.raises(AttributeError, match="evalute"):
        _ = gentk.evalute


def test_what_a_run_logged_is_a_table(runs):
    """A row a step, the columns as arrays, what the file holds."""
    table = runs[0].metrics

    assert table.rows == len(table["step"]) == 20
    assert table["step"].dtype == np.int64
    assert table["step"].tolist() == list(range(1, 21))
    assert table["images"].tolist() == list(range(8, 168, 8))
    assert table["loss"].dtype == np.float64
    assert table["loss"][-1] == pytest.approx(runs[0].result["loss"], rel=1e-12)
    assert set(table) >= {"step", "images", "loss"}
    with pytest.raises(KeyError, match=r"'los'.*'loss'"):
        table["los"]
    assert "20 rows" in repr(table)
    shown = well_formed(table._repr_html_())
    assert "20" in shown
    assert "…" in shown


def test_a_table_has_a_gap_where_a_row_has_no_value(tmp_path):
    """What is missing or was not finite is NaN; a file that is no log is refused by name."""
    path = tmp_path / "metrics.jsonl"
    assert history.read(path).rows == 0
    path.write_text('{"step": 1, "loss": null}\n{"step": 2, "loss": 3, "extra": 0.5}\n')
    table = history.read(path)

    assert table["step"].tolist() == [1, 2]
    np.testing.assert_array_equal(table["loss"], [np.nan, 3])
    np.testing.assert_array_equal(table["extra"], [np.nan, 0.5])
    path.write_text("no log\n")
    with pytest.raises(RunError, match=r"metrics\.jsonl"):
        history.read(path)


def test_a_data_frame_needs_pandas(runs):
    """With pandas the columns are a frame's, without it a sentence says what to install."""
    try:
        import pandas  # noqa: F401
    except ImportError:
        with pytest.raises(RunError, match="pip install pandas"):
            runs[0].metrics.to_pandas()
    else:
        frame = runs[0].metrics.to_pandas()
        assert frame.index.tolist() == list(range(1, 21))
        assert frame["loss"].tolist() == runs[0].metrics["loss"].tolist()


def test_a_plot_has_a_panel_a_column(runs, monkeypatch):
    """All columns or those that are named, in the order of the steps; a PNG in a notebook."""
    figure = runs[0].plot("loss")
    (line,) = figure.axes[0].lines
    np.testing.assert_array_equal(line.get_xdata(), runs[0].metrics["step"])
    np.testing.assert_array_equal(line.get_ydata(), runs[0].metrics["loss"])
    assert len(runs[0].plot().axes) == len(runs[0].metrics) - 2
    assert Image.open(io.BytesIO(figure._repr_png_())).width > 100
    with pytest.raises(RunError, match="'loss'"):
        runs[0].plot("los")
    monkeypatch.delitem(sys.modules, "gentk.runs.plot")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(RunError, match="pip install matplotlib"):
        runs[0].plot()


def test_evaluate_takes_a_run_or_its_folder_and_keeps_the_values(runs, tmp_path):
    """The same values by object, by path and by method, and those that `compare` then finds."""
    first = gentk.evaluate(runs[0], extractors="pixels", count=16)
    second = gentk.evaluate(runs[0].folder.path, extractors=["pixels"], count=16)
    third = runs[0].evaluate(extractors="pixels", count=16, metrics="fd")

    values = [one["fd"].value for one in (first, second, third)]
    assert values[0] == values[1] == values[2]
    assert gentk.compare(runs).cells
    with pytest.raises(UnknownName, match=r"'fdd'.*'fd'"):
        first["fdd"]
    for named in ("kid", "fd", ["fd"]):
        with pytest.raises(UsageError, match="standard"):
            runs[0].evaluate(standard=True, metrics=named)


def test_evaluate_says_what_was_left_out(runs):
    """What the command prints as notes is kept with the values."""
    evaluation = gentk.evaluate(
        "digits,limit=12,split=train", against="digits,split=test", extractors="pixels", count=16
    )

    assert any("12 images" in note for note in evaluation.notes)
    assert all(note in well_formed(evaluation._repr_html_()) for note in evaluation.notes)


def test_compare_makes_seeds_one_row(runs):
    """Runs by object and by folder; the mean is that of both."""
    comparison = gentk.compare([runs[0], runs[1].folder.path])
    values = [gentk.evaluate(run, extractors="pixels", count=16)["fd"].value for run in runs]
    column = next(column for column in comparison.columns if column.name == "fd")

    assert list(comparison.groups) == ["gfmn"]
    assert comparison.cells["gfmn", column].mean == pytest.approx(sum(values) / 2, rel=1e-12)
    assert "gfmn" in str(comparison)
    with pytest.raises(UsageError, match="compare"):
        gentk.compare([])


def test_a_sweep_makes_and_judges_every_combination(tmp_path, own_cache, monkeypatch):
    """Names and objects; a row a trial with what `evaluate` measures of its run, made once."""
    monkeypatch.chdir(tmp_path)

    def means(real, fake):
        return sum((real[k].mean(0) - fake[k].mean(0)).square().sum() for k in real)

    common = {
        "data": "digits,limit=64",
        "generator": "mlp,latent=4,widths=8",
        "batch": 8,
        "steps": 3,
        "device": "cpu",
        "observer": [],
    }
    over = {
        "loss": ["moments", gentk.own(means, name="means")],
        "estimator": ["batch"],
        "extractor": ["pixels", ["pixels", "pixels,weight=2"]],
    }
    told = []
    outcome = gentk.sweep(
        "gfmn",
        over,
        seeds=[3, 4],
        judges="pixels",
        count=16,
        advance=lambda *what: told.append(what),
        **common,
    )

    names = {row.name for row in outcome.rows}
    assert [row.seed for row in outcome.rows] == [3, 3, 4, 4]
    assert names == set(outcome.comparison.groups)
    assert any("means" in name for name in names)
    assert all("weight" in why and "--" not in why for why in outcome.refused.values())
    assert len(outcome.refused) == 2
    for row in outcome.rows[:2]:
        run = gentk.load(row.folder, loss=over["loss"][1] if "means" in row.name else None)
        assert run.result["steps"] == 3
        again = gentk.evaluate(run, extractors="pixels", count=16, ratio=False)
        assert row.measurements[0].value == again["fd"].value
    assert {what for what, _, _ in told} >= {f"{row.name}, seed {row.seed}" for row in outcome.rows}
    before = [path.stat().st_mtime_ns for path in sorted(outcome.folder.rglob("*.json"))]
    same = gentk.sweep("gfmn", over, seeds=[3, 4], judges="pixels", count=16, **common)
    assert same == outcome
    assert [path.stat().st_mtime_ns for path in sorted(outcome.folder.rglob("*.json"))] == before
    assert "\n" not in repr(outcome)
    assert "2 refused" in repr(outcome)
    assert all(name in well_formed(outcome._repr_html_()) for name in names)


def test_a_sweep_of_python_is_that_of_the_command(tmp_path, monkeypatch):
    """The same folder and the same keys, so that one goes on where the other stopped; files too."""
    from gentk.sweeps.factorial import factorial

    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr("gentk.several.finish", lambda sweep, making: seen.append(sweep))
    gentk.sweep(
        over={"batch": [8, 16], "estimator": ["batch"]}, seeds=2, steps=4, judges="pixels", count=9
    )
    plan = seen[0].trials[0].plans[0]
    typed = factorial(
        None,
        {"steps": 4},
        {"batch": ["8", "16"], "estimator": ["batch"]},
        Registry(),
        seeds=[0, 1],
        plan=plan,
    )

    assert plan.extractors == ("pixels",)
    assert seen[0].out == typed.out
    assert [trial.key for trial in seen[0].trials] == [trial.key for trial in typed.trials]
    gentk.sweep(EXAMPLE, only="kernels", seeds=[0], out="elsewhere")
    assert {trial.tries for trial in seen[1].trials} == {"kernels"}, "its settings are chosen first"
    assert str(seen[-1].out) == "elsewhere"


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("minutes|steps", lambda: gentk.sweep(over={"steps": [1, 2]})),
        ("'estimator'", lambda: gentk.sweep(over={"estimater": ["ama"]})),
        ("'mmd'", lambda: gentk.sweep(over={"loss": "mmd"})),
        ("over=", lambda: gentk.sweep("gfmn", steps=3)),
        ("seeds=3", lambda: gentk.sweep(over={"seed": [0, 1]})),
        ("seeds=1", lambda: gentk.sweep(over={"loss": ["mmd"]}, seeds=0)),
        ("drop seed", lambda: gentk.sweep(over={"loss": ["mmd"]}, seeds=[1, 2], seed=5)),
        ("rows=", lambda: gentk.sweep(over={"loss": ["mmd"]}, rows="no/rows.jsonl")),
        ("batch", lambda: gentk.sweep(EXAMPLE, batch=3)),
        ("count", lambda: gentk.sweep(EXAMPLE, count=3)),
        ("kernels", lambda: gentk.sweep(EXAMPLE, only="kernel")),
        ("only", lambda: gentk.sweep(over={"loss": ["mmd"]}, only="a")),
        ("drop over", lambda: gentk.sweep(EXAMPLE, {"loss": ["mmd"]})),
    ],
)
def test_a_sweep_that_cannot_be_is_a_sentence_of_python(tmp_path, monkeypatch, words, call):
    """It names what to write; nothing is left in the folder."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words) as caught:
        call()

    assert "--" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_sample_is_the_runs_own(runs):
    """By object and by folder; same seed, same images, in [0, 1]."""
    images = gentk.sample(runs[0], 5, seed=3)

    assert torch.equal(images, gentk.sample(runs[0].folder.path, 5, seed=3))
    assert torch.equal(images, runs[0].sample(5, seed=3))
    assert 0 <= images.min() <= images.max() <= 1
    assert type(images) is torch.Tensor


def test_a_runs_module_and_its_samples_agree_on_range(runs, tmp_path, own_cache):
    """What the generator makes is in its `range`; in [0, 1] it is what `images` returns."""
    signed = gentk.run(
        data="digits,limit=64",
        extractor="pixels",
        generator="mlp,latent=4,widths=8,output=tanh",
        batch=8,
        steps=1,
        device="cpu",
        out=tmp_path / "signed",
        observer=[],
    )
    for run, expected in ((runs[0], "unit"), (signed, "signed")):
        latents = run.latents(4)
        with torch.no_grad():
            made = run.generator(latents)
        units = made if expected == "unit" else (made + 1) / 2
        assert run.generator.range == expected
        torch.testing.assert_close(units, torch.cat(list(run.images(latents))))


@pytest.mark.parametrize(
    "latents",
    [
        torch.zeros(3, 5),
        torch.zeros(4),
        torch.zeros(3, 4, dtype=torch.int64),
        3,
        "x",
        np.zeros((3, 4)),
    ],
    ids=["width", "no rows", "whole numbers", "a number", "text", "an array"],
)
def test_images_are_of_latents(runs, latents):
    """What is no latents of the run's prior is said at once, not when the first chunk is asked for."""
    with pytest.raises(Incompatible, match=r"\(N, 4\)"):
        runs[0].images(latents)


def test_images_of_latents_in_any_precision(runs):
    """Float64 is taken for what it is worth; no latents are no images."""
    latents = runs[0].latents(3)
    (wide,), (same,) = runs[0].images(latents.double()), runs[0].images(latents)

    assert torch.equal(wide, same)
    assert [len(part) for part in runs[0].images(latents[:0])] in ([], [0])


@pytest.mark.parametrize(
    "call",
    [
        lambda run: gentk.run("gfmn", registry=3),
        lambda run: gentk.load(run.folder.path, registry=[]),
        lambda run: gentk.evaluate(run, registry="moments"),
        lambda run: gentk.evaluate("digits", registry=0),
        lambda run: gentk.report([run], registry=object()),
        lambda run: gentk.sweep("gfmn", registry=3),
    ],
)
def test_a_registry_is_one(runs, call):
    """Whatever else is given as one is refused by every verb alike."""
    with pytest.raises(UsageError, match=r"registry.*Registry"):
        call(runs[0])


@pytest.mark.parametrize("subject", [3, None, "digits", Path("photos"), 0.5, True])
def test_own_takes_objects(subject):
    """Names, paths and numbers are none: they are given as they are."""
    with pytest.raises(UsageError, match=r"own\(\)"):
        gentk.own(subject, size=32)


def test_everything_has_a_face_in_a_notebook(runs):
    """HTML that is well formed and says what matters, pictures that open, one line for reprs."""
    run = runs[0]
    evaluation = run.evaluate(extractors="pixels", count=16, sanity=True)
    comparison = gentk.compare(runs)

    assert str(run.folder.path) in repr(run)
    assert "20 steps" in repr(run)
    assert "mlp,latent=4" in well_formed(run._repr_html_())
    assert "data:image/png;base64," in run._repr_html_()
    assert Image.open(io.BytesIO(run._repr_png_())).width > 100
    shown = well_formed(evaluation._repr_html_())
    assert all(f"{m.value:.4g}" in shown and m.subject in shown for m in evaluation.measurements)
    assert len(str(evaluation).splitlines()) == len(evaluation.measurements)
    assert f"{evaluation['fd'].value:.4g}" in well_formed(evaluation["fd"]._repr_html_())
    assert "gfmn" in well_formed(comparison._repr_html_())
    assert gentk.tile(run.sample(9), columns=3)._repr_png_()
    for value in (run, evaluation, evaluation["fd"], comparison, run.metrics):
        assert "\n" not in repr(value)
    assert f"{evaluation['fd'].value:.4g}" in repr(evaluation)
    assert "gfmn" in repr(comparison)


def test_a_run_is_shown_by_one_face_that_holds_its_picture_once(runs, monkeypatch):
    """A notebook keeps what is shown: the page, with the picture in it, and no picture beside it."""
    shown = []
    module = types.ModuleType("IPython.display")
    module.display = lambda data, raw: shown.append((data, raw))
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    runs[0]._ipython_display_()

    ((data, raw),) = shown
    assert raw
    assert set(data) == {"text/plain", "text/html"}
    assert data["text/html"].count("data:image/png") == 1


def test_an_observer_that_fails_is_said_where_no_bar_is(tmp_path, own_cache):
    """A run of Python with observers of its own warns, by the observer's name."""

    class Broken(Observer):
        def observe(self, event):
            raise OSError("no space left")

    with pytest.warns(ObserverWarning, match="Broken failed and is dropped .*no space left"):
        run = gentk.run(
            data="digits,limit=64",
            extractor="pixels",
            generator="mlp,latent=4,widths=8",
            batch=8,
            steps=2,
            device="cpu",
            out=tmp_path / "run",
            observers=[Broken()],
        )
    assert run.steps == 2


def test_a_face_escapes_what_it_shows(runs, tmp_path):
    """A name with angle brackets is text."""
    from gentk.markup import caption, rows_of

    assert "<script>" not in rows_of(["<script>"], [["<script>"]], "<script>") + caption("<script>")


def test_a_composition_is_one_line():
    """Its recipe, parts and data, not the networks' layers."""
    composition = gentk.compose(
        data="digits,limit=64",
        extractor="pixels",
        generator="mlp,latent=4,widths=8",
        device="cpu",
        steps=1,
    )
    text = repr(composition)

    assert "\n" not in text
    assert len(text) < 300
    assert all(part in text for part in ("gfmn", "mlp,latent=4", "moments", "64 images"))


def test_an_error_in_a_notebook_is_its_sentence():
    """IPython shows what `_render_traceback_` returns in place of a traceback."""
    with pytest.raises(GentkError) as caught:
        gentk.compose("gfmn", loss="momnts")
    lines = caught.value._render_traceback_()

    assert "".join(lines) == f"{type(caught.value).__name__}: {caught.value}"
    assert len("".join(lines)) < 400
    assert len("".join(traceback.format_exception(caught.value))) > len("".join(lines))
    (line,) = Stopped(signal.SIGINT)._render_traceback_()
    assert "SIGINT" in line


WRONG = {
    "'los'.*'loss'": lambda run: run.metrics["los"],
    "'kid'": lambda run: run.evaluate(extractors="pixels", count=16)["kid"],
    "-1": lambda run: gentk.sample(run, -1),
    "'x'": lambda run: gentk.sample(run, "x"),
    "2.5": lambda run: run.latents(2.5),
    "int is no run": lambda run: gentk.sample(3),
    "seed.*'a'": lambda run: gentk.sample(run, seed="a"),
    "gentk run --out FOLDER, or ls": lambda run: gentk.sample("nowhere"),
    "threads.*0": lambda run: gentk.evaluate(run, threads=0),
    "int names nothing": lambda run: gentk.evaluate(run, metrics=4),
    "list is no run": lambda run: gentk.export([run], "x"),
    "to is a path": lambda run: gentk.export(run, 4),
    "out is a path": lambda run: gentk.report(run, 4),
    "over is a dict": lambda run: gentk.sweep("gfmn", ["loss"]),
    "'estimater'.*'estimator'": lambda run: gentk.sweep("gfmn", {"estimater": ["batch"]}),
    "int is no folder": lambda run: gentk.load(4),
    "'generatr'.*'generator'": lambda run: gentk.load(run.folder.path, generatr=3),
    "observers are.*int": lambda run: gentk.run(observers=[3]),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_argument_of_a_verb_is_a_sentence(runs, words):
    """Of the wrong type, out of range, misspelt: what is wrong, and what to write."""
    with pytest.raises(GentkError, match=words) as caught:
        WRONG[words](runs[0])

    assert ";" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not str(caught.value).startswith(("'", '"'))
