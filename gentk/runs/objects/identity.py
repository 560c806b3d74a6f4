"""Identity: what makes an object of Python the same object in another session.

    KEY = QUALNAME-DIGEST, DIGEST = BLAKE2b(described(object)), or QUALNAME-NAME where it is named

A network that is trained is its classes, their settings, and the shapes of its weights: training
replaces their values. An extractor is its weights too, and so is what a run starts from; data are their
bytes, and any other object is its class and its attributes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
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

__all__ = ["TRAINED", "Own", "are_one", "key_of", "layer_of", "own", "qualname"]

NAME: Final = re.compile(r"[A-Za-z0-9_.]+")
TRAINED: Final = frozenset({"generator", "encoder", "critic"})
"""Kinds of which the values of the weights are no part: a run changes them."""

WEIGHED: Final = frozenset({"extractor", "init"})
"""Kinds of which they are: frozen networks, and what a run starts from."""

DIGITS: Final = 12
RECORDED: Final = re.compile(rf"[0-9a-f]{{{DIGITS}}}")
"""A name that is the digest of a recorded object, by which another is said to be the same."""

FUNCTIONS: Final = (FunctionType, BuiltinFunctionType, MethodType, np.ufunc)
PLAIN: Final = (
    *(type(None), str, bytes, int, float, complex, range, type, Path, Enum),
    *(np.generic, np.dtype, torch.dtype),
)
"""What a setting of a network may be, besides functions, and lists and tables of these."""

BARE: Final = frozenset(vars(nn.Module()))
"""What torch keeps in every module: its weights and parts, its hooks, and its mode."""

ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")

Said = Callable[[object], str | None]
"""What is said of a value that is no plain setting; None if it is left out."""


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
    except (_Unknown, RecursionError) as error:
        short = kind if isinstance(subject, FunctionType) else "subject"
        reason = "it holds itself" if isinstance(error, RecursionError) else error
        raise UsageError(
            f"nothing tells {kind} {head} from another one ({reason}); name it: "
            f"{kind}=gentk.own({short}, name={'photos' if kind == 'data' else 'mine'!r})"
        ) from None
    return f"{head}-{hashlib.blake2b(text.encode()).hexdigest()[:DIGITS]}"


def are_one(kind: str, given: Own, other: Own) -> bool:
    """Say whether two objects of one key can stand for each other.

    A name says nothing of an object, and the key of a network that is trained nothing of its weights.
    """
    same = given.subject is other.subject
    if isinstance(
        given.subject, MethodType
    ):  # Python makes a new object each time it is asked for.
        same = bool(given.subject == other.subject)
    told = given.name is None and kind not in TRAINED
    return told or (same and given.labels is other.labels)


def layer_of(given: Own) -> str:
    """Return what the features of an extractor are called: its name, or that of its class."""
    if given.name is None or RECORDED.fullmatch(given.name):
        return qualname(given.subject).rpartition(".")[2]
    return given.name


class _Unknown(Exception):
    """Something that nothing identifies."""


def _identified(kind: str, given: Own) -> str:
    subject = given.subject
    if isinstance(subject, nn.Module):
        strict = kind == "extractor" and not isinstance(subject, Extractor)
        text = structure(subject, _told if strict else _tried)
        if kind in WEIGHED:
            text += state_digest(subject.state_dict().items())
        if isinstance(subject, Extractor):
            return text + subject.fingerprint()
        return text if kind in TRAINED | WEIGHED else text + _attributes(subject, ())
    labels = "" if given.labels is None else described(np.asarray(given.labels))
    return described(subject) + labels


def structure(module: nn.Module, said: Said) -> str:
    """Return the classes, settings and shapes of a network: of its parts, parameters and buffers.

    Args:
        module: The network.
        said: What is said of what a part holds and is no plain setting.

    Raises:
        _Unknown: Nothing can be.
    """
    parts = [
        f"{name}:{qualname(part)} {_settings(part, said)}" for name, part in module.named_modules()
    ]
    shapes = [f"{name}:{tuple(value.shape)}" for name, value in module.state_dict().items()]
    return "\n".join([*parts, *shapes])


def _settings(part: nn.Module, said: Said) -> str:
    """Describe what a part shows of itself, and holds beside weights and other parts."""
    code, held = _held(part)
    settings = {key: _setting(value, said) for key, value in sorted(held.items())}
    rows = [f"{key}={text}" for key, text in settings.items() if text is not None]
    hooks = [*part._forward_pre_hooks.values(), *part._forward_hooks.values()]
    shown = ADDRESS.sub("", part.extra_repr())
    return f"{shown} {rows} {[_by_name(hook) for hook in hooks]} {code}"


def _held(part: nn.Module) -> tuple[str, dict[str, object]]:
    """Return the code of a part, where this makes it and no class does, and its attributes."""
    if isinstance(part, torch.jit.ScriptModule):
        try:
            code = str(part.code)
        except RuntimeError:  # A container has none.
            code = ""
        names = set(re.findall(r"\bself\.(\w+)", code)) - {"training"}
        values = {name: getattr(part, name, None) for name in names}
        return code, {k: v for k, v in values.items() if not isinstance(v, nn.Module | Tensor)}
    if isinstance(part, torch.fx.GraphModule):
        return str(part.code), {}
    # What torch's own classes hold in private follows from the rest, as views of weights do.
    classes = [one for one in type(part).__mro__ if one is not nn.Module]
    derived = any(one.__module__.startswith("torch.") for one in classes)
    return "", {
        key: value
        for key, value in vars(part).items()
        if key not in BARE and not (derived and key[0] == "_")
    }


def _setting(value: object, said: Said) -> str | None:
    if isinstance(value, list | tuple | set | frozenset):
        items = [str(_setting(item, said)) for item in value]
        ordered = sorted(items) if isinstance(value, set | frozenset) else items
        return f"{type(value).__name__} {ordered}"
    if isinstance(value, Mapping):
        rows = [f"{_setting(k, said)}: {_setting(v, said)}" for k, v in value.items()]
        return f"{type(value).__name__} {sorted(rows)}"
    if isinstance(value, partial):
        return f"partial {_setting((value.func, value.args, value.keywords), said)}"
    return described(value) if isinstance(value, PLAIN) else said(value)


def _by_name(value: object) -> str | None:
    """Say where a function is defined, and nothing of other objects."""
    if not isinstance(value, FUNCTIONS):
        return None
    name = getattr(value, "__qualname__", value.__name__)
    return f"{getattr(value, '__module__', None)}.{name}"


def _tried(value: object) -> str | None:
    """Describe anything that shows what it is, but a device; a network by its structure.

    Tensors are told by their values: what is neither a parameter nor a buffer is not trained.
    """
    if isinstance(value, torch.device):
        return None
    if isinstance(value, nn.Module):
        return structure(value, _tried)
    try:
        return _by_name(value) or described(value)
    except (_Unknown, RecursionError):
        return None


def _told(value: object) -> str | None:
    """Describe anything but a device: functions by where they are defined, if that is one place.

    Raises:
        _Unknown: It shows nothing of itself.
    """
    if isinstance(value, torch.device):
        return None
    name = _by_name(value)
    if name is not None and "<" in name:
        raise _Unknown(f"it holds {name!r}, and other functions are called so too")
    return described(value) if name is None else name


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
@described.register(np.generic)
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
    return structure(value, _told) + state_digest(value.state_dict().items())


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
