"""Suites: what gentk expects of every component, as tests that anybody can run.

A suite is a plain class of pytest's: its methods `test_*` are the checks, and the first line of each
docstring is what is checked. An author inherits the suite of the component's kind::

    from gentk.testing import ExtractorSuite

    class TestMine(ExtractorSuite):
        spec = "my-extractor,layers=all"

Nothing here needs pytest: `gentk plugin check` runs the same methods. What does not apply to a component
is skipped.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Literal, NoReturn, get_args, get_origin, get_type_hints
from unittest import SkipTest

import torch

from ..docstring import Docstring
from ..engine import randomness
from ..errors import BadOption, GentkError
from ..options import REQUIRED, Option, convert, stray_of
from ..plugins import Provided
from ..registry import Registry
from ..selection import Selection
from ..session import SESSION
from .imports import Imports
from .partner import with_partners

__all__ = ["Suite", "skip"]

SLOWEST = 1.0
"""Seconds of computing that importing a hook module may take."""

NONSENSE = "?!"
"""No number, no choice."""


def skip(reason: str) -> NoReturn:
    """Say that a check does not apply; pytest understands this too."""
    raise SkipTest(reason)


class Suite:
    """What every component must do, whatever its kind.

    Attributes:
        kind: The kind of component.
        interface: The class of `gentk.interfaces` it must be.
        spec: The component and its options as they are typed: `my-extractor,layers=all`.
        variants: Other specs of the same component, besides those that change one option, for checks
            that compare.
        registry: Where names are looked up; None for everything installed.
    """

    kind: ClassVar[str]
    interface: ClassVar[type[Any]]
    spec: ClassVar[str]
    variants: ClassVar[tuple[str, ...]] = ()
    registry: ClassVar[Registry | None] = None

    @cached_property
    def names(self) -> Registry:
        """All names, those of the partners (`gentk.testing.partner`) among them."""
        return with_partners(Registry.of(self.registry))

    @property
    def provided(self) -> Provided:
        """The component's record."""
        return self.names.find(self.kind, Selection.parse(self.spec).name)

    def supplied(self) -> dict[str, Any]:
        """Return what the composition gives the constructor."""
        return {}

    def make(self, text: str | None = None, *, seed: int = 0, **supplied: Any) -> Any:
        """Build the component.

        Args:
            text: A spec instead of the suite's.
            seed: Of the random state it is built under.
            supplied: What the composition gives the constructor, over what it gives by default.
        """
        with randomness.lent(torch.device("cpu"), seed=seed):
            given = {**self.supplied(), **supplied}
            return self.names.build(self.kind, text or self.spec, **given)[0]

    def prepare(self) -> None:
        """Build the component once, so that what cannot even be asked for is an error of gentk's.

        Raises:
            GentkError: As the component's constructor does; other errors are for the checks to tell.
        """
        try:
            self.make()
        except GentkError:
            raise
        except Exception:
            return

    def others(self) -> Iterator[str]:
        """Yield specs that differ from the suite's in one option, and `variants`."""
        selection = Selection.parse(self.spec)
        for option in self.names.options(self.provided):
            for text in _other_values(option, selection.options.get(option.name)):
                yield str(replace(selection, options={**selection.options, option.name: text}))
        yield from self.variants

    def test_it_is_of_its_kind(self) -> None:
        """The target is a class of the kind's interface, and the spec builds it."""
        target = self.names.target(self.provided)
        name = f"{self.interface.__module__.rpartition('.')[0]}.{self.interface.__name__}"
        assert inspect.isclass(target), f"{self.provided.component.target} is no class"
        assert issubclass(target, self.interface), f"{target.__name__} is no subclass of {name}"
        assert isinstance(self.make(), self.interface), f"what it builds is no {name}"

    def test_it_says_what_it_is(self) -> None:
        """The class has a docstring: `gentk show` prints it."""
        about = Docstring.parse(self.names.target(self.provided).__doc__)
        assert about.paragraphs, "the class has no docstring; say there what it computes"

    def test_its_options_are_documented(self) -> None:
        """Every option stands under `Args:` in the class's docstring."""
        target = self.names.target(self.provided)
        known = Docstring.parse(target.__doc__).arguments
        missing = [o.name for o in self.names.options(self.provided) if o.name not in known]
        assert not missing, f"under Args: in the docstring there is no {', '.join(missing)}"

    def test_its_options_are_keywords(self) -> None:
        """The constructor takes its options as keyword-only arguments, and no others."""
        target = self.names.target(self.provided)
        stray = stray_of(target, argument=self.provided.component.argument is not None)
        assert not stray, (
            f"{', '.join(map(str, stray))} cannot be set or checked; make every option a "
            "keyword-only argument"
        )

    def test_its_options_are_typed(self) -> None:
        """Every option has a type that refuses nonsense, and a default of that type."""
        target = self.names.target(self.provided)
        hints = get_type_hints(target.__init__)
        for option in self.names.options(self.provided):
            name = option.name
            assert hints.get(name, Any) not in (Any, object), f"{name} has no type"
            if not _takes_text(option.annotation):
                try:
                    convert({name: NONSENSE}, [option], self.kind)
                except BadOption:
                    pass
                else:
                    raise AssertionError(f"{name}={NONSENSE} is taken; give it a stricter type")
            if option.default is not REQUIRED:
                text = _written(option.default)
                converted = convert({name: text}, [option], self.kind)[name]
                assert converted == option.default, (
                    f"the default of {name} is {option.default!r}, and {name}={text} is {converted!r}"
                )

    def test_odd_values_are_taken_or_refused(self) -> None:
        """Numbers at or below zero make a component or an error of `gentk.errors`, never a crash."""
        selection = Selection.parse(self.spec)
        for option in self.names.options(self.provided):
            if not {int, float} & set(_types(option.annotation)):
                continue
            for value in ("0", "-1"):
                options = {**selection.options, option.name: value}
                try:
                    self.make(str(replace(selection, options=options)))
                except GentkError:
                    continue
                except Exception as error:
                    raise AssertionError(
                        f"{option.name}={value} ends in {type(error).__name__}: {error}; raise "
                        "gentk.errors.BadOption"
                    ) from error

    def test_the_hook_imports_no_torch(self) -> None:
        """The module of the entry point does not import torch: `gentk list` imports it."""
        imported = self._imported()
        assert not imported.torch, (
            f"{imported.hook} imports torch; import it in the target's module only"
        )

    def test_importing_does_no_work(self) -> None:
        """Importing the plugin is quick, prints nothing, writes nothing, connects to nothing."""
        imported = self._imported()
        assert not imported.work, f"on import it does this: {'; '.join(imported.work)}"
        assert imported.torch or imported.seconds < SLOWEST, (
            f"importing {imported.hook} takes {imported.seconds:.1f} s; import what is heavy in the "
            "target's module"
        )

    def _imported(self) -> Imports:
        """Return what importing the distribution's hooks and targets does."""
        distribution = self.provided.distribution
        if distribution == SESSION:
            skip("it is registered in Python and no distribution's")
        hooks = [module for owner, module in self.names.modules if owner == distribution]
        parts = [part for part in self.names.select() if part.distribution == distribution]
        targets = {part.component.target.partition(":")[0] for part in parts}
        own = {target for target in targets if not target.startswith("gentk.testing")}
        return Imports.of(tuple(sorted(set(hooks))), tuple(sorted(own)))


def _types(annotation: Any) -> tuple[Any, ...]:
    """Return the plain types in an annotation."""
    if get_origin(annotation) is Literal:
        return ()
    parts = get_args(annotation)
    return tuple(t for part in parts for t in _types(part)) if parts else (annotation,)


def _takes_text(annotation: Any) -> bool:
    """Say whether any text is a value of this type."""
    return any(isinstance(kind, type) and not _strict(kind) for kind in _types(annotation))


def _strict(kind: type[Any]) -> bool:
    return kind in (int, float, bool, complex, type(None))


def _written(value: Any) -> str:
    """Return a default as it would be typed."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return "+".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _other_values(option: Option, current: str | None) -> list[str]:
    """Return values of an option that differ from the current one, as they are typed."""
    annotation = option.annotation
    if current is None and option.default is not REQUIRED:
        current = _written(option.default)
    choices = [
        str(value)
        for part in (annotation, *get_args(annotation))
        if get_origin(part) is Literal
        for value in get_args(part)
    ]
    if choices:
        return [value for value in choices if value != current]
    types = _types(annotation)
    if bool in types:
        return ["false" if current == "true" else "true"]
    if current and types == (int,):
        return [str(int(float(current)) + 1)]
    if current and types == (float,):
        return [str(float(current) / 2)]
    if set(types) == {int, type(None)}:
        return ["1"] if current != "1" else ["2"]
    return []
