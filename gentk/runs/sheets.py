"""Sheets: samples of a run as pictures, folders and arrays.

`grid` and `folder` and `npz` hold samples; `interpolation` walks between random latents; `neighbours`
puts beside each sample the training image nearest to it, so that copying would show; `reconstruction`
puts beside images of the test split what the run's encoder and generator make of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.imageset import to_unit
from ..data.permutation import permutation
from ..errors import RunError, UsageError
from ..files import cause, replacing, replacing_folder, vacant
from ..grid import tile
from .features import extractor_space
from .images import open_data, open_held_out
from .model import ModelFolder
from .trained import Run

__all__ = ["FORMS", "default_path", "export"]

SHOWN = 4
"""The key of the permutation that chooses images to show; others are used elsewhere."""

STEPS = 24
"""Points of an interpolation from one latent to the next, as in the sheets of GMMN."""


class Draw(NamedTuple):
    """How latents are drawn: keyword arguments of `Run.sample`."""

    seed: int
    truncation: float | None
    label: str | None


def default_path(run: Run, form: str) -> Path:
    """Return where a sheet goes if nobody says."""
    name = {"folder": "folder", "npz": "samples.npz"}.get(form, f"{form}.png")
    if isinstance(run.folder, ModelFolder):  # others' files, which may be an installed package's
        return Path(f"{run.name}-{name}")
    return run.folder.samples / name


def export(
    run: Run,
    form: str,
    count: int,
    out: Path,
    seed: int = 0,
    extractor: str | None = None,
    truncation: float | None = None,
    label: str | None = None,
) -> Path:
    """Write samples of a run in one of `FORMS`, whole or not at all.

    Args:
        run: The run.
        form: `grid`, `folder`, `npz`, `interpolation`, `neighbours` or `reconstruction`.
        count: Number of samples; for `interpolation` the number of latents visited.
        out: The file, or for `folder` the folder, to write.
        seed: Seed of the latents.
        extractor: For `neighbours`: in whose features distance is measured; pixels by default.
        truncation: The largest |z| of the latents.
        label: Of a conditional generator: the class of all samples.

    Returns:
        Where it was written.

    Raises:
        UsageError: An unknown form, no sample at all, truncation where no latents are drawn, or an
            extractor where no neighbours are.
        RunError: It cannot be written, or a folder is not empty.
    """
    if form not in FORMS:
        raise UsageError(f"no form {form!r}; type --as {' or '.join(FORMS)}")
    if count < 1:
        raise UsageError(f"{count} samples are none; type -n 64")
    wanted = {"folder": "", "npz": ".npz"}.get(form, ".png")
    if wanted and out.suffix.lower() not in ("", wanted):
        raise UsageError(
            f"--as {form} writes {wanted} and not {out.suffix}; type --out {out.with_suffix(wanted)}"
        )
    for name, value in (("truncation", truncation), ("label", label)):
        if form == "reconstruction" and value is not None:
            raise UsageError(f"a reconstruction draws no latents; drop --{name}")
    if extractor is not None and form != "neighbours":
        raise UsageError(
            f"only neighbours are looked for in features; drop --extractor from --as {form}, or type "
            "--as neighbours"
        )
    draw = Draw(seed, truncation, label)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if form == "folder":
            return _folder(run, count, out, draw)
        if form == "npz":
            return _npz(run, count, out, draw)
        picture = (
            _neighbours(run, count, draw, extractor)
            if form == "neighbours"
            else (PICTURES[form](run, count, draw))
        )
        return _replace(out, lambda path: picture.save(path, format="PNG"))
    except OSError as error:
        reason, remedy = cause(error)
        raise RunError(
            f"{out} cannot be written ({reason}); {remedy}, or type another --out"
        ) from error


def _grid(run: Run, count: int, draw: Draw) -> Image.Image:
    return tile(run.sample(count, **draw._asdict()), columns=max(1, round(count**0.5)))


def _interpolation(run: Run, count: int, draw: Draw) -> Image.Image:
    """Visit `count` latents in a circle, a row from each to the next."""
    stops = run.latents(max(count, 2), **draw._asdict())
    shares = torch.linspace(0, 1, STEPS + 1, device=run.device)[:-1, None]
    pairs = itertools.pairwise([*stops, stops[0]])
    rows = [a + shares * (b - a) for a, b in pairs]
    images = torch.cat(list(run.images(torch.cat(rows))))
    return tile(images, columns=STEPS)


def _neighbours(run: Run, count: int, draw: Draw, extractor: str | None) -> Image.Image:
    """Put the nearest training image under each sample."""
    samples = run.sample(count, **draw._asdict())
    data = open_data(run.recipe.data, run.registry)
    space = extractor_space((extractor or "pixels",), run.registry, run.image, run.device)

    def features(images: Tensor) -> Tensor:
        layers = space(images.to(run.device), "unit")
        return torch.cat([value.flatten(1) for value in layers.values()], dim=1)

    with torch.no_grad():
        mine = torch.cat([features(part) for part in samples.split(64)])
        best = torch.full((count,), torch.inf, device=run.device)
        index = torch.zeros(count, dtype=torch.long, device=run.device)
        done = 0
        for chunk in data.chunks(64):
            near, place = torch.cdist(mine, features(to_unit(chunk))).min(dim=1)
            closer = near < best
            best = torch.where(closer, near, best)
            index = torch.where(closer, place + done, index)
            done += len(chunk)
    return _beneath(samples, to_unit(data.batch(index.cpu())))


@torch.no_grad()
def _reconstruction(run: Run, count: int, draw: Draw) -> Image.Image:
    """Put under held-out images what becomes of them."""
    data = open_held_out(run.recipe.data, run.registry)
    chosen = torch.from_numpy(permutation(len(data), SHOWN, draw.seed)[:count].copy())
    images = to_unit(data.batch(chosen))
    reconstructed = [run.reconstruct(part) for part in images.split(64)]
    return _beneath(images, torch.cat(reconstructed))


def _beneath(above: Tensor, below: Tensor) -> Image.Image:
    """Draw rows of up to twelve images, each with its counterpart under it."""
    columns = min(len(above), 12)
    # The last row is filled up with blanks, so that every image stands above its counterpart.
    blank = above.new_ones((-len(above) % columns, *above.shape[1:]))
    rows = [torch.cat([part, blank]).split(columns) for part in (above, below)]
    return tile(torch.cat([row for pair in zip(*rows, strict=True) for row in pair]), columns)


def _folder(run: Run, count: int, out: Path, draw: Draw) -> Path:
    """Write one PNG a sample; into a new or empty folder only."""
    if not vacant(out):
        raise RunError(f"{out} exists and is not an empty folder; type another --out")
    with replacing_folder(out) as part:
        index = 0
        for images in run.stream(count, **draw._asdict()):
            for image in _bytes(images):
                _picture(image).save(part / f"{index:06d}.png")
                index += 1
    return out


def _npz(run: Run, count: int, out: Path, draw: Draw) -> Path:
    """Write `arr_0`, (N, H, W, C) uint8, and of a conditional generator `arr_1`, the classes.

    That is what the evaluation suite of ADM (arXiv:2105.05233) reads.
    """
    latents = run.latents(count, **draw._asdict())
    images = np.concatenate([_bytes(part) for part in run.images(latents)])
    _, labels = run.generator.prior.split(latents)
    arrays = {"arr_0": images}
    if labels is not None:
        arrays["arr_1"] = labels.cpu().numpy()

    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    return _replace(out, write)


def _replace(out: Path, write: Callable[[Path], None]) -> Path:
    """Write whole or not at all."""
    with replacing(out) as part:
        write(part)
    return out


def _bytes(images: Tensor) -> np.ndarray:
    """Return (N, C, H, W) in [0, 1] as (N, H, W, C) uint8, rounded."""
    array: np.ndarray = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return array


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


PICTURES: dict[str, Callable[[Run, int, Draw], Image.Image]] = {
    "grid": _grid,
    "interpolation": _interpolation,
    "reconstruction": _reconstruction,
}
FORMS = (*PICTURES, "neighbours", "folder", "npz")
"""The forms that `export` writes."""
