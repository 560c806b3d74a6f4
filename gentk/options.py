"""Options: a constructor's keyword-only arguments, checked and converted from what was typed.

The one place where text becomes typed values. Signatures are the schema: `lr: float = 0.01` makes
an option `lr` that takes a number; `betas: tuple[float, ...]` takes numbers joined with `+`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .errors import BadOption, did_you_mean
from .numerals import whole_meant
from .synonyms import OPTIONS

__all__ = [
    "Option",
    "argument",
    "check_settable",
    "convert",
    "options_of",
    "stray_of",
    "together",
]

REQUIRED = inspect.Parameter.empty

INHERITED = ("object.__init__", "Module.__init__")
"""Constructors that a class without its own has: whatever they take is no fault of its author."""

EXAMPLES: dict[Any, str] = {int: "1", float: "0.5", bool: "true", Path: "PATH"}


@dataclass(frozen=True)
class Option:
    """One option: its name, the type it takes, and its default (`REQUIRED` if it has none)."""

    name: str
    annotation: Any
    default: Any = REQUIRED

    @property
    def type_name(self) -> str:
        """The type as people read it: `int`, `a|b|c`, `number+number`."""
        return _type_name(self.annotation)


def options_of(target: Callable[..., Any], supplied: frozenset[str] = frozenset()) -> list[Option]:
    """Return the options of a class or function: keyword-only arguments that are not `supplied`."""
    subject = target.__init__ if inspect.isclass(target) else target
    hints = get_type_hints(subject)
    return [
        Option(parameter.name, hints.get(parameter.name, _type_of(parameter)), parameter.default)
        for parameter in inspect.signature(target).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in supplied
    ]


def stray_of(target: Callable[..., Any], *, argument: bool) -> list[inspect.Parameter]:
    """Return the arguments of a class or function that cannot be set, as they are not keyword-only.

    Args:
        target: The class or function.
        argument: Whether its first one is what stands after the colon.
    """
    own = target.__init__ if inspect.isclass(target) else target
    if getattr(own, "__qualname__", "") in INHERITED:
        return []
    parameters = list(inspect.signature(target).parameters.values())[1 if argument else 0 :]
    return [parameter for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]


def check_settable(
    target: Callable[..., Any],
    written: Iterable[str],
    supplied: Iterable[str],
    owner: str,
    *,
    argument: bool,
) -> None:
    """Refuse a class that takes by position what is given by name, or that needs it.

    Args:
        target: The class or function.
        written: Names of the options as typed.
        supplied: Names of what the composition gives it.
        owner: What to call the component in messages.
        argument: Whether its first argument is what stands after the colon.

    Raises:
        BadOption: The sentence says what to change in the class.
    """
    options, given = set(written), set(supplied)
    for parameter in stray_of(target, argument=argument):
        alone = parameter.kind is parameter.POSITIONAL_ONLY
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        name = parameter.name
        needed = parameter.default is REQUIRED and (alone or name not in given)
        if name in options or needed or (alone and name in given):
            where = f"{target.__module__}.{target.__qualname__}"
            raise BadOption(
                f"{owner} takes {name!r} by position, and what it is given are keyword-only arguments; "
                f"write '*, {name}' in the constructor of {where}, or tell its author"
            )


def _type_of(parameter: inspect.Parameter) -> Any:
    """Return the type of an option that is not annotated: that of its default, or text."""
    kind = type(parameter.default)
    return kind if kind in EXAMPLES else str


def argument(target: Callable[..., Any], text: str) -> Any:
    """Return what stands after the colon as the class's first positional argument takes it."""
    subject = target.__init__ if inspect.isclass(target) else target
    first = next(iter(inspect.signature(target).parameters))
    hint = get_type_hints(subject).get(first, str)
    return Path(text).expanduser() if hint is Path else text


def together(own: list[Option], shared: Iterable[Option], owner: str) -> list[Option]:
    """Return a component's options and those of its kind; refuse one of its own that hides such."""
    both = sorted({option.name for option in own} & {option.name for option in shared})
    if both:
        raise BadOption(
            f"{owner} has an option {both[0]!r} of its own, which would hide that of its kind; rename "
            "it in the class"
        )
    return [*own, *shared]


def convert(written: Mapping[str, str], options: list[Option], owner: str) -> dict[str, Any]:
    """Convert options as written to typed values; raise `BadOption` naming what would be accepted.

    Args:
        written: Option name -> text.
        options: What the component takes.
        owner: What to call the component in messages, such as `estimator 'ama'`.
    """
    known = {option.name: option for option in options}
    values = {}
    for name, text in written.items():
        if name not in known:
            raise BadOption(_unknown(name, known, owner))
        values[name] = _value(text, known[name], owner)
    missing = [option.name for option in options if option.default is REQUIRED]
    for name in missing:
        if name not in values:
            raise BadOption(f"{owner} needs the option {name!r}; add {name}=VALUE")
    return values


def _unknown(name: str, known: Mapping[str, Option], owner: str) -> str:
    if not known:
        return f"{owner} takes no options, so {name!r} cannot be set; leave it out"
    meant = OPTIONS.get(name)
    hint = f"did you mean {meant!r}? " if meant in known else did_you_mean(name, known)
    return f"{owner} has no option {name!r}; {hint}it takes {', '.join(sorted(known))}"


def _value(text: str, option: Option, owner: str) -> Any:
    # Imported here: pydantic takes longer to import than `gentk list` may take.
    from pydantic import TypeAdapter, ValidationError

    parts: Any = text
    if text.lower() == "none" and type(None) in get_args(option.annotation):
        return None
    if _list_type(option.annotation):
        parts = text.split("+") if text else []
    elif int in (option.annotation, *get_args(option.annotation)) and "e" in text:
        # 1e5 is how people write large counts.
        parts = text if not _whole(text) else int(float(text))
    try:
        return TypeAdapter(_loosened(option.annotation)).validate_python(parts)
    except ValidationError:
        raise BadOption(
            f"{owner}: option {option.name!r} takes {option.type_name}, not {text!r}; "
            f"{_remedy(text, option)}"
        ) from None


def _remedy(text: str, option: Option) -> str:
    """Return what to write instead of a value."""
    first, comma, rest = text.partition(",")
    if comma and first and all(part.isidentifier() for part in rest.split(",")):
        # sgd,lr=0.1,nesterov
        return f"write {option.name}={first},{rest.split(',')[0]}=VALUE"
    kinds = (option.annotation, *get_args(option.annotation))
    number = whole_meant(text) if int in kinds else None
    if number is not None:
        return f"write {option.name}={number}"
    return f"write {option.name}={_example(option)}"


def _whole(text: str) -> bool:
    try:
        return float(text).is_integer()
    except ValueError:
        return False


def _loosened(annotation: Any) -> Any:
    """Let `Literal[1, 3]` be written as text: pydantic compares literals strictly."""
    from typing import Annotated

    from pydantic import BeforeValidator

    def widen(value: Any) -> Any:
        choices = {str(choice): choice for choice in _literals(annotation)}
        return choices.get(value, value) if isinstance(value, str) else value

    return Annotated[annotation, BeforeValidator(widen)] if _literals(annotation) else annotation


def _literals(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(v for part in get_args(annotation) for v in _literals(part))


def _list_type(annotation: Any) -> bool:
    return get_origin(annotation) in (tuple, list) or any(
        get_origin(part) in (tuple, list) for part in get_args(annotation)
    )


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    if get_origin(annotation) in (tuple, list):
        items = [_type_name(a).removeprefix("a ") for a in get_args(annotation) if a is not ...]
        endless = get_origin(annotation) is list or ... in get_args(annotation)
        return f"{items[0]}+{items[0]}+..." if endless else "+".join(items)
    if get_origin(annotation) is not None:
        return "|".join(_type_name(part) for part in get_args(annotation))
    names = {int: "a whole number", float: "a number", bool: "true|false", str: "text"}
    if annotation is type(None):
        return "none"
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)).lower())


def _example(option: Option) -> str:
    default = option.default
    if default is REQUIRED or default is None:
        if literals := _literals(option.annotation):
            return str(literals[0])
        kinds = (option.annotation, *get_args(option.annotation))
        return next((EXAMPLES[kind] for kind in kinds if kind in EXAMPLES), "TEXT")
    if isinstance(default, (tuple, list)):
        return "+".join(map(str, default))
    return str(default).lower() if isinstance(default, bool) else str(default)
