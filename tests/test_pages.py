"""README and tutorials: their commands are run as they stand, offline, with tiny budgets."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from gentk.cli.group import cli

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
TINY = {"--steps": "2", "--minutes": "0.02", "-n": "8", "--batch": "20", "--seeds": "1"}
"""What stands in the place of a budget."""
PIXELS = ("--extractor", "pixels", "--data", "digits,size=32,limit=60", "--generator", "mlp")
AFTER = {
    "--extractor": "pixels",
    "--estimator": "ema,seeding=16",
    "--observer": "evaluate,every=1,extractor=pixels,count=8,quiet=true",
}
"""What stands in the place of the features and judges of a post-training."""
TOOLS = ("pip", "make", "export")
STAND_INS = {
    "mnist": "digits,size=28,limit=60",
    "cifar10": "digits,size=32,channels=3,limit=60",
    "parquet:": "digits,size=32,channels=3,limit=60",
}
"""How data begin that are not here -> what stands in their place."""
STAGES = [f"--stage={name}.steps=2" for name in ("ae", "ae.layer1", "ae.layer2")]


def blocks(page: str) -> list[tuple[str, str]]:
    """The code blocks of a page: (language, text)."""
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def commands(page: str) -> list[tuple[str, str]]:
    """The command lines of a page, each with what is said of it."""
    shown = [text.replace("\\\n", " ") for form, text in blocks(page) if form == "sh"]
    lines = [line for text in shown for line in text.splitlines()]
    parts = [line.partition(" #") for line in lines if line.strip()]
    return [(command.strip(), comment.strip()) for command, _, comment in parts]


def tiny(words: list[str], run: str) -> list[str]:
    """A command with a tiny budget; RUN is a run that is there."""
    words = [run if word == "RUN" else word for word in words]
    for place, word in enumerate(words[:-1]):
        if word in TINY and not (word == "--batch" and int(words[place + 1]) > 100):
            words[place + 1] = TINY[word]
        if word == "--data":
            words[place + 1] = words[place + 1].replace("validation=500", "validation=10")
            data = [small for head, small in STAND_INS.items() if words[place + 1].startswith(head)]
            words[place + 1 : place + 2] = data or [words[place + 1]]
    if words[:2] == ["run", "gmmn-ae"]:
        words = [*(word for word in words if not re.match("--stage|.*steps=", word)), *STAGES]
    if words[0] == "run" and words[1] in ("gfmn-cifar10-cpu", "gfmn-classes-cifar10-cpu"):
        words += ["--extractor", "pixels"]
    if words[1:2] and words[1].endswith(".toml"):
        return [*words, "--print"]  # What it runs is run by the tests of sweeps.
    if words[0] in ("run", "sweep") and "--dry-run" not in words:
        words += [] if {"--steps", "--minutes"} & set(words) else ["--steps", "2"]
    if "--init" in words:
        words += [word for row in AFTER.items() if row[0] not in words for word in row]
    if words[:2] == ["run", "quickstart"]:
        words += ["--extractor", "pixels", "--generator", "mlp,classes=10"]
        words += [] if "--data" in words else ["--data", "digits,size=32,limit=60"]
    elif words[0] == "run" and "--data" not in words and len(words) < 5:
        words += PIXELS
    if words[0] == "sweep" and "--generator" not in words:
        words += ["--generator", "mlp"]
    if words[0] in ("sweep", "evaluate"):
        words += [] if "--extractor" in words else ["--extractor", "pixels"]
        words += [] if "-n" in words else ["-n", "8"]
    return words


@pytest.fixture
def place(tmp_path, monkeypatch, own_cache, one_thread) -> Path:
    """A folder with photos, and the checkout's examples."""
    (tmp_path / "photos").mkdir()
    draw = np.random.default_rng(0)
    for number in range(24):
        pixels = draw.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENTK_OFFLINE", "1")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "run"),
    [
        ("README.md", "runs/photos"),
        ("docs/own-photos.md", "runs/first"),
        ("docs/conditional.md", "runs/classes"),
        ("docs/evaluation.md", ""),
        ("docs/post-training.md", ""),
        ("docs/claims.md", ""),
        ("docs/own-loss.md", ""),
        ("docs/own-parts.md", ""),
        ("docs/gallery.md", ""),
    ],
)
def test_a_page_works_from_top_to_bottom(place, page, run):
    """Every command that does not say what it needs succeeds, in the order of the page."""
    ran = 0
    for command, comment in commands(page):
        if command.startswith(TOOLS) or "needs" in comment:
            continue
        first, *words = shlex.split(command)
        assert first == "gentk", command
        done = CliRunner().invoke(cli, tiny(words, run), prog_name="gentk")
        assert done.exit_code == 0, f"{command}\n{shlex.join(tiny(words, run))}\n{done.output}"
        assert "refused" not in done.output, f"{command}\n{done.output}"
        ran += 1
    assert ran >= 1
    names: dict[str, object] = {}
    for form, text in blocks(page):
        if form == "python" and page != "README.md":
            exec(compile(text, page, "exec"), names)


@pytest.mark.slow
def test_own_parts_are_tested_as_their_page_says(place):
    """The suites run on classes that a file registers, and pass on those of the page."""
    written = [text for form, text in blocks("docs/own-parts.md") if form == "python"]
    parts = [text for text in written if "gentk.run(" not in text and "Suite" not in text]
    (suites,) = [text for text in written if "Suite" in text]
    (place / "parts.py").write_text("\n".join(parts))
    (place / "test_parts.py").write_text(f"from parts import *\n{suites}")
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_parts.py"]
    done = subprocess.run(line, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None and int(passed[1]) > 40


@pytest.mark.parametrize("page", ["README.md", "docs/claims.md", "docs/gallery.md"])
def test_what_a_page_does_not_run_says_what_it_needs(page):
    """And names parts that exist: as a dry run it succeeds, without data or weights."""
    needing = [c for c, comment in commands(page) if "needs" in comment]
    assert needing
    for command in needing:
        words = [*shlex.split(command)[1:], "--dry-run"]
        done = CliRunner().invoke(cli, words, prog_name="gentk")
        assert done.exit_code == 0, f"{command}\n{done.output}"


def expectations() -> list[str]:
    """The commands in the last column of the table of expectations."""
    text = (ROOT / "docs/expectations.md").read_text(encoding="utf-8")
    return [row.split(" | ")[-1].strip(" |`") for row in text.splitlines() if "`gentk " in row]


@pytest.mark.parametrize("command", expectations())
def test_what_is_expected_of_other_tools_is_shown(place, command):
    """Each command succeeds; those on a run are those of README, which are run there."""
    if " RUN" in command:
        known = [" ".join(c.split()[:2]) for c, _ in commands("README.md")]
        assert " ".join(command.split()[:2]) in known
        return
    done = CliRunner().invoke(cli, shlex.split(command)[1:], prog_name="gentk")
    assert done.exit_code == 0, done.output


def module_of(path: str):
    """A script of the checkout, imported."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_quoted_is_what_the_rows_say():
    """README and pages hold what docs/quotes.py would write into them."""
    module = module_of("docs/quotes.py")
    texts = module.texts()

    assert {path.name for path in texts} >= {"README.md", "choosing.md", "citing.md"}
    wrong = [path.name for path, text in texts.items() if text != path.read_text(encoding="utf-8")]
    assert not wrong, f"{wrong} quote what the rows do not say; type: make docs-reference"


def test_times_in_summaries_are_those_of_rows():
    """What `gentk list recipe` says of minutes was measured, and the page is what its rows render to."""
    from gentk.library import Library

    quotes = module_of("docs/quotes.py")
    script = quotes.quickstart()
    summaries = {row.name: row.summary for row in Library([]).rows()}

    assert f"in {script.span(script.rows())} on two CPU cores" in summaries["quickstart"]
    assert f"{quotes.curve_minutes()} minutes of one CPU core" in summaries["gfmn-cifar10-cpu"]
    page = ROOT / "docs" / "results" / "quickstart.md"
    assert page.read_text(encoding="utf-8") == script.render(script.rows())


def test_budgets_in_summaries_are_those_of_recipes():
    """Steps are what the recipe says, and no other summary has a time, which no row would hold."""
    from gentk.library import Library
    from gentk.registry import Registry

    library = Library(Registry().modules)
    summaries = {row.name: row.summary for row in library.rows()}
    timed = {name for name, text in summaries.items() if re.search(r"\b(minute|hour)s?\b", text)}
    counted = {
        name: m[1] for name, s in summaries.items() if (m := re.search(r"([\d,]+) steps", s))
    }

    assert timed == {"quickstart", "gfmn-cifar10-cpu"}
    assert len(counted) >= 10
    for name, steps in counted.items():
        assert int(steps.replace(",", "")) == library.read(name)[1]["steps"], name


@pytest.mark.parametrize(
    ("seconds", "said"), [((140, 150), "2 minutes"), ((140, 410), "2 to 7 minutes")]
)
def test_a_span_has_the_fastest_and_the_slowest(seconds, said):
    """In whole minutes; machines that agree are one figure."""
    script = module_of("docs/quotes.py").quickstart()

    assert script.span([{"whole": each} for each in seconds]) == said


def test_a_quotation_that_was_changed_by_hand_shows():
    """One digit is enough."""
    module = module_of("docs/quotes.py")
    page = ROOT / "docs" / "choosing.md"
    text = page.read_text(encoding="utf-8")
    changed = re.sub(r"\*\* \((\d)", lambda m: f"** ({(int(m[1]) + 1) % 10}", text, count=1)

    assert changed != text
    assert module.quoted(changed, page.parent) == text


def test_methods_are_recipes_that_exist():
    """Whatever README's table of methods calls a recipe is one."""
    from gentk.library import Library
    from gentk.registry import Registry

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("<!-- quote methods -->")[1].split("<!-- end -->")[0]
    named = set(re.findall(r"\| `([\w-]+)` \|", table))
    assert len(named) >= 6
    assert named <= {row.name for row in Library(Registry().modules).rows()}
