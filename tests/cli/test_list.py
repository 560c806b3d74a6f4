"""`gentk list`: components, recipes, and what is broken."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gentk.library import LISTED
from gentk.spec import KINDS

HOOK = """
import gentk.spec as gentk

@gentk.hookimpl
def gentk_components():
    return [{components}]
"""
PART = (
    "gentk.Component(kind={kind!r}, name={name!r}, summary='a {name}', "
    "target='nowhere:Thing'{more})"
)


def part(kind: str = "loss", name: str = "thing", more: str = "") -> str:
    """Return the source of a module that offers one component."""
    return HOOK.format(components=PART.format(kind=kind, name=name, more=more))


@pytest.fixture
def fake(tmp_path: Path):
    """Return a function that writes an installed distribution with one entry point."""
    site = tmp_path / "site"

    def write(name: str, source: str, recipe: str | None = None) -> Path:
        module = name.replace("-", "_")
        (site / module).mkdir(parents=True)
        (site / module / "__init__.py").write_text(source)
        if recipe is not None:
            (site / module / "recipes").mkdir()
            (site / module / "recipes" / f"{name}.toml").write_text(recipe)
        info = site / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[gentk]\n{name} = {module}\n")
        return site

    return write


@pytest.fixture
def listed(shell):
    """Return a function that runs `gentk list WORDS` with the packages of a folder."""

    def call(site: Path, *words: str, **environment: str):
        code = (
            f"import sys; sys.argv = ['gentk', 'list', *{words!r}]; import gentk.cli as c; c.main()"
        )
        done = shell(code, path=site, **environment)
        assert done.returncode == 0, done.stderr
        return done

    return call


def test_list_is_grouped_by_kind(gentk) -> None:
    """Without a kind all components are listed in the order of kinds, then recipes and models."""
    result = gentk("list")
    rows = [line.split() for line in result.stdout.splitlines() if line[0] != " "]
    kinds = list(dict.fromkeys(row[0] for row in rows[1:]))

    assert (result.exit_code, result.stderr) == (0, "")
    assert rows[0] == ["kind", "name", "summary", "distribution"]
    assert kinds == [*KINDS, *LISTED]
    assert ["data", "folder:PATH"] in [row[:2] for row in rows]


def test_json_has_exactly_its_keys(gentk) -> None:
    """The JSON is a contract: its keys are these, and names are bare."""
    table = json.loads(gentk("list", "--json").stdout)
    names = {(row["kind"], row["name"]): row for row in table["components"]}

    assert {"api", "components", "recipes", "models", "broken"} == set(table)
    assert table["api"] == 1
    assert all(
        {"kind", "name", "argument", "summary", "distribution", "version"} == set(row)
        for row in table["components"]
    )
    assert all({"name", "summary", "distribution"} == set(row) for row in table["recipes"])
    assert all(
        {"name", "summary", "distribution", "data", "image", "bytes"} == set(row)
        for row in table["models"]
    )
    assert names["data", "folder"]["argument"] == "PATH"
    assert names["extractor", "pixels"]["distribution"] == "gentk-core"
    assert {"quickstart", "gfmn-cifar10"} <= {row["name"] for row in table["recipes"]}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("data", "*mnist"), ["fashion-mnist", "mnist"]),
        (("data", "mnist"), ["fashion-mnist", "mnist"]),
        (("data", "[mn]*t"), ["mnist"]),
        (("recipe", "quick*"), ["quickstart"]),
    ],
)
def test_patterns_choose_names(gentk, words, names) -> None:
    """A pattern is a glob, or a part of the name."""
    table = json.loads(gentk("list", *words, "--json").stdout)

    assert names == [row["name"] for row in table["components"] + table["recipes"]]


def test_models_are_listed_as_they_are_typed(gentk) -> None:
    """Each with its data, size and distribution; a pattern chooses, with or without `model:`."""
    header, *rows = gentk("list", "model").stdout.splitlines()
    table = json.loads(gentk("list", "model", "--json").stdout)

    assert header.split() == ["name", "summary", "data", "distribution"]
    assert {"model:digits", "model:mnist", "model:cifar10"} <= {row.split()[0] for row in rows}
    first = [row for row in rows if row.startswith("model:")]
    assert all(" x 32 x 32" in row and "gentk-models" in row for row in first)
    assert "\n".join(rows).count(" MB") == len(first) == len(table["models"])
    assert table["components"] == table["recipes"] == []
    (digits,) = [row for row in table["models"] if row["name"] == "digits"]
    assert (digits["data"], digits["image"]) == ("digits,size=32", [1, 32, 32])
    assert 1e5 < digits["bytes"] < 1e7
    for pattern in ("mni*", "model:mnist", "nist"):
        assert [
            r["name"]
            for r in json.loads(gentk("list", "model", pattern, "--json").stdout)["models"]
        ] == ["mnist"]


def test_a_damaged_model_takes_nothing_down(fake, listed, shell) -> None:
    """A model whose record is no JSON is told with how to mend it; asked for, it is one sentence."""
    site = fake("painter", part())
    (site / "painter" / "models" / "torn").mkdir(parents=True)
    (site / "painter" / "models" / "torn" / "config.json").write_text("{")

    table = json.loads(listed(site, "--json").stdout)
    code = "import sys; sys.argv = ['gentk', 'show', 'model:torn']; import gentk.cli as c; c.main()"
    asked = shell(code, path=site)

    assert [(row["distribution"], row["stage"]) for row in table["broken"]] == [
        ("painter", "model")
    ]
    assert "thing" in [row["name"] for row in table["components"]]
    assert asked.returncode == 1
    assert len(asked.stderr.splitlines()) == 1
    assert "pip install --force-reinstall painter" in asked.stderr


def test_no_match_is_said(gentk) -> None:
    """A list of nothing says so on stderr and prints nothing."""
    result = gentk("list", "loss", "zzz")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "no loss matches 'zzz'; type: gentk list" in result.stderr


def test_unknown_kind_is_refused(refused) -> None:
    """An unknown kind is refused with a close one."""
    assert "no kind 'extractors'; did you mean 'extractor'?" in refused(
        "list", "extractors", code=2
    )


@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("loss:moments", "gentk list loss moments"),
        ("extractor:timm:vgg*", "gentk list extractor 'timm:vgg*'"),
        ("critic:", "gentk list critic"),
        ("timm:vgg*", "gentk list extractor 'timm:vgg*'"),
    ],
)
def test_a_kind_and_a_name_in_one_word_are_told_apart(refused, word, command) -> None:
    """KIND:NAME is answered with the two words that are meant."""
    assert refused("list", word, code=2).endswith(f"type: {command}")


def test_good_distribution_is_listed_with_its_recipe(fake, listed) -> None:
    """A third party's component and recipe stand in the list without being imported."""
    site = fake("good", part(), recipe='summary = "theirs"')

    table = json.loads(listed(site, "--json").stdout)

    assert {
        "kind": "loss",
        "name": "thing",
        "argument": None,
        "summary": "a thing",
        "distribution": "good",
        "version": "1.2",
    } in table["components"]
    assert {"name": "good", "summary": "theirs", "distribution": "good"} in table["recipes"]
    assert table["broken"] == []


def test_variants_are_listed_by_pattern(fake, listed) -> None:
    """`NAME:PATTERN` lists the arguments that match, from the component's own function."""
    source = part(more=", argument='X', variants='good:known'")
    site = fake("good", source + "\ndef known():\n    return ['abc', 'abd', 'xyz']\n")

    table = json.loads(listed(site, "loss", "thing:ab*", "--json").stdout)
    plain = listed(site, "loss", "thing:yz").stdout

    assert [(row["name"], row["argument"]) for row in table["components"]] == [
        ("thing", "abc"),
        ("thing", "abd"),
    ]
    assert "thing:xyz" in plain
    assert "thing:abc" not in plain


def test_networks_of_timm_are_listed_by_pattern(gentk) -> None:
    """`timm:PATTERN` lists timm's own names, with and without the tag of their weights."""
    table = json.loads(gentk("list", "extractor", "timm:vgg19*", "--json").stdout)

    assert {"timm"} == {row["name"] for row in table["components"]}
    assert {"vgg19", "vgg19.tv_in1k", "vgg19_bn"} <= {
        row["argument"] for row in table["components"]
    }


BROKEN = {
    "missing-import": ("import absent_module", "load", "absent_module"),
    "raising-import": ("raise RuntimeError('at import')", "load", "RuntimeError: at import"),
    "exiting-import": ("raise SystemExit(3)", "load", "SystemExit: 3"),
    "wrong-signature": (
        "import gentk.spec as gentk\n@gentk.hookimpl\ndef gentk_components(config): return []",
        "collect",
        "config",
    ),
    "raising-hook": (
        "import gentk.spec as gentk\n@gentk.hookimpl\ndef gentk_components(): return 1 // 0",
        "collect",
        "ZeroDivisionError",
    ),
    "no-hook": ("", "collect", "no @hookimpl gentk_components"),
    "no-list": (
        "import gentk.spec as gentk\n@gentk.hookimpl\ndef gentk_components(): return 5",
        "collect",
        "TypeError",
    ),
    "no-component": (HOOK.format(components="'moments'"), "check", "not a gentk.spec.Component"),
    "bad-kind": (part(kind="lossy"), "check", "unknown kind 'lossy'"),
    "bad-name": (part(name="My_Loss"), "check", "lower-case"),
    "bad-target": (part().replace("nowhere:Thing", "nowhere.Thing"), "check", "module:attribute"),
    "too-new": (part(more=", api=99"), "check", "wants contract 99"),
    "takes-our-name": (part(name="moments"), "check", "belongs to gentk-moments"),
    "takes-a-built-in": (part(kind="estimator", name="batch"), "check", "belongs to gentk"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_plugin_takes_nothing_down(fake, listed, name) -> None:
    """Whatever is wrong with a plugin, it is told with stage and mend, and all others work."""
    source, stage, error = BROKEN[name]
    fake("good", part(name="sound"))
    site = fake(name, source)

    done = listed(site, "--json")
    table = json.loads(done.stdout)
    names = {(row["kind"], row["name"]): row["distribution"] for row in table["components"]}

    assert [(name, stage)] == [(row["distribution"], row["stage"]) for row in table["broken"]]
    assert error in table["broken"][0]["error"]
    assert name in table["broken"][0]["mend"] or "absent_module" in table["broken"][0]["mend"]
    assert {"distribution", "entry", "stage", "error", "mend"} == set(table["broken"][0])
    assert names["loss", "sound"] == "good"
    assert names["loss", "moments"] == "gentk-moments"
    assert names["estimator", "batch"] == "gentk-core"


def test_broken_plugins_go_to_stderr(fake, listed) -> None:
    """The plain list keeps stdout clean: one line a broken plugin on stderr."""
    fake("bad", "import absent_module")
    site = fake("worse", "")

    done = listed(site)

    assert [
        line.partition(": ModuleNotFound")[0].partition(": TypeError")[0]
        for line in done.stderr.splitlines()
    ] == ["broken: bad[bad] (load)", "broken: worse[worse] (collect)"]
    assert "the missing module 'absent_module'" in done.stderr
    assert "bad" not in done.stdout


def test_blocked_plugin_is_left_out(fake, listed) -> None:
    """GENTK_BLOCK_PLUGINS leaves a plugin out altogether."""
    site = fake("bad", "import absent_module")

    table = json.loads(listed(site, "--json", GENTK_BLOCK_PLUGINS="bad").stdout)

    assert table["broken"] == []


def test_of_two_rivals_neither_gets_the_name(fake, listed, shell) -> None:
    """A name that two third parties offer is nobody's; asking for it names both."""
    fake("first", part())
    site = fake("second", part())

    table = json.loads(listed(site, "--json").stdout)
    code = (
        "import sys; sys.argv = ['gentk', 'show', 'loss', 'thing']; import gentk.cli as c; c.main()"
    )
    asked = shell(code, path=site)

    assert "thing" not in [row["name"] for row in table["components"]]
    assert "first and second both offer it" in table["broken"][0]["error"]
    assert asked.returncode == 2
    assert "loss 'thing' is offered by first and second; pip uninstall one" in asked.stderr


def test_broken_recipe_takes_nothing_down(fake, listed) -> None:
    """A plugin's recipe that is not TOML is told; its components and all other recipes stay."""
    site = fake("messy", part(), recipe="summary = ")

    table = json.loads(listed(site, "--json").stdout)

    assert [(b["distribution"], b["stage"]) for b in table["broken"]] == [("messy", "recipe")]
    assert "quickstart" in [row["name"] for row in table["recipes"]]
    assert "thing" in [row["name"] for row in table["components"]]


def test_doctor_names_what_is_broken(fake, shell) -> None:
    """`gentk doctor` ends with 1, naming the plugin and the component that does not import."""
    fake("bad", "import absent_module")
    site = fake("hollow", part())
    code = "import sys; sys.argv = ['gentk', 'doctor']; import gentk.cli as c; c.main()"

    done = shell(code, path=site)

    assert done.returncode == 1
    assert "broken: bad[bad] (load): ModuleNotFoundError" in done.stderr
    assert "broken: hollow[loss thing] (import): ModuleNotFoundError" in done.stderr
    assert "hollow: 1.2, components: 1" in done.stdout


def test_a_list_leaves_room_for_what_works_offline(capsys, monkeypatch) -> None:
    """On a terminal of 80 columns distributions give way, so that names and places stay whole."""
    from gentk.cli.list import _echo
    from gentk.registry import Registry

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    registry = Registry()
    rows = [(part, part.component.argument) for part in registry.select("extractor")]
    said: dict[int, str] = {}
    for width in (80, 140):
        monkeypatch.setenv("COLUMNS", str(width))
        _echo(rows, [], [], registry)
        said[width] = capsys.readouterr().out

    assert "distribution" not in said[80]
    assert "distribution" in said[140]
    assert "works offline" in said[80]
    assert "scattering-lite" in said[80]
    assert max(len(line.rstrip()) for line in said[80].splitlines() if "\x1b" not in line) <= 80
