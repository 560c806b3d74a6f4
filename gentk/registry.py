"""The registry: names -> components, and the errors of asking for what is not there."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .construction import constructed
from .errors import BadOption, GentkError, UnknownName, UsageError, did_you_mean
from .first_party import FIRST_PARTY, owner_of
from .library import Library
from .options import Option, argument, check_settable, convert, options_of, together
from .plugins import Broken, Discovery, Provided, discover, reason_of, refuse_if_strict
from .remedy import AGAIN
from .selection import Selection
from .session import OBJECT, SESSION, missing_object
from .session import rows as session_rows
from .spec import KINDS, Component
from .synonyms import PARTS
from .version import DISTRIBUTION

__all__ = ["SUPPLIED", "Registry"]

SUPPLIED: dict[str, frozenset[str]] = {
    "generator": frozenset({"image"}),
    "encoder": frozenset({"image", "latent"}),
    "critic": frozenset({"image", "latent"}),
}
"""Keyword arguments of a kind's constructors that the composition supplies: not options."""


class Registry:
    """All components by kind and name; nothing is imported until it is built.

    First-party names cannot be taken: another distribution's component of that name is recorded as
    broken. Of two third parties that offer one name, neither gets it, and asking names both.
    """

    def __init__(self, discovery: Discovery | None = None) -> None:
        self._asked = asked = discovery is None
        discovery = discovery or discover(FIRST_PARTY)
        self.modules = discovery.modules
        self.broken: list[Broken] = list(discovery.broken)
        self._parts: dict[tuple[str, str], Provided] = {}
        self._clashes: dict[tuple[str, str], list[str]] = {}
        self._lent: dict[str, Callable[..., Any]] = {}
        self._given: dict[str, Mapping[str, object]] = {}
        for provided in (*(session_rows() if asked else ()), *discovery.provided):
            self._add(provided)
        self._look_after_the_core()
        if asked:
            refuse_if_strict(self.broken)

    @classmethod
    def of(cls, registry: Registry | None) -> Registry:
        """Return the registry that a caller hands in, or a new one where that is None.

        Raises:
            UsageError: It is no registry.
        """
        if registry is not None and not isinstance(registry, cls):
            raise UsageError(
                f"registry is a gentk.registry.Registry, not {type(registry).__name__}; drop it for "
                "what is installed"
            )
        # Not `or`: what has a length may be empty.
        return cls() if registry is None else registry

    def _add(self, new: Provided) -> None:
        key = (new.component.kind, new.component.name)
        owner = owner_of(*key)
        held = self._parts.get(key)
        if (owner and new.distribution != owner) or (held and held.distribution in FIRST_PARTY):
            holder = owner or (held.distribution if held else DISTRIBUTION)
            self._clash(new, f"the name belongs to {holder}")
        elif key in self._clashes or held:
            rivals = self._clashes.setdefault(key, [held.distribution] if held else [])
            rivals.append(new.distribution)
            self._parts.pop(key, None)
            self._clash(new, f"{' and '.join(rivals)} both offer it, so neither gets it")
        else:
            self._parts[key] = new

    def lend(
        self,
        builders: Mapping[str, Callable[..., Any]],
        given: Mapping[str, Mapping[str, object]],
    ) -> Registry:
        """Return the same registry that has objects too, `object:KEY` of a kind.

        Args:
            builders: Kind -> what returns the object of a key; its keyword-only arguments are options,
                as a constructor's are.
            given: Kind -> key -> the object that was given.
        """
        lent = copy.copy(self)
        lent._lent = {**self._lent, **builders}
        lent._given = {**self._given, **given}
        return lent

    def written(self, kind: str, text: str) -> object:
        """Return what says what a selection does: a component's class, or the object that was given."""
        selection = self.check(kind, text)
        if selection.name == OBJECT:
            return self._given[kind][str(selection.argument)]
        return self.target(self.find(kind, selection.name))

    def beside(self, more: Iterable[Provided]) -> Registry:
        """Return the same registry that has these components too."""
        joined = copy.copy(self)
        joined._parts = self._parts | {(p.component.kind, p.component.name): p for p in more}
        return joined

    def refreshed(self) -> Registry:
        """Return what is there now: with what was registered since, unless a caller found the parts."""
        return Registry().lend(self._lent, self._given) if self._asked else self

    def _look_after_the_core(self) -> None:
        """Report a core that offers less than it should: its code and what is installed differ."""
        if any(row.distribution == DISTRIBUTION for row in self.broken) or not self._collected(
            DISTRIBUTION
        ):
            return
        missing = [
            f"{kind} {name}"
            for kind, names in FIRST_PARTY[DISTRIBUTION].items()
            for name in names
            if (kind, name) not in self._parts
        ]
        if missing:
            error = f"of its own parts these are not registered: {', '.join(missing)}"
            self.broken.append(Broken(DISTRIBUTION, "?", "find", error, AGAIN))

    def _collected(self, distribution: str) -> bool:
        return any(row == distribution for row, _ in self.modules)

    def _clash(self, new: Provided, reason: str) -> None:
        label = f"{new.component.kind} {new.component.name!r}"
        mend = f"rename it in {new.distribution}, or pip uninstall one of the two"
        self.broken.append(
            Broken(new.distribution, new.component.name, "check", f"{label}: {reason}", mend)
        )

    def select(self, kind: str | None = None, pattern: str | None = None) -> list[Provided]:
        """Return the components of a kind (all without one) whose name matches, sorted."""
        rows = [
            provided
            for (k, name), provided in self._parts.items()
            if kind in (None, k) and (pattern is None or _matches(name, pattern))
        ]
        order = list(KINDS)
        return sorted(rows, key=lambda p: (order.index(p.component.kind), p.component.name))

    def find(self, kind: str, name: str, selection: Selection | None = None) -> Provided:
        """Return a component, or raise `UnknownName` saying what to type or install instead.

        Args:
            kind: The kind.
            name: The name.
            selection: All that was typed with the name, for what is offered in its place.
        """
        if name == OBJECT and kind in self._lent:
            summary = "an object of this session"
            component = Component(
                kind=kind, name=name, target="session:object", summary=summary, argument="CLASS"
            )
            return Provided(component, SESSION, "0")
        if (kind, name) in self._parts:
            return self._parts[kind, name]
        raise UnknownName(self._missing(kind, name, selection))

    def knows(self, kind: str, text: str) -> bool:
        """Say whether a selection names a component of this kind."""
        try:
            name = Selection.parse(text).name
            return (kind, name) in self._parts or (name == OBJECT and kind in self._lent)
        except BadOption:
            return False

    def kinds_of(self, name: str) -> list[str]:
        """Return the kinds in which a name exists."""
        return [kind for kind in KINDS if (kind, name) in self._parts]

    def absent(self, kind: str) -> list[str]:
        """Return a sentence for each first-party name of a kind that is not here: how to get it."""
        names = [name for kinds in FIRST_PARTY.values() for name in kinds.get(kind, ())]
        return [self._missing(kind, name) for name in names if (kind, name) not in self._parts]

    def _missing(self, kind: str, name: str, selection: Selection | None = None) -> str:
        if (kind, name) in self._clashes:
            rivals = " and ".join(self._clashes[kind, name])
            return f"{kind} {name!r} is offered by {rivals}; pip uninstall one of them"
        owner = owner_of(kind, name)
        for broken in self.broken:
            if broken.distribution == owner:
                return f"{kind} {name!r}: {owner} is broken ({broken.error}); {broken.mend}"
        if owner:
            return f"{kind} {name!r} comes with {owner}; type: pip install {owner}"
        names = [provided.component.name for provided in self.select(kind)]
        hint = self.hint(kind, name, selection) or did_you_mean(name, names)
        called = PARTS.get(kind, {}).get(name.lower().replace("_", "-"))
        if called in names:
            hint = f"did you mean {called!r}? "
        elsewhere = self.kinds_of(name)
        if elsewhere:
            article = "an" if elsewhere[0][0] in "aeiou" else "a"
            hint = f"there is {article} {elsewhere[0]} of that name; "
        elif any(row.name == name for row in Library(self.modules).rows()):
            hint = f"it is a recipe: gentk run {name}; "
        return f"no {kind} {name!r}; {hint}type: gentk list {kind}"

    def reading(self, kind: str, path: str) -> str | None:
        """Return the selection of a kind that reads an existing file or folder: `folder:photos`."""
        try:
            place = Path(path).expanduser()
            ending = "/" if place.is_dir() else place.name.lower() if place.is_file() else None
        except (OSError, RuntimeError, ValueError):  # no path at all
            return None
        for provided in self.select(kind) if ending else ():
            if ending and ending.endswith(provided.component.files or ("\0",)):
                return str(Selection(provided.component.name, path))
        return None

    def hint(self, kind: str, text: str, selection: Selection | None = None) -> str:
        """Return `did you mean 'NAME:ARGUMENT'? ` for an argument that is typed without its name.

        Args:
            kind: The kind.
            text: What stands where the name should.
            selection: All that was typed: its options stay.
        """
        options = selection.options if selection is not None else {}
        path = self.reading(kind, text)
        meant = [path and str(replace(Selection.parse(path), options=options))]
        # The hub's names have their owner before them.
        bare = (selection.argument if selection and selection.argument else text).rpartition("/")[2]
        for provided in self.select(kind):
            with suppress(GentkError):
                known = self.variants(provided)
                name = next((each for each in (text, bare) if each in known), None)
                if name is not None:
                    meant.append(str(Selection(provided.component.name, name, options)))
        near = " or ".join(repr(each) for each in meant if each)
        return f"did you mean {near}? " if near else ""

    def target(self, provided: Provided) -> Callable[..., Any]:
        """Import a component's class; raise `GentkError` with the install hint if that fails."""
        component = provided.component
        if component.name == OBJECT:
            return self._lent[component.kind]
        if provided.built_by is not None:
            return provided.built_by
        try:
            return _attribute(provided.component.target)
        except (Exception, SystemExit) as error:
            raise _unimportable(provided, error) from error

    def variants(self, provided: Provided) -> list[str]:
        """Return the known arguments of a component, importing what that needs."""
        if provided.component.variants is None:
            return []
        try:
            return sorted(_attribute(provided.component.variants)())
        except (Exception, SystemExit) as error:
            raise _unimportable(provided, error) from error

    def ready(self, provided: Provided) -> dict[str, str] | None:
        """Return the arguments that work without a network -> where their files are; None: all do."""
        if provided.component.ready is None:
            return None
        try:
            arguments: dict[str, str] = _attribute(provided.component.ready)()
        except (Exception, SystemExit) as error:
            raise _unimportable(provided, error) from error
        return arguments

    def options(self, provided: Provided) -> list[Option]:
        """Return the options of a component, importing its class."""
        supplied = SUPPLIED.get(provided.component.kind, frozenset())
        return options_of(self.target(provided), supplied)

    def check(self, kind: str, text: str) -> Selection:
        """Parse a selection and check its name and argument, importing nothing."""
        selection = Selection.parse(text)
        if selection.name == OBJECT and kind not in self._lent:
            raise UnknownName(missing_object(kind, selection.argument))
        component = self.find(kind, selection.name, selection).component
        wanted = component.argument
        if wanted and not selection.argument:
            raise BadOption(f"{kind} {selection.name!r} needs {wanted}: {selection.name}:{wanted}")
        if selection.argument is not None and not wanted:
            raise BadOption(
                f"{kind} {selection.name!r} takes no argument; "
                f"type {selection.name!r} without ':{selection.argument}'"
            )
        if component.wraps is not None:
            self.check(component.wraps, str(selection.argument))
        return selection

    def rehearse(self, kind: str, text: str, shared: Iterable[Option] = ()) -> dict[str, Any]:
        """Check all of a selection that can be checked without building it: argument and options too.

        Args:
            kind: The kind.
            text: The selection as typed.
            shared: Options that every component of the kind takes.

        Returns:
            The values of the options that are set.

        Raises:
            UnknownName: There is no such component, or it has no such argument.
            BadOption: An option that there is not, or not with this value.
        """
        selection = self.check(kind, text)
        provided = self.find(kind, selection.name)
        owner = f"{kind} {selection.name!r}"
        options = together(self.options(provided), shared, owner)
        self._settable(provided, selection, SUPPLIED.get(kind, ()))
        values = convert(selection.options, options, owner)
        known = self.variants(provided)
        given = selection.argument
        if provided.component.wraps is not None:
            self.rehearse(provided.component.wraps, str(given))
        if given is not None and known and given not in known:
            hint, name = did_you_mean(given, known), selection.name
            raise UnknownName(
                f"{kind} {name!r} has no {name}:{given}; {hint}type: gentk list {kind} "
                f"'{name}:{given[:3]}*'"
            )
        return values

    def build(
        self, kind: str, text: str, *, shared: Iterable[Option] = (), **supplied: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Build a component from its selection.

        Args:
            kind: The kind.
            text: The selection as typed.
            shared: Options that every component of the kind takes and somebody else applies.
            supplied: What the composition gives the constructor.

        Returns:
            The component and the values of the `shared` options that were set.
        """
        selection = self.check(kind, text)
        provided = self.find(kind, selection.name)
        target = self._settable(provided, selection, supplied)
        common, owner = list(shared), f"{kind} {selection.name!r}"
        options = together(options_of(target, frozenset(supplied)), common, owner)
        values = convert(selection.options, options, owner)
        names = {option.name for option in common}
        arguments = []
        if provided.component.wraps is not None:
            arguments = [self._wrapped(provided.component.wraps, str(selection.argument), supplied)]
        elif selection.argument is not None:
            arguments = [argument(target, selection.argument)]
        mine = {key: value for key, value in values.items() if key not in names}
        built = constructed(target, owner, arguments, {**mine, **supplied})
        return built, {key: value for key, value in values.items() if key in names}

    def _settable(
        self, provided: Provided, selection: Selection, supplied: Iterable[str]
    ) -> Callable[..., Any]:
        """Return a component's class; refuse one that cannot be given what it is to be given."""
        target, part = self.target(provided), provided.component
        owner, given = f"{part.kind} {part.name!r}", part.argument is not None
        check_settable(target, selection.options, supplied, owner, argument=given)
        return target

    def _wrapped(self, kind: str, text: str, supplied: Mapping[str, Any]) -> Any:
        """Build the component that another one wraps, with what its kind is supplied with."""
        own = {k: v for k, v in supplied.items() if k in SUPPLIED.get(kind, ())}
        return self.build(kind, text, **own)[0]


def _attribute(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    attribute: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return attribute


def _unimportable(provided: Provided, error: BaseException) -> GentkError:
    component, remedy = provided.component, provided.remedy(error)
    typed = "type: " if remedy.startswith("pip ") else ""
    return GentkError(
        f"{component.kind} {component.name!r} of {provided.distribution} does not import "
        f"({reason_of(error)}); {typed}{remedy}"
    )


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or pattern in name
