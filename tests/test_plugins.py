"""Malformed component records are rows of a report, never a crash."""

from __future__ import annotations

import types

import pluggy
import pytest

from gentk.installed import Origin
from gentk.plugins import Discovery, _collect
from gentk.spec import PROJECT, Component, Hooks, hookimpl

GOOD = {"kind": "extractor", "name": "mine", "target": "a.b:C", "summary": "what it is"}


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"kind": ["x"]},
        {"api": "1"},
        {"summary": None},
        {"target": 3},
        {"name": "Mine"},
        {"kind": "extractors"},
        {"api": 99},
        {"target": "a.b"},
        {"variants": "a.b"},
        {"variants": ""},
        {"argument": 3},
        {"hint": ["pip"]},
        {"api": 0},
        {"summary": "two\nlines"},
    ],
    ids=str,
)
def test_a_malformed_component_is_reported_and_its_neighbour_kept(change):
    """Wrong types and wrong values alike: one broken row, the good component stays."""
    module = types.ModuleType("theirs")
    parts = [Component(**{**GOOD, **change}), Component(**GOOD)]
    module.gentk_components = hookimpl(lambda: parts)
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    found = Discovery()
    _collect(found, manager, module, Origin("theirs", "1.0", "entry"))

    assert [provided.component for provided in found.provided] == [parts[1]]
    assert [(broken.distribution, broken.stage) for broken in found.broken] == [("theirs", "check")]
