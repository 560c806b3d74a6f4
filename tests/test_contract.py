"""The versioned interfaces: the plugin contract and `gentk list --json` are what they were."""

from __future__ import annotations

import inspect
import json
import os
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from gentk import spec
from gentk.cli.group import cli
from gentk.plugins import Broken

SNAPSHOTS = Path(__file__).parent / "snapshots"
WRITE = "GENTK_WRITE_SNAPSHOTS"


def contract() -> dict[str, object]:
    """Everything a plugin stands on."""
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


def listing() -> dict[str, object]:
    """The shape of `gentk list --json`: the keys, and the types that their values take."""
    result = CliRunner().invoke(cli, ["list", "--json"], prog_name="gentk")
    table = json.loads(result.stdout)
    table["broken"] = table["broken"] or [vars(Broken("a", "b", "load", "c", "d"))]
    shape: dict[str, object] = {"api": table["api"]}
    for part in ("components", "recipes", "broken"):
        keys: dict[str, set[str]] = {}
        for row in table[part]:
            for key, value in row.items():
                keys.setdefault(key, set()).add(type(value).__name__)
        shape[part] = {key: sorted(types) for key, types in keys.items()}
    assert set(table) == set(shape)
    return shape


@pytest.mark.parametrize("made", [contract, listing])
def test_a_versioned_interface_is_what_it_was(made):
    """What others rely on changes on purpose only, and then together with its version."""
    path = SNAPSHOTS / f"{made.__name__}.json"
    now = json.dumps(made(), indent=2) + "\n"
    if os.environ.get(WRITE):
        path.write_text(now, encoding="utf-8")

    assert now == path.read_text(encoding="utf-8"), (
        f"{path.name} differs: an interface that others rely on has changed. Is that meant? If what "
        "was written for the old one no longer works, raise gentk.spec.API. Write it into CHANGELOG.md, "
        f"then type: {WRITE}=1 pytest tests/test_contract.py"
    )


def test_rows_of_what_is_broken_have_these_keys(monkeypatch, tmp_path):
    """A row of a plugin that is broken: distribution, entry, stage, error, mend, all texts."""
    monkeypatch.setenv("GENTK_PLUGINS", "absent-plugin")
    table = json.loads(CliRunner().invoke(cli, ["list", "--json"], prog_name="gentk").stdout)

    (row,) = table["broken"]
    assert list(row) == ["distribution", "entry", "stage", "error", "mend"]
    assert all(isinstance(value, str) for value in row.values())
