"""Overlays: what is typed beside a recipe, as values of its keys.

--loss mmd                  another component: the recipe's own is gone, with its options
--optimizer lr=1e-4         options alone: the recipe's component stays, with its other options
--lr 1e-4                   the same (`SHORT`)
--observer +evaluate        one more: those of the recipe stay
--stage ae.steps=100        a key of a stage's table; ae.layer1.steps=100 of its own stage's
stage={"ae": {"steps": 9}}  the same in Python and in sweep files, as for `phase`: other keys stay
--ema none                  takes back what the recipe says
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from .budget import UNITS
from .errors import BadOption, UsageError, did_you_mean
from .numerals import several_meant
from .selection import Selection

__all__ = ["LISTS", "SHORT", "Overlay", "laid", "listed", "over"]

SHORT: Final[dict[str, tuple[str, str]]] = {
    "lr": ("optimizer", "lr"),
    "learning_rate": ("optimizer", "lr"),
}
"""Words for one option of a component -> the recipe's key, and the option."""

LISTS: Final = ("extractor", "penalty", "observer")
"""Keys that have several components."""

SUMS: Final = ("loss", "estimator")
"""Keys that have one component, written without a list, or several."""

OPTIONS = re.compile(r"[A-Za-z_][\w-]*=")
"""How options without a component begin."""

STAGE = re.compile(r"([\w-]+)\.((?:[\w-]+\.)*\w+)=(.*)", re.DOTALL)
"""A key of a stage, or of a stage of that stage: `ae.steps=9`, `ae.layer1.steps=9`."""


@dataclass(frozen=True)
class Overlay:
    """What is laid over a recipe.

    Attributes:
        values: Key -> value.
        origins: Key -> what was typed for it.
        options: Key -> options that were typed without a component.
    """

    values: dict[str, Any]
    origins: dict[str, str]
    options: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, typed: Mapping[str, Any], base: Mapping[str, Any], optional: Collection[str] = ()
    ) -> Overlay:
        """Read what is typed.

        Args:
            typed: Key of a recipe, or one of `SHORT`, -> value; None is not given.
            base: The values that it is laid over, of all keys.
            optional: Keys that may be left out.

        Raises:
            UsageError: An option that is given twice, or a stage that the recipe does not have.
        """
        given = {key: _alone(key, value) for key, value in typed.items() if value is not None}
        options, origins = _short(given)
        values: dict[str, Any] = {}
        for key, value in given.items():
            if key in SHORT:
                continue
            origins[key] = f"--{key}"
            if key == "stage" and isinstance(value, str | list | tuple):
                values[key] = _staged(value, base.get("stage") or {})
            elif key in optional and value in ("none", ["none"], ("none",)):
                values[key] = None
            elif key in LISTS:
                values[key] = _more(listed(key, value), base.get(key) or ())
            elif key in SUMS and (not isinstance(value, str) or value.startswith("+")):
                values[key] = _more(*(_several(each) for each in (value, base.get(key) or ())))
            elif isinstance(value, str) and key in base and OPTIONS.match(value):
                options[key] = _joined(options.get(key, {}), value, key)
            elif isinstance(value, Mapping) and isinstance(base.get(key) or {}, Mapping):
                values[key] = over(base.get(key) or {}, value)
            else:
                # Not where it is a value of its own, as of `decay`.
                values[key] = _no_table(key, value, base.get(key))
        whole = set(values)
        for key, own in options.items():
            under = values.get(key, base.get(key))
            if not isinstance(under, str):
                raise UsageError(
                    f"the recipe has no {key} to give the options {', '.join(own)}; write "
                    f"--{key} NAME,{next(iter(own))}=..."
                )
            values[key] = laid(under, own, twice=key in whole)
        return cls(values, origins, {key: own for key, own in options.items() if key not in whole})


def over(table: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the keys of a table over another's, those of tables in it likewise.

    A budget replaces the other's, whichever unit either is in; a stage may be called like a unit.
    """
    laid = dict(table)
    if _units(more):
        laid = {key: value for key, value in table.items() if key not in _units(table)}
    for key, value in more.items():
        under = laid.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            laid[key] = over(under, value)
        else:
            laid[key] = value
    return laid


def _units(table: Mapping[str, Any]) -> set[str]:
    """Return the keys of a table that are its budget."""
    return {key for key in UNITS if key in table and not isinstance(table[key], Mapping)}


def laid(component: str, options: Mapping[str, str], *, twice: bool = False) -> str:
    """Return a component with options laid over its own.

    Args:
        component: As it is typed.
        options: Name -> text.
        twice: The component was typed beside them: an option of both is an error.

    Raises:
        BadOption: An option of both.
    """
    own = Selection.parse(component)
    both = sorted(set(own.options) & set(options)) if twice else []
    if both:
        raise BadOption(f"option {both[0]!r} is typed twice, also in {component!r}; give it once")
    return str(replace(own, options={**own.options, **options}))


def _no_table(key: str, value: Any, under: Any) -> Any:
    """Refuse options that are written as a table where a component stands."""
    if isinstance(value, Mapping) and isinstance(under, str):
        name = Selection.parse(under).name
        text = Selection(name, options={str(option): f"{each}" for option, each in value.items()})
        raise BadOption(f'{key} is text and no table; write {key} = "{text}"')
    return value


def listed(key: str, value: Any) -> Any:
    """Let one component be written without a list where there may be several."""
    return (value,) if key in LISTS and isinstance(value, str) else value


def _alone(key: str, value: Any) -> Any:
    """Let the only component of a list be written without it where there may be one."""
    one = key in SUMS and isinstance(value, list | tuple) and len(value) == 1
    return value[0] if one else value


def _several(value: Any) -> Any:
    """Return the components of a key that may have one."""
    return (value,) if isinstance(value, str) else value


def _short(given: Mapping[str, Any]) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Return the options that short words stand for, and what was typed for them."""
    options: dict[str, dict[str, str]] = {}
    origins: dict[str, str] = {}
    for word, (key, option) in SHORT.items():
        if word not in given:
            continue
        if option in options.get(key, {}):
            raise BadOption(f"{origins[key]} and --{word.replace('_', '-')} are one; give it once")
        several = several_meant(given[word])
        if several:
            over = " ".join(f"--over {word}={each}" for each in several)
            raise BadOption(f"--{word.replace('_', '-')} takes one; type gentk sweep {over}")
        options.setdefault(key, {})[option] = str(given[word])
        origins[key] = f"--{word.replace('_', '-')}"
    return options, origins


def _joined(own: Mapping[str, str], text: str, key: str) -> dict[str, str]:
    """Return options of short words and those that are typed for a key."""
    typed = Selection.parse(f"{key},{text}").options
    both = sorted(set(own) & set(typed))
    if both:
        raise BadOption(f"option {both[0]!r} is typed twice, also in --{key} {text}; give it once")
    return {**own, **typed}


def _more(given: Any, base: Iterable[str]) -> Any:
    """Return several components: those with a + stand beside the others, or beside the recipe's."""
    if not isinstance(given, (list, tuple)) or not all(isinstance(item, str) for item in given):
        return given
    more = [item[1:] for item in given if item.startswith("+")]
    plain = [item for item in given if not item.startswith("+")]
    return (*(plain or base), *more) if more else given


def _staged(given: Any, base: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the tables of a recipe's stages with typed values, `NAME.KEY=VALUE`, in them."""
    tables = {name: dict(table) for name, table in base.items()}
    for text in [given] if isinstance(given, str) else given:
        match = STAGE.fullmatch(str(text))
        if match is None:
            raise UsageError(f"--stage {text!r} sets nothing; write --stage NAME.KEY=VALUE")
        name, key, value = match.groups()
        if name not in tables:
            hint = did_you_mean(name, tables)
            known = f"it has {', '.join(tables)}" if tables else "it has none; leave --stage out"
            raise UsageError(f"the recipe has no stage {name!r}; {hint}{known}")
        if "." in key:
            inner = tables[name].get("stage", [])
            tables[name]["stage"] = [*inner, f"{key}={value}"] if isinstance(inner, list) else inner
        else:
            tables[name] = over(tables[name], {key: value})
    return tables
