"""Images: data opened by name."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from ..data.imageset import ImageSet
from ..data.open import open_images
from ..data.view import View
from ..errors import DataError, NoSplit
from ..families.shared import shared_options
from ..interfaces import Source
from ..registry import Registry
from ..selection import Selection
from .pseudo_labels import pseudo_labelled

__all__ = [
    "data_name",
    "judged_against",
    "open_data",
    "open_held_out",
    "open_split",
]

Notice = Callable[[str], None]
Advance = Callable[[str, int, int], None]


def open_data(
    text: str,
    registry: Registry,
    notice: Notice = lambda message: None,
    advance: Advance | None = None,
    *,
    clusters_of: str | None = None,
) -> ImageSet:
    """Open images by name, telling what was left out, guessed or changed of them.

    Args:
        text: The data.
        registry: Where names are looked up.
        notice: Called with sentences people should read.
        advance: Called with what is being done, the number done, and how many there are.
        clusters_of: The data whose training images pseudo-labels are clusters of; these, as a rule.
    """
    source, name, view = _named(text, registry)
    images = open_images(source, name, view, advance)
    for message in images.notes():
        notice(message)
    if view.pseudo is None:
        return images
    training = images
    if view.split != "train" or clusters_of is not None:
        fitted = _of_split(clusters_of or text, "train")
        training = open_images(*_named(fitted, registry), advance)
    return pseudo_labelled(images, training, view.pseudo, registry, notice, advance)


def open_split(
    text: str,
    split: str,
    registry: Registry,
    notice: Notice = lambda message: None,
    advance: Advance | None = None,
) -> ImageSet:
    """Open a split of some data whole, whatever part of another one was asked for.

    Pseudo-labels are the clusters of the training images that were asked for: an image has the same
    one in every split.

    Raises:
        NoSplit: The data have no such split.
    """
    whole = Selection.parse(_of_split(text, split))
    kept = {k: v for k, v in whole.options.items() if k != "limit"}
    name = str(replace(whole, options=kept))
    return open_data(name, registry, notice, advance, clusters_of=text)


def _named(text: str, registry: Registry) -> tuple[Source, str, View]:
    """Return what data by name are of, what they are called, and what is taken."""
    source, options = registry.build("data", text, shared=shared_options("data"))
    return cast(Source, source), str(Selection.parse(text)), View(**options)


def _of_split(text: str, split: str) -> str:
    """Return another split of data by name."""
    own = Selection.parse(text)
    return str(replace(own, options={**own.options, "split": split}))


def data_name(path: str, registry: Registry) -> str:
    """Return the name of the data that an existing file or folder holds: `npz:PATH`, `folder:PATH`."""
    return registry.reading("data", path) or str(Selection("folder", path))


def open_held_out(
    text: str,
    registry: Registry,
    notice: Notice = lambda message: None,
    advance: Advance | None = None,
) -> ImageSet:
    """Open what runs that learn from some data are judged against; tell where that is no test split.

    It is the test split; where the data have none, the validation split, theirs or what
    `validation=N` holds out; and where they have neither, the images that were learnt from.
    """
    try:
        return open_split(text, "test", registry, notice, advance)
    except NoSplit:
        pass
    try:
        images = open_split(text, "validation", registry, notice, advance)
        notice(f"{text} has no test split: the {len(images):,} validation images are the reference")
    except NoSplit:
        images = open_data(text, registry, notice, advance)
        notice(
            f"{text} has no test split: the {len(images):,} images that were learnt from are the "
            "reference, so a generator that repeats them looks perfect"
        )
    return images


def judged_against(text: str, count: int, registry: Registry) -> str | None:
    """Say what runs will be judged against and how to hold images out, if nothing is held out.

    Args:
        text: The data.
        count: How many images are learnt from.
        registry: Where names are looked up.
    """
    source, view = registry.build("data", text, shared=shared_options("data"))
    try:
        cast(Source, source).records("test")
    except NoSplit:
        own = Selection.parse(text)
        if own.options.get("split", "train") != "train" or view.get("validation"):
            return None
        if cast(Source, source).validation() is not None:
            return None
        some = str(replace(own, options={**own.options, "validation": str(_share(count))}))
        return (
            f"{text} has no test split, so gentk evaluate will compare with the very images that are "
            f"learnt from; to hold {_share(count):,} of them out, type --data {shlex.quote(some)}"
        )
    except DataError:
        return None
    return None


def _share(count: int) -> int:
    """Return how many of some images are a good number to hold out: a tenth, at most 5,000."""
    return max(1, min(count // 10, 5000))
