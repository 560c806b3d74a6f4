"""`gentk plugin`: what it writes works as written, and what it refuses it refuses in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gentk.first_party import FIRST_PARTY
from gentk.spec import KINDS

ROOT = Path(__file__).parent.parent.parent
FILES = {
    ".github/workflows/ci.yml",
    ".gitignore",
    "LICENSE",
    "README.md",
    "pyproject.toml",
}


def install(folder: Path, site: Path) -> None:
    """Do what an editable install does: metadata with the entry point, and the folder on the path."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head)
    [entry] = project["entry-points"]["gentk"].items()
    (info / "entry_points.txt").write_text(f"[gentk]\n{entry[0]} = {entry[1]}\n")
    (site / entry[1]).symlink_to(folder / entry[1])


@pytest.fixture
def all_kinds(gentk, place: Path, tmp_path: Path) -> Path:
    """Write a plugin of each kind into the working folder, install them, return the site folder."""
    for kind in KINDS:
        result = gentk("plugin", "new", f"my-{kind}", "--kind", kind)
        assert result.exit_code == 0, result.output
        install(place / f"my-{kind}", tmp_path / "site")
    return tmp_path / "site"


@pytest.mark.slow
def test_plugins_of_all_kinds_are_listed_and_well_written(all_kinds, shell, place):
    """As written: `gentk list` shows them, their own tests pass, linter and formatter are content."""
    code = "import sys; sys.argv = ['gentk', 'list', '--json']; from gentk.cli import main; main()"
    listed = json.loads(shell(code, path=all_kinds).stdout)
    shown = {(row["kind"], row["name"]) for row in listed["components"]}
    assert {(kind, f"my-{kind}") for kind in KINDS} <= shown
    assert listed["broken"] == []

    own = [str(place / f"my-{kind}") for kind in KINDS]
    arguments = ["-q", "-p", "no:cacheprovider", "-W", "error", *own]
    run = shell(f"import pytest; raise SystemExit(pytest.main({arguments!r}))", path=all_kinds)
    assert run.returncode == 0, run.stdout[-3000:]

    rules = ["--select", "E,F,W,B,D1,I,UP,RUF", "--ignore", "D107"]
    for path in own:
        for verb in (["check", *rules], ["format", "--diff"]):
            ruff = [sys.executable, "-m", "ruff", *verb, "--isolated", "--line-length", "100", "."]
            done = subprocess.run(ruff, capture_output=True, text=True, check=False, cwd=path)
            assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_new_writes_a_whole_distribution(gentk, place, kind):
    """All files are there, no field is left open, and the next commands are said."""
    result = gentk("plugin", "new", f"my-{kind}", "--kind", kind)
    folder = place / f"my-{kind}"
    files = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}

    package = f"my_{kind}"
    own = {f"{package}/{name}" for name in ("__init__.py", "py.typed", f"{kind}.py")}
    assert files.keys() == FILES | own | {f"tests/test_{kind}.py"}
    assert not [name for name, text in files.items() if "{{" in text.replace("${{", "")]
    assert files["LICENSE"] == (ROOT / "LICENSE").read_text()
    assert f"pip install -e ./my-{kind}\n" in result.stdout
    assert f"gentk plugin check {kind} my-{kind}\n" in result.stdout
    assert sorted(place.iterdir()) == [folder], "nothing else is left behind"


def test_a_prefixed_distribution_has_a_short_component(gentk, place):
    """gentk-edges offers `edges`; the folder is the one that was asked for."""
    folder = place / "a place" / "edges"
    result = gentk("plugin", "new", "gentk-edges", "--kind", "extractor", "--out", str(folder))

    assert result.exit_code == 0, result.output
    assert 'name="edges"' in (folder / "gentk_edges" / "__init__.py").read_text()
    assert "class EdgesExtractor(Extractor)" in (folder / "gentk_edges/extractor.py").read_text()
    assert f"pip install -e '{folder}'" in result.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["My_Thing", "--kind", "loss"], "type: gentk plugin new my-thing --kind loss"),
        (["3d", "--kind", "loss"], "type: gentk plugin new my-3d --kind loss"),
        (["moments", "--kind", "loss"], "belongs to gentk-moments"),
        (["gentk-timm", "--kind", "loss"], "belongs to gentk-timm"),
        (["class", "--kind", "loss"], "a word of Python's own; type: gentk plugin new my-class"),
        (["json", "--kind", "data"], "a word of Python's own; type: gentk plugin new my-json"),
        (["torch", "--kind", "data"], "installed already; type: gentk plugin new my-torch"),
        (["matching", "--kind", "loss"], "would make a class MatchingLoss, which gentk has"),
        (["extractor", "--kind", "extractor"], "would make a class Extractor, which gentk has"),
        (["mine", "--kind", "los"], "no kind 'los'; did you mean 'loss'?"),
        (["mine", "--kind", "losses"], "no kind 'losses'; did you mean 'loss'?"),
        (["mine", "--kind", "recipe"], "type: gentk run mine.toml"),
        (["mine", "--kind", "recipe"], "folder recipes"),
        (["mine", "--kind", "model"], "type: gentk export RUN --to FOLDER"),
        (["mine"], "missing option '--kind'; add --kind TEXT; type: gentk plugin new --help"),
    ],
)
def test_names_that_cannot_be_are_refused(refused, words, sentence):
    """In one sentence, with what to type, and nothing is written."""
    assert sentence in refused("plugin", "new", *words, code=2)


def test_no_first_party_name_can_be_taken(refused):
    """Nobody starts a plugin whose component would be refused by the registry."""
    for owner, kinds in FIRST_PARTY.items():
        for kind, names in kinds.items():
            assert f"belongs to {owner}" in refused(
                "plugin", "new", names[0], "--kind", kind, code=2
            )


def test_a_folder_with_something_in_it_is_left_alone(refused, place):
    """A folder that is not empty, or a file, is refused."""
    (place / "mine").mkdir()
    (place / "mine" / "thesis.txt").write_text("all of it")
    (place / "file").write_text("")

    assert "not empty" in refused("plugin", "new", "mine", "--kind", "loss", code=2)
    words = ("plugin", "new", "mine", "--kind", "loss", "--out", "file")
    assert "not empty" in refused(*words, code=2)


def test_an_empty_folder_is_filled(gentk, place):
    """A folder that is there and empty will do."""
    (place / "mine").mkdir()

    assert gentk("plugin", "new", "mine", "--kind", "loss").exit_code == 0
    assert (place / "mine" / "mine" / "loss.py").exists()


def test_nothing_half_written_is_left(refused, place, monkeypatch):
    """When the disk is full at the last moment, neither the folder nor a part of it stays."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gentk.files.writing.os.replace", full)

    assert "cannot be written" in refused("plugin", "new", "mine", "--kind", "loss", code=1)


def test_plugin_alone_prints_its_help(gentk):
    """Both verbs are named."""
    result = gentk("plugin")

    assert result.exit_code == 0
    assert "gentk plugin new my-extractor" in result.stdout
    assert all(f"\n  {verb} " in result.stdout for verb in ("new", "check"))


def test_new_imports_no_torch(shell):
    """Writing a plugin is there at once."""
    code = (
        "import sys; sys.argv = 'gentk plugin new mine --kind loss'.split()\n"
        "from gentk.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print({'torch', 'numpy', 'pydantic'} & set(sys.modules))"
    )

    assert shell(code).stdout.splitlines()[-1] == "set()"


def test_check_says_what_passed(gentk):
    """A good component: a line for each check, exit code 0."""
    result = gentk("plugin", "check", "pixels,range=signed")

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len([line for line in lines if line.startswith("passed  ")]) >= 20
    assert lines[-1].startswith("all ") and lines[-1].endswith("extractor pixels,range=signed")


def test_several_are_checked_in_one_process(gentk):
    """A report of each, in the order typed, one typed twice once; kinds are found or given for all."""
    result = gentk("plugin", "check", "pixels", "batch", "pixels")
    assert result.exit_code == 0, result.output
    reports = [line for line in result.stdout.splitlines() if "checks passed: " in line]
    assert [line.partition(": ")[2] for line in reports] == ["extractor pixels", "estimator batch"]
    assert result.stdout.splitlines()[-1] == "all 2 components passed"

    result = gentk("plugin", "check", "estimator", "batch", "ama,seeding=8")
    assert result.exit_code == 0, result.output
    assert "checks passed: estimator ama,seeding=8" in result.stdout


WRONG = """
import gentk.spec as gentk
{first}

@gentk.hookimpl
def gentk_components():
    return [gentk.Component(kind="observer", name="wrong", target="wrong.observer:Wrong",
                            summary="it is wrong")]
"""


def test_check_says_what_failed_and_why(shell, tmp_path):
    """A wrong one: what failed, why, exit code 1; what it prints does not come in between.

    The one after it is checked all the same, and the last line says which failed.
    """
    package = tmp_path / "site" / "wrong"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(WRONG.format(first=""))
    (package / "observer.py").write_text(
        "from gentk.interfaces import Observer\n"
        "class Wrong(Observer):\n"
        "    '''It prints.'''\n"
        "    def observe(self, event):\n"
        "        print('LOUD', type(event).__name__)\n"
    )
    info = tmp_path / "site" / "wrong-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wrong\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[gentk]\nwrong = wrong\n")
    code = (
        "import sys; sys.argv = 'gentk plugin check wrong metrics'.split()\n"
        "from gentk.cli import main; main()"
    )

    done = shell(code, path=tmp_path / "site")

    assert done.returncode == 1, done.stderr
    failed = [line for line in done.stdout.splitlines() if line.startswith("failed  ")]
    assert len(failed) == 1 and "stderr" in failed[0]
    assert "test_it_leaves_stdout_alone: it prints 'LOUD RunStarted" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("LOUD")]
    assert "checks failed: observer wrong" in done.stdout
    assert "checks passed: observer metrics" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 of 2 components failed: observer wrong"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["mlp"], "have a 'mlp'; type: gentk plugin check encoder mlp"),
        (["pixles"], "did you mean 'pixels'"),
        (["quickstart"], "is a recipe"),
        (["loss:moments"], "type: gentk plugin check loss moments"),
        (["generator", "pixels"], "there is an extractor of that name"),
        (["extractors", "pixels"], "no kind 'extractors'; did you mean 'extractor'?"),
        (["pixels,range=wide"], "option 'range' takes signed|unit"),
        (["folder"], "needs PATH"),
        (["pixels", "ama", "momnts"], "did you mean 'moments'"),
        (["pixels", "mlp"], "have a 'mlp'; type: gentk plugin check encoder mlp"),
        (["generator", "mlp", "pixels"], "there is an extractor of that name"),
        (["pixels", "ama,seeding=some"], "option 'seeding'"),
        ([], "missing argument '[KIND] SPEC...'; type: gentk plugin check --help"),
    ],
)
def test_what_cannot_be_checked_is_refused(refused, words, sentence):
    """In one sentence, before any check."""
    assert sentence in refused("plugin", "check", *words, code=2)


def test_data_that_are_not_there_are_told_once(refused):
    """A source whose files are missing is one sentence, not a list of failed checks."""
    assert "does not exist" in refused("plugin", "check", "folder:nowhere", code=1)
