"""Identity: what makes an object of Python the same object in another session.

    KEY = QUALNAME-DIGEST, DIGEST = BLAKE2b(described(object)), or QUALNAME-NAME where it is named

A network that is trained is its class and the shapes of its weights: training replaces their values. An
extractor is its weights too, and so is what a run starts from; data are their bytes, and any other
object is its class and its attributes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, singledispatch
from numbers import Number
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from ...digest import state_digest
from ...errors import UsageError
from ...interfaces import Extractor

__all__ = ["TRAINED", "Own", "key_of", "own", "qualname"]

NAME: Final = re.compile(r"[A-Za-z0-9_.]+")
TRAINED: Final = frozenset({"generator", "encoder", "critic"})
"""Kinds of which the values of the weights are no part: a run changes them."""

WEIGHED: Final = frozenset({"extractor", "init"})
"""Kinds of which they are: frozen networks, and what a run starts from."""

DIGITS: Final = 12


@dataclass(frozen=True)
class Own:
    """An object with what it does not say itself; `own` makes it.

    Attributes:
        subject: The object.
        name: What it is known by, if not by what it holds.
        labels: Of images: one class index each.
        options: Options of its kind, such as `size` of data.
    """

    subject: Any
    name: str | None = None
    labels: Any = None
    options: Mapping[str, str] = field(default_factory=dict)


def own(
    subject: object,
    *,
    name: str | None = None,
    labels: Tensor | np.ndarray[Any, Any] | Sequence[int] | None = None,
    **options: str | float | bool,
) -> Own:
    """Return an object with a name, labels or options, to be given to `gentk.run` in its place.

    `own(edges, name="edges")` names a function, by which its runs are known; `own(photos, size=64)`
    resizes images as `--data folder:PATH,size=64` does; `own(net, latent=64, range="signed")` tells of a
    generator how long its latents are and in which range its images.

    Args:
        subject: The object.
        name: Its name, letters, digits, dots and underscores: for functions and data sets, which nothing
            else identifies. Two that go by one name are taken for the same.
        labels: Of images, (N,): the class index of each.
        options: Options of its kind: of data `size`, `channels`, `validation`, ...; of losses `factor`.

    Raises:
        UsageError: A name with other characters, an option that is no text or number, or no object.
    """
    if subject is None or isinstance(subject, str | Path | Number):
        raise UsageError(
            f"own() takes an object, such as a tensor, a module or a function, not {subject!r}; "
            "what has a name or a path is given as that, with its options: 'digits,size=32'"
        )
    if name is not None and not NAME.fullmatch(name):
        raise UsageError(f"the name {name!r} is not letters, digits, dots and underscores")
    for key, value in options.items():
        if not isinstance(value, str | int | float):
            raise UsageError(f"option {key!r} is text or a number, not {type(value).__name__}")
    if isinstance(subject, Own):
        raise UsageError("an object is owned once; give own() the object itself")
    return Own(subject, name, labels, {key: _written(v) for key, v in options.items()})


def _written(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def qualname(subject: object) -> str:
    """Return where a function, or an object's class, is defined: `module.Class`."""
    kind = subject if isinstance(subject, type | FunctionType) else type(subject)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def key_of(kind: str, given: Own) -> str:
    """Return what an object goes by.

    Raises:
        UsageError: Nothing identifies it; the sentence asks for a name.
    """
    subject = given.subject
    head = qualname(subject.func if isinstance(subject, partial) else subject)
    if given.name is not None:
        return f"{head}-{given.name}"
    try:
        text = _identified(kind, given)
    except _Unknown as error:
        short = kind if isinstance(subject, FunctionType) else "subject"
        raise UsageError(
            f"nothing tells {kind} {head} from another one ({error}); name it: "
            f"{kind}=gentk.own({short}, name={'photos' if kind == 'data' else 'mine'!r})"
        ) from None
    return f"{head}-{hashlib.blake2b(text.encode()).hexdigest()[:DIGITS]}"


class _Unknown(Exception):
    """Something that nothing identifies."""


def _identified(kind: str, given: Own) -> str:
    subject = given.subject
    if isinstance(subject, nn.Module):
        text = structure(subject)
        if kind in WEIGHED:
            text += state_digest(subject.state_dict().items())
        if isinstance(subject, Extractor):
            return text + subject.fingerprint()
        return text if kind in TRAINED | WEIGHED else text + _attributes(subject, ())
    labels = "" if given.labels is None else described(np.asarray(given.labels))
    return described(subject) + labels


def structure(module: nn.Module) -> str:
    """Return the classes and shapes of a network: of its parts, parameters and buffers."""
    parts = [f"{name}:{qualname(part)}" for name, part in module.named_modules()]
    shapes = [f"{name}:{tuple(value.shape)}" for name, value in module.state_dict().items()]
    return "\n".join([*parts, *shapes])


@singledispatch
def described(value: object, within: tuple[int, ...] = ()) -> str:
    """Return a text that differs wherever two values do.

    Raises:
        _Unknown: It holds a function, or something that shows nothing of itself.
    """
    return "above" if id(value) in within else _attributes(value, (*within, id(value)))


@described.register(type(None))
@described.register(str)
@described.register(bytes)
@described.register(complex)
@described.register(float)
@described.register(int)
@described.register(range)
def _plain(value: object, within: tuple[int, ...] = ()) -> str:
    return repr(value)


@described.register(Path)
@described.register(torch.dtype)
@described.register(torch.device)
@described.register(np.dtype)
def _shown(value: object, within: tuple[int, ...] = ()) -> str:
    return f"{type(value).__name__} {value}"


@described.register(np.ndarray)
def _array(value: np.ndarray[Any, Any], within: tuple[int, ...] = ()) -> str:
    array = np.ascontiguousarray(value)
    digest = hashlib.blake2b(array.tobytes(), digest_size=16).hexdigest()
    return f"array {array.dtype} {array.shape} {digest}"


@described.register(Tensor)
def _tensor(value: Tensor, within: tuple[int, ...] = ()) -> str:
    return f"tensor {state_digest([('', value.detach())])}"


@described.register(nn.Module)
def _module(value: nn.Module, within: tuple[int, ...] = ()) -> str:
    return structure(value) + state_digest(value.state_dict().items())


@described.register(type)
def _class(value: type, within: tuple[int, ...] = ()) -> str:
    return qualname(value)


@described.register(FunctionType)
@described.register(BuiltinFunctionType)
@described.register(MethodType)
def _function(value: Any, within: tuple[int, ...] = ()) -> str:
    raise _Unknown(f"{value.__name__!r} is a function")


@described.register(partial)
def _partial(value: partial[Any], within: tuple[int, ...] = ()) -> str:
    return f"partial {described((value.func, value.args, value.keywords), within)}"


@described.register(Mapping)
def _mapping(value: Mapping[Any, Any], within: tuple[int, ...] = ()) -> str:
    inner = (*within, id(value))
    rows = sorted(f"{described(k, inner)}: {described(v, inner)}" for k, v in value.items())
    return f"{type(value).__name__} {rows}"


@described.register(set)
@described.register(frozenset)
def _set(value: set[Any], within: tuple[int, ...] = ()) -> str:
    return f"set {sorted(described(item, within) for item in value)}"


@described.register(list)
@described.register(tuple)
def _sequence(value: Sequence[Any], within: tuple[int, ...] = ()) -> str:
    if id(value) in within:
        return "above"
    inner = (*within, id(value))
    return f"{type(value).__name__} {[described(item, inner) for item in value]}"


def _attributes(value: object, within: tuple[int, ...]) -> str:
    """Describe an object by its class and attributes; of a network by those that are its own."""
    try:
        table = dict(vars(value))
    except TypeError:
        raise _Unknown(f"{qualname(value)} shows no attributes") from None
    if isinstance(value, nn.Module):
        table = {key: v for key, v in table.items() if key[0] != "_" and key != "training"}
    return f"{qualname(value)} {described(table, within)}"
