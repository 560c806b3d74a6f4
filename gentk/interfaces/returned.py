"""Returned: what the methods of components return, a check for each (`gentk.interfaces.promise`).

A check is given the component, what its method returned, and what that was given. It returns None, or
how a sentence calls what was returned, and what to return instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from torch import Tensor

from .promise import described
from .records import Report
from .summary import Summary
from .values import ImageShape, StatisticKind

__all__ = [
    "compared",
    "features",
    "held_out",
    "images",
    "judged",
    "kinds",
    "latents",
    "layers",
    "observed",
    "records",
    "report",
    "scores",
    "statistics",
    "summarised",
    "terms",
    "text",
    "tracked",
    "unobserved",
    "weights",
]

Fault = tuple[str, str] | None
Given = tuple[Any, ...]


def images(part: Any, result: object, given: Given) -> Fault:
    """An image of the generator's shape for each latent."""
    fault = _tensor(result, (_count(given), *part.image), "images")
    if fault is None or not isinstance(result, Tensor) or result.dim() != 4:
        return fault
    own = ImageShape(*result.shape[1:])
    # Codes are images too, of one pixel or of many channels: no data have such a size.
    picture = own.height == own.width > 1 and own.channels in (1, 3)
    advice = f", or add size={own.height},channels={own.channels} to --data"
    advice = advice if picture and own != tuple(part.image) else ""
    return fault[0], fault[1] + advice


def latents(part: Any, result: object, given: Given) -> Fault:
    """A latent of the encoder's length for each image."""
    return _tensor(result, (_count(given), part.latent), "latents")


def layers(part: Any, result: object, given: Given) -> Fault:
    """Features by layer, at least of one, a row for each image."""
    if isinstance(result, Mapping) and not result:
        return "no features", f"return those of a layer, {_FEATURES}"
    return features(part, result, given)


def features(part: Any, result: object, given: Given) -> Fault:
    """Features by layer, a row for each image."""
    count = _count(given)
    if not isinstance(result, Mapping):
        return described(result), f"return {_FEATURES}"
    for name, value in result.items():
        if not isinstance(value, Tensor) or value.dim() < 2:
            return f"{described(value)} as {name!r}", f"return {_FEATURES}"
        if count is not None and value.shape[0] != count:
            found = f"{described(value)} as {name!r} for {count} images"
            return found, f"return {_FEATURES}, a row an image"
    return None


def scores(part: Any, result: object, given: Given) -> Fault:
    """Scores by name, one for each image."""
    count = _count(given)
    if not isinstance(result, Mapping) or not result:
        return described(result), f"return {_SCORES}"
    for name, value in result.items():
        one = isinstance(value, Tensor) and value.dim() == 1
        if not one or (count is not None and value.shape[0] != count):
            number = "" if count is None else f" for {count} images"
            return f"{described(value)} as {name!r}{number}", f"return {_SCORES}, one an image"
    return None


def judged(part: Any, result: object, given: Given) -> Fault:
    """Scores and features of the same images."""
    if not isinstance(result, tuple) or len(result) != 2:
        return described(result), f"return two: {_SCORES}, and {_FEATURES}"
    return scores(part, result[0], given) or features(part, result[1], given)


def statistics(part: Any, result: object, given: Given) -> Fault:
    """Tensors by name."""
    if not isinstance(result, Mapping):
        return described(result), "return statistics, a dict of name -> tensor"
    for name, value in result.items():
        if not isinstance(value, Tensor):
            return f"{described(value)} as {name!r}", "return statistics, a dict of name -> tensor"
    return None


def tracked(part: Any, result: object, given: Given) -> Fault:
    """The statistics that it was given, by the same names."""
    fault = statistics(part, result, given)
    if fault is None and given and isinstance(given[0], Mapping):
        assert isinstance(result, Mapping)
        lost = [repr(name) for name in given[0] if name not in result]
        if lost:
            return f"no {' and no '.join(lost)}", "return a tracked value of each statistic given"
    return fault


def kinds(part: Any, result: object, given: Given) -> Fault:
    """The kinds of statistics by name."""
    known = get_args(StatisticKind)
    wanted = (
        f'return kinds by the name of a statistic, such as {{"mean": "real"}}: {_either(known)}'
    )
    if not isinstance(result, Mapping) or not result:
        return described(result), wanted
    for name, kind in result.items():
        if kind not in known:
            return f"{kind!r} for the statistic {name!r}", wanted
    return None


def terms(part: Any, result: object, given: Given) -> Fault:
    """Scalars by name, at least one."""
    if isinstance(result, Mapping) and not result:
        return "no term", f"return {_TERMS}"
    return weights(part, result, given)


def unobserved(part: Any, result: object, given: Given) -> Fault:
    """Scalars by name, of a loss that lets nothing else be seen."""
    if part.watch:
        return f"no {part.watch!r} to watch", "leave watch out, which names what a loss observes"
    return terms(part, result, given)


def weights(part: Any, result: object, given: Given) -> Fault:
    """Scalars by name, of which there may be none."""
    if not isinstance(result, Mapping):
        return described(result), f"return {_TERMS}"
    for name, value in result.items():
        if not isinstance(value, Tensor) or value.dim() != 0:
            return f"{described(value)} as {name!r}", f"return {_TERMS}, such as .mean() makes"
    return None


def observed(part: Any, result: object, given: Given) -> Fault:
    """Scalars by name, that which the loss says to watch among them."""
    fault = weights(part, result, given)
    if fault is None and part.watch:
        assert isinstance(result, Mapping)
        if part.watch not in result:
            seen = ", ".join(map(repr, result)) or "nothing"
            return (
                f"no {part.watch!r} to watch",
                f"set watch to what is there ({seen}), or return it",
            )
    return fault


def compared(part: Any, result: object, given: Given) -> Fault:
    """The terms, and what else is to be seen."""
    if not isinstance(result, tuple) or len(result) != 2:
        return described(result), f"return two: {_TERMS}, and what else is to be seen of a step"
    return terms(part, result[0], given) or observed(part, result[1], given)


def records(part: Any, result: object, given: Given) -> Fault:
    """Images that are not decoded yet."""
    if all(hasattr(result, name) for name in ("__len__", "decode", "name")):
        return None
    return described(result), "return gentk.data.Records: what has a length, decode(i) and name(i)"


def held_out(part: Any, result: object, given: Given) -> Fault:
    """Images that are not decoded yet, or None for none."""
    return None if result is None else records(part, result, given)


def report(part: Any, result: object, given: Given) -> Fault:
    """What is to be said of the data."""
    if isinstance(result, Report):
        return None
    return described(result), "return a gentk.interfaces.Report"


def text(part: Any, result: object, given: Given) -> Fault:
    """A text."""
    if isinstance(result, str):
        return None
    return described(result), "return a text that tells what is kept from what others keep"


def summarised(part: Any, result: object, given: Given) -> Fault:
    """A summary."""
    if isinstance(result, Summary):
        return None
    return described(result), "return a summary of gentk.summary, such as Samples.of(features)"


_FEATURES = "features, a dict of layer -> tensor (N, ...)"
_SCORES = "scores, a dict of name -> tensor (N,)"
_TERMS = "terms, a dict of name -> scalar tensor"


def _count(given: Given) -> int | None:
    """Return how many samples a method was given; None where that is not to be seen."""
    first: Any = given[0] if given else None
    if isinstance(first, Mapping):
        first = next(iter(first.values()), None)
    return first.shape[0] if isinstance(first, Tensor) and first.dim() else None


def _tensor(result: object, wanted: tuple[int | None, ...], called: str) -> Fault:
    """Refuse what is no tensor of a shape, None in it for any length."""
    sizes = tuple(result.shape) if isinstance(result, Tensor) else ()
    alike = (want in (None, own) for own, want in zip(sizes, wanted, strict=False))
    if len(sizes) == len(wanted) and all(alike):
        return None
    said = ", ".join("N" if each is None else str(each) for each in wanted)
    return described(result), f"return {called}, a tensor ({said})"


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
