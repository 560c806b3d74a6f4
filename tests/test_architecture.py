"""The architecture: who may import whom, and what stays out of the listing path."""

from __future__ import annotations

import ast
import graphlib
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "gentk"

# Layer -> modules (or packages) of the core. A module may import its own layer and those in ALLOWED.
LAYERS: dict[str, set[str]] = {
    "contract": {"budget", "errors", "first_party", "printable", "seed", "spec", "version"},
    "files": {"files", "interrupts", "journal", "launch", "toml"},
    "names": {
        "installed",
        "blame",
        "remedy",
        "synonyms",
        "plugins",
        "selection",
        "options",
        "docstring",
        "construction",
        "registry",
        "library",
        "models",
        "recipe",
        "keys",
        "session",
        "overlay",
        "validation",
        "numerals",
    },
    "interfaces": {"interfaces", "events", "prior"},
    "mechanism": {
        "precision",
        "digest",
        "code",
        "summary",
        "data",
        "ranges",
        "limits",
        "layers",
        "codec",
        "feature_space",
        "field",
        "cache",
        "checkpoint",
        "tensors",
        "transfer",
        "statistics",
        "clusters",
        "spectral",
        "grid",
        "markup",
    },
    "parts": {"builtin"},
    "engine": {"engine"},
    "families": {"families"},
    "runs": {"runs"},
    "evaluation": {"evaluation"},
    "sweeps": {"sweeps"},
    "share": {"share"},
    "verbs": {"verbs", "several", "onward", "keywords", "wording"},
    "observers": {"observers"},
    "testing": {"testing"},
    "templates": {"templates"},
    "cli": {"cli", "__main__"},
}
LOW = {"contract", "files", "interfaces", "mechanism"}
ALLOWED: dict[str, set[str]] = {
    "contract": set(),
    "files": {"contract"},
    "names": {"contract", "files"},
    "interfaces": {"contract"},
    "mechanism": {"contract", "files", "interfaces"},
    "parts": LOW,
    "engine": LOW,
    "families": {*LOW, "names", "engine"},
    "runs": {*LOW, "names", "engine", "families"},
    "evaluation": {*LOW, "names", "engine", "families", "runs"},
    "sweeps": {*LOW, "names", "engine", "families", "runs", "evaluation"},
    "share": {*LOW, "names", "engine", "families", "runs", "evaluation", "sweeps"},
    "verbs": {*LOW, "names", "engine", "families", "runs", "evaluation", "sweeps", "share"},
    "observers": LOW,
    "testing": {*LOW, "names", "engine", "families", "runs", "evaluation"},
    "templates": {"contract", "files", "names"},
    "cli": {
        *LOW,
        "names",
        "engine",
        "families",
        "runs",
        "evaluation",
        "sweeps",
        "share",
        "testing",
        "templates",
    },
}
OUTSIDE: dict[str, set[str]] = {
    "torch": {
        "interfaces",
        "mechanism",
        "parts",
        "engine",
        "families",
        "runs",
        "evaluation",
        "sweeps",
        "share",
        "verbs",
        "observers",
        "testing",
    },
    "click": {"cli"},
    "rich": {"cli", "observers"},
    "pluggy": {"contract", "names"},
    "pydantic": {"names", "runs", "evaluation", "sweeps", "cli"},
    "timm": set(),
}


def layer(module: str) -> str:
    """The layer of a module of the core, by its longest matching entry."""
    name = module.removeprefix("gentk.").removeprefix("gentk")
    while name:
        for label, names in LAYERS.items():
            if name in names:
                return label
        name = name.rpartition(".")[0]
    return "root"


def dotted(path: Path) -> str:
    """The name that a file is imported by."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


WRITTEN = re.compile(r"gentk\.[\w.]*(:\w+)?")
"""A text that names a module of the core, or an f-string's part that begins such a name."""


def named(node: ast.AST, package: str) -> str | None:
    """The absolute name of the module that a text names, as targets and `import_module` do.

    Of a name that is put together, it ends in `*`.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if WRITTEN.fullmatch(node.value):
            name = node.value.partition(":")[0]
            return f"{name}*" if name.endswith(".") else name
    elif isinstance(node, ast.Call) and node.args:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        called = node.func.id if isinstance(node.func, ast.Name) else called
        first = node.args[0]
        if called == "import_module" and isinstance(first, ast.Constant):
            text = str(first.value)
            level = len(text) - len(text.lstrip("."))
            return absolute(package, level, text.lstrip("."))
    return None


def absolute(package: str, level: int, module: str) -> str:
    """The absolute name of a module that is named with `level` leading dots."""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], module]).rstrip(".") if level else module


def imports_of(source: str, package: str) -> set[str]:
    """The absolute names of all modules that a text of Python in a package imports.

    Imports in functions and for types count too, and so do modules that are named in a text.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = absolute(package, node.level, node.module or "")
            found.add(module)
            found.update(
                f"{module}.{alias.name}"
                for alias in node.names
                if (ROOT / module.replace(".", "/") / f"{alias.name}.py").exists()
                or (ROOT / module.replace(".", "/") / alias.name).is_dir()
            )
        elif name := named(node, package):
            found.add(name)
    return found


def imports(path: Path) -> set[str]:
    """The absolute names of all modules that a file imports."""
    package = ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])
    return imports_of(path.read_text(encoding="utf-8"), package)


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from ..runs import training", "gentk.runs.training"),
        ("if TYPE_CHECKING:\n    from ..runs.training import run", "gentk.runs.training"),
        ("def f():\n    import gentk.runs.training", "gentk.runs.training"),
        ("TARGET = 'gentk.runs.extractor:RunExtractor'", "gentk.runs.extractor"),
        ("import_module('gentk.runs')", "gentk.runs"),
        ("importlib.import_module('..runs', __package__)", "gentk.runs"),
        ("import_module(f'gentk.cli.{name}')", "gentk.cli.*"),
        ("part(target=f'gentk.{target}')", "gentk.*"),
    ],
)
def test_every_way_to_name_a_module_is_seen(source, module):
    """In functions, for types, and in texts, also where only the beginning of a name stands there."""
    assert module in imports_of(source, "gentk.summary")


def test_prose_is_no_import():
    """A module's name within a sentence imports nothing."""
    prose = "'See gentk.runs.training.'\nx = 'use gentk.errors.BadOption'\ny = 'gentk'"
    assert imports_of(prose, "gentk.summary") == set()


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The names of a closed way through a graph, none if there is no such way."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


@pytest.mark.parametrize(
    ("graph", "size"),
    [
        ({}, 0),
        ({"a": {"b"}, "b": {"c"}}, 0),
        ({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}}, 0),
        ({"a": {"a"}}, 1),
        ({"a": {"b"}, "b": {"a"}}, 2),
        ({"x": {"a"}, "a": {"b"}, "b": {"c"}, "c": {"a"}}, 3),
    ],
)
def test_a_circle_is_a_closed_way(graph, size):
    """A circle is named from one of its members to the same again; a diamond is none."""
    way = circle(graph)

    assert len(way) == (size + 1 if size else 0)
    assert way[:1] == way[-1:]
    assert len(set(way)) == size
    assert all(b in graph[a] or a in graph[b] for a, b in itertools.pairwise(way))


FILES = sorted(CORE.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]
# The package's own names are imported when they are asked for, so that it stands above all it shows.
FACADE = {"gentk"}


def test_no_module_and_no_room_is_in_a_circle():
    """Whatever is imported, for types only or within a function, is imported in one direction."""
    modules: dict[str, set[str]] = {}
    rooms: dict[str, set[str]] = {}
    known = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in FILES
    }
    for path in FILES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        wanted = (imports(path) & known) - FACADE
        # A package that is named beside a module of its own is that module's place, not a neighbour.
        wanted = {n for n in wanted if not any(other.startswith(f"{n}.") for other in wanted)}
        modules[name] = wanted - {name}
        room = ".".join(name.split(".")[:2])
        rooms.setdefault(room, set()).update(".".join(n.split(".")[:2]) for n in wanted)
    assert circle(modules) == []
    assert circle({room: names - {room} for room, names in rooms.items()}) == []


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_module_imports_only_what_its_layer_may(path):
    """Layers import downwards only; click, rich, torch and timm live where they belong."""
    own = layer(dotted(path))
    if own == "root":
        return
    for module in imports(path):
        top = module.partition(".")[0]
        if top == "gentk":
            theirs = layer(module)
            assert not (theirs == "root" and module != "gentk"), f"{module} is in no layer"
            assert theirs in {own, "root"} | ALLOWED[own], f"{own} imports {module} ({theirs})"
        elif top in OUTSIDE:
            assert own in OUTSIDE[top], f"{own} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_files_stay_readable(path):
    """No file of the core exceeds 400 lines, and none is called utils."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert path.stem not in {"utils", "helpers", "misc", "common"}


def holds_family(source: str) -> bool:
    """Say whether a module defines a family."""
    bases = [
        ast.unparse(base).rpartition(".")[2]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    ]
    return "Family" in bases


PLUGINS = sorted((ROOT / "plugins").glob("*/gentk_*/**/*.py"))


@pytest.mark.parametrize("path", PLUGINS, ids=[str(p.relative_to(ROOT)) for p in PLUGINS])
def test_plugins_use_the_public_modules_only(path):
    """A plugin imports gentk's lower layers and `gentk.families`, never runs, cli, or another plugin.

    The engine's steps are for a module that holds a family.
    """
    own = path.relative_to(ROOT / "plugins").parts[1]
    source = path.read_text(encoding="utf-8")
    found = {
        name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or own]
        )
    }
    public = {"gentk.families", *(["gentk.engine"] if holds_family(source) else [])}
    for module in found:
        top = module.partition(".")[0]
        assert not (top.startswith("gentk_") and top != own), module
        if top == "gentk":
            assert module in public or layer(module) in LOW | {"root"}, module


def loaded(*arguments: str) -> set[str]:
    """The top-level modules a command has loaded when it ends."""
    code = (
        "import sys, contextlib, io\n"
        "from gentk.cli import main\n"
        f"sys.argv = ['gentk', *{list(arguments)!r}]\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main()\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("list", "--json"), ("--version",)])
def test_the_listing_path_is_free_of_torch(arguments):
    """`gentk --help` and `gentk list` import neither torch nor timm nor anything as heavy."""
    heavy = {"torch", "timm", "torchvision", "numpy", "sklearn", "pyarrow", "pydantic"}

    assert not loaded(*arguments) & heavy
