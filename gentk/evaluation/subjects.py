"""Subjects: the images that an evaluation judges, and those by which its figures are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from ..data.imageset import ImageSet, to_unit
from ..data.permutation import permutation
from ..errors import DataError
from ..interfaces import ImageShape
from ..models import Models
from ..registry import Registry
from ..runs.folder import near, refuse_home
from ..runs.images import data_name, open_data
from ..runs.model import is_run
from ..runs.trained import Run, load
from ..statistics import CHUNK, Chunks, chunks_of

__all__ = ["SANITY", "Subject", "open_subject", "sanity", "some_of"]

DRAW = 2
"""The key of permutations that choose images to be judged; splits and samplers use others."""

SANITY = ("noise", "blurred real", "one real image")
"""The names of the sanity rows."""

BLUR = 16
"""The deviation of the blur of the sanity row is this part of the image's height."""


@dataclass(frozen=True)
class Subject:
    """Images to be judged.

    Attributes:
        name: What they are called.
        shape: The shape of one.
        count: How many there are.
        stream: Returns them in chunks, [0, 1].
        run: The run they are samples of, if any.
        fingerprint: A digest of them, if their statistics are worth keeping.
        known: Whether it is known what made them: a run, or the world, as of data by name.
    """

    name: str
    shape: ImageShape
    count: int
    stream: Chunks
    run: Run | None = None
    fingerprint: str | None = None
    known: bool = True


def open_subject(
    text: str,
    count: int,
    seed: int,
    registry: Registry,
    device: str,
    notice: Callable[[str], None],
) -> Subject:
    """Open what is to be judged: the folder of a run, images in a folder or npz file, data by name.

    Raises:
        DataError: There is nothing of that name.
        RunError: It is a folder of runs, whose sample grids would be judged.
    """
    path = Path(text)
    if is_run(text):
        run = load(text, registry=registry, device=device)
        # A model that ships goes by its name, wherever its distribution is: that is not written to.
        name = Models(registry.modules).named(text)

        def rounded(part: slice) -> Iterator[Tensor]:
            chunks = run.latents(count, seed=seed).split(CHUNK)[part]
            for images in run.images(torch.cat(chunks)) if chunks else ():
                yield (images * 255).round() / 255

        return Subject(name, run.image, count, rounded, run)
    if path.exists():
        refuse_home(path)
        name = data_name(text, registry)
    elif registry.knows("data", text):
        name = text
    else:
        raise DataError(
            f"there is no {text!r}; {near(text)}type the folder of a run, a folder or npz of images, "
            "or a data name such as cifar10"
        )
    images = open_data(name, registry, notice)
    if len(images) < count:
        notice(f"{text} has {len(images)} images, not {count}: all of them are used")
    return replace(some_of(images, count, seed, text), known=not path.exists())


def some_of(images: ImageSet, count: int, seed: int, name: str) -> Subject:
    """Return some of a set's images, chosen by a seed: files are often sorted by class."""
    chosen = torch.from_numpy(permutation(len(images), DRAW, seed)[:count])
    mark = _mark(f"{images.fingerprint()} some {len(chosen)} {seed}")
    return Subject(name, images.shape, len(chosen), chunks_of(images, chosen), fingerprint=mark)


def sanity(real: Subject) -> list[Subject]:
    """Return what every table should hold besides its runs: images that are known to be bad.

    Args:
        real: Real images, which are blurred, and one of which is repeated.
    """

    def noise(part: slice) -> Iterator[Tensor]:
        return islice(drawn(), part.start, part.stop)

    def drawn() -> Iterator[Tensor]:
        draw = torch.Generator().manual_seed(0)
        for start in range(0, real.count, CHUNK):
            size = (min(CHUNK, real.count - start), *real.shape)
            yield to_unit(torch.randint(0, 256, size, generator=draw, dtype=torch.uint8))

    def blurred(part: slice) -> Iterator[Tensor]:
        sigma = max(real.shape.height / BLUR, 0.5)
        # An odd number of pixels, and no more than the image has.
        width = min(2 * round(3 * sigma) + 1, 2 * ((min(real.shape[1:]) - 1) // 2) + 1)
        for images in real.stream(part):
            yield (gaussian_blur(images, [width, width], [sigma, sigma]) * 255).round() / 255

    def repeated(part: slice) -> Iterator[Tensor]:
        image = next(real.stream(slice(0, 1)))[:1]
        for start in range(0, real.count, CHUNK)[part]:
            yield image.repeat(min(CHUNK, real.count - start), 1, 1, 1)

    streams = dict(zip(SANITY, (noise, blurred, repeated), strict=True))
    return [
        Subject(
            name, real.shape, real.count, stream, fingerprint=_mark(f"{real.fingerprint} {name}")
        )
        for name, stream in streams.items()
    ]


def _mark(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
