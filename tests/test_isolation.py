"""Isolation: whatever is wrong with a plugin, it is a row of a report and nothing else breaks."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import site
import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from gentk.cli.group import cli
from gentk.errors import GentkError, UnknownName
from gentk.first_party import FIRST_PARTY
from gentk.installed import installed
from gentk.plugins import discover
from gentk.registry import Registry
from gentk.version import DISTRIBUTION

HOOK = """
import gentk.spec as gentk

@gentk.hookimpl
def gentk_components({arguments}):
    return {returned}
"""
PART = "gentk.Component(kind={kind!r}, name={name!r}, target={target!r}, summary='x'{more})"


def hook(returned: str, arguments: str = "") -> str:
    """Return a module with a hook."""
    return HOOK.format(returned=returned, arguments=arguments)


def part(kind: str = "loss", name: str = "{name}", target: str = "os:PathLike", more: str = ""):
    """Return a module whose hook offers one component."""
    return hook(f"[{PART.format(kind=kind, name=name, target=target, more=more)}]")


@dataclass(frozen=True)
class Case:
    """A broken plugin and its row.

    Attributes:
        source: The text of its module; None for no module.
        stage: Where it fails.
        reason: What its row says.
        mend: What its row says to do.
        value: What its entry point names, if not its module.
        entry_points: The text of its entry points, if it is not one line.
        files: Further files by path; None is a folder.
        seen: `list`, or `doctor` if only that looks so deep.
        requires: What its metadata ask for.
    """

    source: str | None
    stage: str
    reason: str
    mend: str
    value: str = "{module}"
    entry_points: str = "[gentk]\n{name} = {value}\n"
    files: tuple[tuple[str, str | None], ...] = ()
    seen: str = "list"
    requires: tuple[str, ...] = ()


UPGRADE = "pip install --upgrade {name}"
BOTH = "pip install --upgrade gentk-core {name}: gentk-core"
AGAIN = "pip install --force-reinstall {name}, or pip uninstall {name}"
BLOCK = "GENTK_BLOCK_PLUGINS={name}"
CASES = {
    # It does not import.
    "lacks-dependency": Case(
        "import absent_module", "load", "No module named 'absent_module'", "'absent_module'"
    ),
    "lacks-submodule": Case("import json.absent", "load", "json.absent", "'json.absent'"),
    "older-gentk": Case("from gentk.spec import Absent", "load", "ImportError", BOTH),
    "older-module": Case("import gentk.absent", "load", "gentk.absent", BOTH),
    "others-name": Case(
        "from json import Absent", "load", "ImportError", UPGRADE + ", or another version of json"
    ),
    "lacks-requirement": Case(
        "import absent_module",
        "load",
        "'absent_module'",
        "pip install absent-thing: {name} requires it",
        requires=("gentk-core", "absent-thing>=2", "absent-too; extra == 'test'"),
    ),
    "raises": Case("raise RuntimeError('at import')", "load", "RuntimeError: at import", BLOCK),
    "syntax": Case("def broken(:", "load", "SyntaxError", UPGRADE),
    "exits": Case("raise SystemExit(3)", "load", "SystemExit: 3", BLOCK),
    "quits": Case("import sys\nsys.exit('bye')", "load", "SystemExit: bye", BLOCK),
    "stops": Case(
        "class Stop(BaseException): pass\nraise Stop('for good')", "load", "Stop: for good", BLOCK
    ),
    "recurses": Case("def f(): return f()\nf()", "load", "RecursionError", UPGRADE),
    "unspeakable": Case(
        "class Mute(Exception):\n    def __str__(self): raise ValueError\nraise Mute",
        "load",
        "Mute",
        UPGRADE,
    ),
    "talks-long": Case("raise RuntimeError('a\\n' * 999)", "load", "a a a a", UPGRADE),
    # What is installed is not whole.
    "half-uninstalled": Case(None, "load", "No module named 'half_uninstalled'", AGAIN),
    "emptied": Case(
        None, "load", "has no __init__.py", AGAIN, files=(("emptied/kept.txt", "a user's file"),)
    ),
    "part-gone": Case(part(), "load", "part_gone.hooks", AGAIN, value="{module}.hooks"),
    "garbled": Case(
        part(), "find", "entry points cannot be read", AGAIN[:30], entry_points="[gentk]\nnothing\n"
    ),
    "function-gone": Case(
        "", "load", "has no attribute 'plugin'", UPGRADE, value="{module}:plugin"
    ),
    "no-module": Case(
        "def plugin(): pass", "load", "is not a module", UPGRADE, value="{module}:plugin"
    ),
    "no-name": Case("", "load", "AttributeError", UPGRADE, value="not a name!"),
    # Its hook fails.
    "no-hook": Case("", "collect", "no @hookimpl gentk_components", UPGRADE),
    "hook-raises": Case(hook("1 // 0"), "collect", "ZeroDivisionError", UPGRADE),
    "hook-exits": Case(hook("exit(4)"), "collect", "SystemExit: 4", UPGRADE),
    "hook-asks": Case(hook("[]", "config"), "collect", "config", UPGRADE),
    "newer-field": Case(
        part(more=", colour='red'"),
        "collect",
        "unexpected keyword argument 'colour'",
        "gentk-core {name}",
    ),
    # Its hook returns nonsense.
    "a-number": Case(hook("5"), "collect", "TypeError", UPGRADE),
    "a-text": Case(hook("['moments']"), "check", "a str is not a gentk.spec.Component", UPGRADE),
    "no-repr": Case(
        "class Mute:\n    def __repr__(self): raise ValueError\n" + hook("[Mute()]"),
        "check",
        "a Mute is not",
        UPGRADE,
    ),
    "evil-component": Case(
        "import gentk.spec\nclass Evil(gentk.spec.Component):\n"
        "    def __getattribute__(self, name): raise OSError('no')\n"
        + part().replace("gentk.Component(", "Evil("),
        "collect",
        "OSError: no",
        UPGRADE,
    ),
    "unknown-kind": Case(part(kind="lossy"), "check", "unknown kind 'lossy'", UPGRADE),
    "bad-name": Case(part(name="My_Loss"), "check", "lower-case", UPGRADE),
    "wrong-type": Case(part(more=", hint=3"), "check", "hint has the wrong type", UPGRADE),
    "twice": Case(
        part().replace("[gentk", "2 * [gentk"), "check", "loss 'twice' is declared twice", UPGRADE
    ),
    # Another version's, or somebody else's name.
    "newer-contract": Case(
        part(more=", api=99"), "check", "wants contract 99", "--upgrade gentk-core,"
    ),
    "no-contract": Case(part(more=", api=0"), "check", "wants contract 0", UPGRADE),
    "takes-our-name": Case(part(name="moments"), "check", "belongs to gentk-moments", "{name}"),
    "takes-a-built-in": Case(part("estimator", "batch"), "check", "belongs to gentk", "{name}"),
    # It works, and does what it must not.
    "prints": Case("print('hello,', 'world')" + part(), "load", "prints when it is", BLOCK),
    "slow": Case("import time\ntime.sleep(0.6)" + part(), "load", "to import", BLOCK, seen="slow"),
    # What only its use shows.
    "target-lacks-dependency": Case(
        part(target="{module}.parts:Loss", more=", hint='pip install theirs[gpu]'"),
        "import",
        "No module named 'absent_module'",
        "pip install theirs[gpu]",
        files=(("{module}/parts.py", "print('loud')\nimport absent_module"),),
        seen="doctor",
    ),
    "target-gone": Case(
        part(target="{module}.parts:Loss"), "import", "parts", AGAIN, seen="doctor"
    ),
    "target-of-older-gentk": Case(
        part(target="{module}.parts:Loss", more=", hint='pip install theirs[gpu]'"),
        "import",
        "ImportError",
        BOTH,
        files=(("{module}/parts.py", "from gentk.interfaces import Absent"),),
        seen="doctor",
    ),
    "target-lacks-requirement": Case(
        part(target="{module}.parts:Loss"),
        "import",
        "'absent_module'",
        "pip install absent-thing: {name} requires it",
        files=(("{module}/parts.py", "import absent_module"),),
        requires=("absent-thing",),
        seen="doctor",
    ),
    "target-exits": Case(
        part(target="{module}.parts:Loss"),
        "import",
        "SystemExit: 5",
        UPGRADE,
        files=(("{module}/parts.py", "raise SystemExit(5)"),),
        seen="doctor",
    ),
    # Its recipes.
    "recipe-garbled": Case(
        part(), "recipe", "is not TOML", UPGRADE, files=(("{module}/recipes/r.toml", "summary ="),)
    ),
    "recipe-unreadable": Case(
        part(), "recipe", "directory", UPGRADE, files=(("{module}/recipes/r.toml/x", ""),)
    ),
}
TINY = [
    "--data=digits,limit=64",
    "--extractor=pixels",
    "--generator=mlp,widths=8",
    "--loss=moments",
    "--estimator=batch",
    "--batch=8",
    "--steps=2",
]
"""A run that uses none of them."""
STAGES = {"find", "load", "collect", "check", "import", "recipe"}


def write(folder: Path, name: str, case: Case) -> None:
    """Write a case as an installed distribution."""
    words = {"name": name, "module": name.replace("-", "_")}
    words["value"] = case.value.format(**words)
    files = dict(case.files)
    if case.source is not None:
        source = case.source.replace("{module}", words["module"]).replace("{name}", name)
        files[f"{words['module']}/__init__.py"] = source
    info = f"{words['module']}-1.2.dist-info"
    asked = "".join(f"Requires-Dist: {one}\n" for one in case.requires)
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n{asked}"
    files[f"{info}/METADATA"] = f"{head}\nName: x\n"
    files[f"{info}/entry_points.txt"] = case.entry_points.format(**words)
    for path, text in files.items():
        place = folder / path.format(**words)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text or "", encoding="utf-8")


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """Return a function that installs cases, and one that runs a command beside them in here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))
    packages = tmp_path / "packages"
    packages.mkdir()
    monkeypatch.syspath_prepend(packages)
    before = set(sys.modules)

    def install(*names: str) -> None:
        for name in names:
            write(packages, name, CASES[name])
        importlib.invalidate_caches()

    def forget() -> None:
        for module in set(sys.modules) - before:
            if str(getattr(sys.modules[module], "__file__", "") or "").startswith(str(packages)):
                del sys.modules[module]

    def call(*words: str):
        forget()
        return CliRunner().invoke(cli, words, prog_name="gentk")

    yield install, call
    forget()


def row_of(rows: list[dict[str, str]], name: str) -> dict[str, str]:
    """Return a distribution's only row."""
    (row,) = [row for row in rows if row["distribution"] == name]
    return row


@pytest.mark.parametrize("name", CASES)
def test_a_broken_plugin_is_a_row_and_breaks_nothing(inside, name):
    """List, help and doctor work, and the row has distribution, stage, reason and mend."""
    install, call = inside
    install(name)
    case = CASES[name]

    help_, listed, doctor = call("--help"), call("list", "--json"), call("doctor", "--json")

    table, report = json.loads(listed.stdout), json.loads(doctor.stdout)
    assert (help_.exit_code, listed.exit_code) == (0, 0), listed.output
    assert "Usage: gentk" in help_.stdout
    assert doctor.exit_code == (0 if case.seen == "slow" else 1)
    assert {"moments", "batch", "digits"} <= {row["name"] for row in table["components"]}
    rows = {"list": table["broken"], "doctor": report["broken"], "slow": report["slow"]}
    row = row_of(rows[case.seen], name)
    assert {"distribution", "entry", "stage", "error", "mend"} == set(row)
    assert row["stage"] == case.stage
    assert case.reason in row["error"]
    assert case.mend.format(name=name) in row["mend"]
    assert len(row["error"]) < 400
    assert "\n" not in row["error"]
    if case.seen == "list":
        assert row in report["broken"]


def test_the_cases_fail_in_every_way():
    """There are more than twenty, at every stage."""
    assert len(CASES) >= 20
    assert {case.stage for case in CASES.values()} == STAGES


@pytest.fixture
def outside(tmp_path):
    """Return a function that runs gentk in a process of its own, beside what `packages` holds."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "packages"),
        "GENTK_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }

    def call(*words: str, **more: str):
        command = [sys.executable, "-m", "gentk", *words]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**environment, **more},
        )

    return call


def test_all_of_them_together_break_nothing(outside, tmp_path):
    """Help, list, doctor and a run that uses none of them work beside all of them at once.

    But for `garbled`: torch reads all entry points when it is imported, and does not survive that.
    """
    cases = {name: case for name, case in CASES.items() if name != "garbled"}
    cases["loud"] = Case("import os\nos.system('echo loud')" + part(), "", "", "", seen="never")
    for name, case in cases.items():
        write(tmp_path / "packages", name, case)

    assert outside("--help").returncode == 0
    listed, doctor = outside("list", "--json"), outside("doctor", "--json")
    run = outside("run", *TINY, "--quiet", "--out", "run")

    assert listed.returncode == 0
    broken = {row["distribution"] for row in json.loads(listed.stdout)["broken"]}
    assert broken == {name for name, case in cases.items() if case.seen == "list"}
    assert "loud" in listed.stderr
    assert doctor.returncode == 1
    report = json.loads(doctor.stdout)
    assert {row["distribution"] for row in report["broken"] + report["slow"]} == cases.keys() - {
        "loud"
    }
    assert (run.returncode, run.stderr) == (0, "loud\n"), run.stderr
    assert run.stdout.startswith("folder  run\n")


def test_entry_points_that_torch_does_not_survive_are_told(outside, tmp_path):
    """List and help work, doctor names the plugin and torch and ends as it should."""
    write(tmp_path / "packages", "garbled", CASES["garbled"])

    listed, doctor = outside("list", "--json"), outside("doctor", "--json")

    assert row_of(json.loads(listed.stdout)["broken"], "garbled")["stage"] == "find"
    rows = [row["distribution"] for row in json.loads(doctor.stdout)["broken"]]
    assert (doctor.returncode, rows[0]) == (1, "garbled")
    assert set(rows) <= {"garbled", "torch"}


def test_unreadable_metadata_of_others_is_none_of_our_business(inside, tmp_path):
    """Another distribution's entry points that cannot be parsed or decoded take nothing down."""
    install, call = inside
    for name, text in {
        "theirs": b"[console_scripts]\nno equals sign\n",
        "bytes": b"\xff\xfe",
    }.items():
        info = tmp_path / "packages" / f"{name}-1.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_bytes(text)
    install("prints")
    shutil.rmtree(tmp_path / "packages" / "prints")
    (tmp_path / "packages" / "prints-1.2.dist-info" / "METADATA").unlink()

    listed = call("list", "--json")

    (row,) = json.loads(listed.stdout)["broken"]
    assert (row["distribution"], row["stage"]) == ("prints", "load")
    assert "half uninstalled" in row["mend"]


def test_what_prints_keeps_its_components(inside):
    """Printing is reported, not punished; stdout stays gentk's."""
    install, call = inside
    install("prints")

    listed = call("list", "loss", "prints")

    assert listed.stdout.count("prints") == 2
    assert "hello" not in listed.stdout
    assert "it prints when it is imported: 'hello, world'" in listed.stderr


def test_interruption_passes(inside, monkeypatch, tmp_path):
    """Ctrl-C while a plugin is imported is the user's, not the plugin's."""
    _, call = inside
    case = Case("raise KeyboardInterrupt", "", "", "")
    write(tmp_path / "packages", "interrupted", case)

    with pytest.raises(KeyboardInterrupt):
        discover()
    assert call("list").exit_code == 130


@pytest.mark.parametrize(
    ("variables", "loaded"),
    [
        ({}, ["prints", "slow"]),
        ({"GENTK_PLUGINS": ""}, []),
        ({"GENTK_PLUGINS": "slow"}, ["slow"]),
        ({"GENTK_PLUGINS": "prints, Slow"}, ["prints", "slow"]),
        ({"GENTK_BLOCK_PLUGINS": "prints"}, ["slow"]),
        ({"GENTK_BLOCK_PLUGINS": "prints,slow,absent"}, []),
        ({"GENTK_PLUGINS": "slow,prints", "GENTK_BLOCK_PLUGINS": "slow"}, {"prints"}),
    ],
    ids=str,
)
def test_the_environment_chooses_plugins(inside, monkeypatch, variables, loaded):
    """GENTK_PLUGINS names third parties' plugins that are loaded, GENTK_BLOCK_PLUGINS those not."""
    install, _ = inside
    install("prints", "slow")
    monkeypatch.setattr("time.sleep", lambda _: None)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    found = discover(FIRST_PARTY)

    entries = {row.entry for row in found.loaded if row.distribution in ("prints", "slow")}
    assert entries == set(loaded)
    assert {row.distribution for row in found.broken} == {"prints"}.intersection(loaded)
    assert "gentk-moments" in {row.distribution for row in found.loaded}


def test_own_plugins_can_be_blocked_by_either_name(monkeypatch):
    """Distributions of gentk's own are loaded unless they are blocked, by either name."""
    monkeypatch.setenv("GENTK_BLOCK_PLUGINS", "gentk-moments,mmd")

    kept = {row.distribution for row in discover(FIRST_PARTY).loaded}

    assert not kept & {"gentk-moments", "gentk-mmd"}
    assert "gentk-averages" in kept


@pytest.mark.parametrize(
    "variables",
    [
        {"GENTK_PLUGINS": ""},
        {"GENTK_PLUGINS": DISTRIBUTION},
        {"GENTK_BLOCK_PLUGINS": "builtin,runs,observers,evaluation,families"},
    ],
    ids=str,
)
def test_the_cores_own_parts_are_always_there(monkeypatch, variables):
    """They need not be asked for, and a plugin that is blocked shares no name with them."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    registry = Registry()

    own = {
        (r.component.kind, r.component.name)
        for r in registry.select()
        if r.distribution == DISTRIBUTION
    }
    assert own == {(kind, n) for kind, names in FIRST_PARTY[DISTRIBUTION].items() for n in names}
    assert registry.broken == []


@pytest.mark.parametrize("name", [DISTRIBUTION, "gentk"])
def test_the_core_is_not_blocked_in_silence(monkeypatch, name):
    """Whoever blocks gentk itself is told that it stays."""
    monkeypatch.setenv("GENTK_BLOCK_PLUGINS", name)

    registry = Registry()

    (row,) = registry.broken
    assert (row.distribution, row.stage) == (DISTRIBUTION, "find")
    assert "GENTK_BLOCK_PLUGINS" in row.error
    assert registry.knows("estimator", "batch")


@pytest.mark.parametrize(
    ("entries", "named"),
    [(("runs",), ["extractor run"]), (("builtin", "runs"), ["loss reconstruction"]), (None, [])],
)
def test_a_core_that_is_half_installed_is_named(monkeypatch, entries, named):
    """Entry points that are older than the code, or none at all, are one row that says what to type."""
    rows = [
        (origin, entry)
        for origin, entry in installed()
        if origin.distribution != DISTRIBUTION
        or (entries is not None and origin.entry not in entries)
    ]
    monkeypatch.setattr("gentk.plugins.installed", lambda: rows)

    (row,) = Registry().broken

    assert (row.distribution, row.stage) == (DISTRIBUTION, "find")
    assert all(name in row.error for name in named)
    assert row.mend == f"pip install --force-reinstall {DISTRIBUTION}"


@pytest.mark.parametrize("source", ["raise RuntimeError('no')", "import absent_module", "x = 1"])
def test_a_room_of_the_core_that_does_not_load_is_named(monkeypatch, tmp_path, source):
    """What is broken in the core itself is mended by installing it again, and nothing else breaks."""
    (tmp_path / "broken_room.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    entry = metadata.EntryPoint("runs", "broken_room", "gentk")
    rows = [
        (origin, entry if (origin.distribution, origin.entry) == (DISTRIBUTION, "runs") else other)
        for origin, other in installed()
    ]
    monkeypatch.setattr("gentk.plugins.installed", lambda: rows)
    monkeypatch.delitem(sys.modules, "broken_room", raising=False)

    registry = Registry()

    (row,) = registry.broken
    assert (row.distribution, row.entry) == (DISTRIBUTION, "runs")
    assert row.mend == f"pip install --force-reinstall {DISTRIBUTION}"
    assert registry.knows("estimator", "batch")
    with pytest.raises(UnknownName, match=f"{DISTRIBUTION} is broken .*--force-reinstall"):
        registry.find("extractor", "run")


def test_a_plugin_that_is_asked_for_and_absent_is_a_row(monkeypatch):
    """A slip in GENTK_PLUGINS is told, not obeyed in silence."""
    monkeypatch.setenv("GENTK_PLUGINS", "my-extracter,gentk-moments")

    (row,) = discover(FIRST_PARTY).broken

    assert (row.distribution, row.stage) == ("my-extracter", "find")
    assert "GENTK_PLUGINS names it" in row.error
    assert "pip install my-extracter" in row.mend


@pytest.mark.parametrize("name", ["raises", "takes-our-name", "prints", "recipe-garbled"])
def test_strict_makes_a_broken_plugin_an_error(inside, monkeypatch, name):
    """One sentence, exit code 1; help and doctor still work."""
    install, call = inside
    install(name)
    monkeypatch.setenv("GENTK_STRICT_PLUGINS", "1")

    listed, doctor, help_ = call("list"), call("doctor", "--json"), call("--help")

    assert (listed.exit_code, listed.stdout) == (1, "")
    (line,) = listed.stderr.splitlines()
    assert line.startswith(f"Error: plugin {name}[")
    assert CASES[name].reason in line
    assert "unset GENTK_STRICT_PLUGINS" in line
    assert row_of(json.loads(doctor.stdout)["broken"], name)["stage"] == CASES[name].stage
    assert (doctor.exit_code, help_.exit_code) == (1, 0)


def test_strict_holds_for_runs_and_in_python(inside, monkeypatch):
    """A run, and a registry made by hand, refuse as well; the others are counted."""
    install, call = inside
    install("raises", "exits")
    monkeypatch.setenv("GENTK_STRICT_PLUGINS", "1")

    run = call("run", "--dry-run")

    assert run.exit_code == 1
    assert "plugin exits[exits] is broken (load: SystemExit: 3) (and 1 more" in run.stderr
    with pytest.raises(GentkError, match="is broken"):
        Registry()
    monkeypatch.setenv("GENTK_STRICT_PLUGINS", "0")
    assert Registry().broken


PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "1.2"
dependencies = ["gentk-core", "absent-module"]

[project.entry-points.gentk]
{name} = "{module}"
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A fresh environment that sees what this one has; three broken plugins installed by pip."""
    root = tmp_path_factory.mktemp("real")
    venv.create(root / "env", with_pip=False)
    python = root / "env" / "bin" / "python"
    (packages,) = (root / "env" / "lib").glob("python*/site-packages")
    places = [place for place in site.getsitepackages() if Path(place).is_dir()]
    lines = "".join(f"import site; site.addsitedir({place!r})\n" for place in places)
    (packages / "parent.pth").write_text(lines)
    folders = []
    for name in ("lacks-dependency", "half-uninstalled", "target-lacks-dependency"):
        case, module = CASES[name], name.replace("-", "_")
        folder = root / name
        write(folder, name, case)
        (folder / module).mkdir(exist_ok=True)
        (folder / module / "__init__.py").touch()
        shutil.rmtree(folder / f"{module}-1.2.dist-info")
        (folder / "pyproject.toml").write_text(PROJECT.format(name=name, module=module))
        folders.append(str(folder))
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    clean |= {"OMP_NUM_THREADS": "1", "GENTK_CACHE": str(root / "cache")}
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, *folders], capture_output=True, text=True, check=False, env=clean)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(packages / "half_uninstalled")

    def call(*words: str):
        command = [str(python), "-m", "gentk", *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=root, env=clean
        )

    return call


@pytest.mark.slow
def test_real_installs_that_are_broken_break_nothing(environment):
    """The same for plugins that pip installed: a dependency missing, files gone, a target's missing."""
    listed, doctor = environment("list", "--json"), environment("doctor", "--json")
    run = environment("run", *TINY, "--quiet", "--out", "run")

    assert (listed.returncode, run.returncode, doctor.returncode) == (0, 0, 1)
    assert environment("--help").returncode == 0
    assert "target-lacks-dependency" in {
        row["name"] for row in json.loads(listed.stdout)["components"]
    }
    rows = json.loads(doctor.stdout)["broken"]
    for name in ("lacks-dependency", "half-uninstalled", "target-lacks-dependency"):
        row, case = row_of(rows, name), CASES[name]
        assert row["stage"] == case.stage
        assert case.reason in row["error"]
        # They are installed again from the folder that they came from.
        assert case.mend.format(name=name) in re.sub(r"(?<= )/\S*/", "", row["mend"])


@pytest.mark.parametrize("editable", [True, False])
def test_what_came_from_a_folder_is_corrected_there(inside, tmp_path, editable):
    """No index has another version of it; what was copied from there is installed again."""
    install, call = inside
    install("raises")
    origin = {"url": tmp_path.as_uri(), "dir_info": {"editable": editable}}
    record = tmp_path / "packages" / "raises-1.2.dist-info" / "direct_url.json"
    record.write_text(json.dumps(origin))

    row = row_of(json.loads(call("list", "--json").stdout)["broken"], "raises")

    again = "" if editable else f" and pip install {tmp_path}"
    assert row["mend"].startswith(f"correct it in {tmp_path}{again}, or GENTK_BLOCK_PLUGINS=")
