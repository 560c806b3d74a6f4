"""Every check of every suite has a component, written for it, that fails it and nothing else."""

from __future__ import annotations

import functools
import re
from importlib import import_module

import pytest

from gentk.plugins import Discovery, Provided
from gentk.registry import Registry
from gentk.spec import Component
from gentk.testing import SUITES, examine
from gentk.testing.verdict import checks_of

IMPORTS = {
    "test_the_hook_imports_no_torch": "hook_with_torch",
    "test_importing_does_no_work": "hook_at_work",
}
"""Checks of hook modules, and the module that is wrong."""


def name_of(component: type) -> str:
    """The name under which a component is registered: CamelCase becomes camel-case."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", component.__name__).lower()


def wrong_parts(kind: str) -> list[tuple[str, type]]:
    """The checks of a kind, and the components that are wrong in them."""
    module = import_module(f"wrong_{kind}")
    return [*module.WRONG.items(), *getattr(module, "MORE", ())]


@functools.cache
def registry(hook: str = "hook", family: type | None = None) -> Registry:
    """All wrong components and the right ones they are made of, and the core's own parts.

    Of the families, which all train one class of losses, only one.
    """
    core = [
        part
        for part in Registry().select()
        if part.distribution == "gentk-core" or part.component.kind == "family"
    ]
    found = Discovery(provided=core, modules=[("wrong", hook)])
    for kind in SUITES:
        module = import_module(f"wrong_{kind}")
        wrong = [part for _, part in wrong_parts(kind)]
        for part in (*getattr(module, "RIGHT", (module.Right,)), *wrong):
            if part.__module__ == module.__name__ and (kind != "family" or part is family):
                target = f"{module.__name__}:{part.__name__}"
                component = Component(kind=kind, name=name_of(part), target=target, summary="it")
                found.provided.append(Provided(component, "wrong", "1"))
    if family is not None:
        pairs = Component(kind="loss", name="pairs", target="wrong_family:Pairs", summary="it")
        found.provided.append(Provided(pairs, "wrong", "1"))
    return Registry(found)


def failures(kind: str, component: type, hook: str = "hook") -> dict[str, str]:
    """The checks that a component fails, with the reasons."""
    attributes = {
        "spec": name_of(component),
        "registry": registry(hook, component if kind == "family" else None),
    }
    verdicts = examine(type("Suite", (SUITES[kind],), attributes))
    return {v.name: v.reason for v in verdicts if v.outcome == "failed"}


WRONG = [(kind, check, component) for kind in SUITES for check, component in wrong_parts(kind)]


@pytest.mark.parametrize(
    ("kind", "check", "component"), WRONG, ids=[f"{k}-{c[5:]}" for k, c, _ in WRONG]
)
def test_a_wrong_component_fails_its_check_and_no_other(kind, check, component):
    """One mistake, one failed check, and a reason in words.

    What gentk itself refuses, wherever it is used, is told by whichever check uses it.
    """
    found = failures(kind, component)
    refused = component in getattr(import_module(f"wrong_{kind}"), "REFUSED", ())
    told = f"{kind} {component.__name__} "
    others = [name for name, reason in found.items() if not (refused and told in reason)]

    assert set(others) <= {check} <= set(found), found
    assert len(found[check]) > 10


RIGHT = [
    (kind, part)
    for kind in SUITES
    for module in [import_module(f"wrong_{kind}")]
    for part in getattr(module, "RIGHT", (module.Right,))
    if part.__module__ == module.__name__
]


@pytest.mark.parametrize(("kind", "component"), RIGHT, ids=[k for k, _ in RIGHT])
def test_what_the_wrong_ones_are_made_of_passes(kind, component):
    """The component that the wrong ones change in one place fails nothing."""
    assert failures(kind, component) == {}


@pytest.mark.parametrize("check", IMPORTS)
def test_a_wrong_hook_module_fails_its_check_and_no_other(check):
    """A right component behind a wrong hook module fails the check of that."""
    [component] = [part for kind, part in RIGHT if kind == "observer"]

    assert list(failures("observer", component, IMPORTS[check])) == [check]


def test_every_check_has_a_wrong_component():
    """No check of any suite is without one."""
    wrong = {getattr(SUITES[kind], check).__qualname__ for kind, check, _ in WRONG}
    wrong |= {getattr(SUITES["observer"], check).__qualname__ for check in IMPORTS}
    checks = {getattr(s, name).__qualname__ for s in SUITES.values() for name in checks_of(s)}

    assert checks == wrong


def test_every_check_says_what_it_checks():
    """The first line of a check's docstring is a sentence: it is what people read."""
    for suite in SUITES.values():
        for name in checks_of(suite):
            about = (getattr(suite, name).__doc__ or "").splitlines()[0]
            assert about.endswith("."), f"{suite.__name__}.{name}: {about!r}"
