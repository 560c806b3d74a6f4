"""The versioned interfaces: what plugins stand on and `gentk list --json` are what they were."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from gentk import spec
from gentk.cli.group import cli
from gentk.plugins import Broken

SNAPSHOTS = Path(__file__).parent / "snapshots"
WRITE = "GENTK_WRITE_SNAPSHOTS"
ROOT = Path(__file__).parent.parent
PINNED: dict[str, tuple[str, ...]] = {
    "data": ("ArrayRecords", "Minibatches", "Records"),
    "data.permutation": (),
    "digest": (),
    "engine": (
        "Adversarial",
        "Collapse",
        "Contest",
        "Discrepancy",
        "Draws",
        "Part",
        "Players",
        "Turn",
        "check_summary",
        "summarises",
    ),
    "errors": (),
    "events": (),
    "families": (),
    "feature_space": (),
    "field": (),
    "files": ("open_regular", "regular"),
    "interfaces": (),
    "layers": (),
    "limits": (),
    "precision": (),
    "prior": (),
    "ranges": ("to_range",),
    "seed": (),
    "spectral": ("normalised",),
    "summary": (),
    "testing": (),
    "transfer": (),
}
"""Modules of gentk that plugins import besides `gentk.spec` -> the names that are pinned; () for all."""


def contract() -> dict[str, object]:
    """The hook, the component and the names of `gentk.spec`."""
    hooks = {
        name: str(inspect.signature(member))
        for name, member in vars(spec.Hooks).items()
        if not name.startswith("__")
    }
    component = {
        part.name: part.type if part.default is MISSING else f"{part.type} = {part.default!r}"
        for part in fields(spec.Component)
    }
    return {
        "api": spec.API,
        "entry-point group": spec.PROJECT,
        "names": sorted(spec.__all__),
        "kinds": list(spec.KINDS),
        "component": component,
        "hooks": hooks,
    }


def modules() -> dict[str, object]:
    """What the pinned names of the modules that plugins import take and hold."""
    return {
        f"gentk.{name}": {
            public: described(getattr(module, public)) for public in names or sorted(module.__all__)
        }
        for name, names in PINNED.items()
        for module in [import_module(f"gentk.{name}")]
    }


def described(value: object) -> object:
    """A function's signature; a class's bases, attributes and methods; of anything else its text."""
    if inspect.isfunction(value):
        return signature(value)
    if not inspect.isclass(value) or not value.__module__.startswith("gentk."):
        return text(value)
    annotated = inspect.get_annotations(value)
    members = {
        name: getattr(kind, "__forward_arg__", None) or str(kind)
        for name, kind in annotated.items()
        if not name.startswith("_")
    }
    for name, member in vars(value).items():
        if name == "__init__" and getattr(value, "_is_protocol", False):
            continue
        if name.startswith(("_", "test_")) and name != "__init__":
            continue
        if isinstance(member, property):
            members[name] = f"property {signature(member.fget)}"
        elif isinstance(member, classmethod | staticmethod):
            members[name] = f"{type(member).__name__} {signature(member.__func__)}"
        elif inspect.isfunction(member):
            abstract = "abstract " if getattr(member, "__isabstractmethod__", False) else ""
            members[name] = abstract + signature(member)
        elif name in annotated and not inspect.isdatadescriptor(member):
            members[name] += f" = {text(member)}"
    bases = [base.__name__ for base in value.__bases__ if base is not object]
    return {"bases": bases, **{name: members[name] for name in sorted(members)}}


def text(value: object) -> str:
    """The text of a value that is the same in every process: sets in order, classes by name."""
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(repr, value)))}}}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {text(each)}' for key, each in value.items())}}}"
    return value.__name__ if inspect.isclass(value) else repr(value)


class Written(str):
    """An annotation as it is written, without quotes."""

    def __repr__(self) -> str:
        return str(self)


def signature(function) -> str:
    """A function's signature as it is written."""
    own = inspect.signature(function)
    parameters = [
        part.replace(annotation=Written(part.annotation))
        if isinstance(part.annotation, str)
        else part
        for part in own.parameters.values()
    ]
    returned = own.return_annotation
    if isinstance(returned, str):
        returned = Written(returned)
    return str(own.replace(parameters=parameters, return_annotation=returned))


def listing() -> dict[str, object]:
    """The shape of `gentk list --json`: the keys, and the types that their values take."""
    result = CliRunner().invoke(cli, ["list", "--json"], prog_name="gentk")
    table = json.loads(result.stdout)
    table["broken"] = table["broken"] or [vars(Broken("a", "b", "load", "c", "d"))]
    shape: dict[str, object] = {"api": table["api"]}
    for part in ("components", "recipes", "models", "broken"):
        keys: dict[str, set[str]] = {}
        for row in table[part]:
            for key, value in row.items():
                keys.setdefault(key, set()).add(type(value).__name__)
        shape[part] = {key: sorted(types) for key, types in keys.items()}
    assert set(table) == set(shape)
    return shape


@pytest.mark.parametrize("interface", [contract, modules, listing])
def test_a_versioned_interface_is_what_it_was(interface):
    """What others rely on changes on purpose only, and then together with its version."""
    path = SNAPSHOTS / f"{interface.__name__}.json"
    now = json.dumps(interface(), indent=2) + "\n"
    if os.environ.get(WRITE):
        path.write_text(now, encoding="utf-8")

    assert now == path.read_text(encoding="utf-8"), (
        f"{path.name} differs: an interface that others rely on has changed. Is that meant? If what "
        "was written for the old one no longer works, raise gentk.spec.API. Write it into CHANGELOG.md, "
        f"then type: {WRITE}=1 pytest tests/test_contract.py"
    )


def test_all_that_plugins_import_is_pinned():
    """By our own plugins, the example and what `gentk plugin new` writes."""
    folders = [*ROOT.glob("plugins/*/gentk_*"), *ROOT.glob("examples/*/gentk_*")]
    sources = [path for folder in folders for path in folder.rglob("*.py")]
    templates = [*(ROOT / "gentk/templates").glob("*/*.py.tmpl")]
    assert len(sources) > 50 < len(templates) * 10
    imported = {name for path in [*sources, *templates] for name in imports(path)}
    pinned = {
        f"gentk.{module}.{name}"
        for module, names in PINNED.items()
        for name in names or import_module(f"gentk.{module}").__all__
    }

    assert imported - pinned == set()


def imports(path: Path) -> set[str]:
    """The names that a module imports from modules of gentk, `gentk.spec` aside."""
    source = re.sub(r"{{(\w+)}}", r"\1_", path.read_text(encoding="utf-8"))
    return {
        f"{node.module}.{part.name}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gentk.")
        for part in node.names
        if node.module != "gentk.spec"
    }


def test_rows_of_what_is_broken_have_these_keys(monkeypatch, tmp_path):
    """A row of a plugin that is broken: distribution, entry, stage, error, mend, all texts."""
    monkeypatch.setenv("GENTK_PLUGINS", "absent-plugin")
    table = json.loads(CliRunner().invoke(cli, ["list", "--json"], prog_name="gentk").stdout)

    (row,) = table["broken"]
    assert list(row) == ["distribution", "entry", "stage", "error", "mend"]
    assert all(isinstance(value, str) for value in row.values())
