"""Image sets: what a run or an evaluation sees of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from ..errors import DataError
from ..interfaces import ImageShape, Report
from .ahead import Plan
from .pixels import Pixels, Take
from .view import View

__all__ = ["ImageSet", "to_unit"]


def to_unit(images: Tensor) -> Tensor:
    """Return uint8 images as float32 in [0, 1]: x / 255."""
    return images.to(torch.float32) / 255


class ImageSet:
    """N images of one shape, with their labels.

    Args:
        pixels: The images.
        name: What the data are called in messages: the name they were asked for by.
        view: What was taken of the source; None for all of it, as it is.
        labels: One class index per record of the source, -1 for unlabelled ones; None without
            labels.
        classes: The names of the classes of all splits.
        report: What the source says of its data.
        remarks: What decoding has done to the images besides reading them, in sentences.
    """

    def __init__(
        self,
        pixels: Pixels,
        *,
        name: str,
        view: View | None = None,
        labels: Sequence[int] | None = None,
        classes: Sequence[str] | None = None,
        report: Report | None = None,
        remarks: Sequence[str] = (),
    ) -> None:
        self.pixels = pixels
        self.name = name
        self.view = view or View()
        self.report = report or Report()
        self.remarks = list(remarks)
        self._labels = None if labels is None else torch.tensor(labels, dtype=torch.int64)
        if self._labels is not None and bool((self._labels < 0).all()):
            self._labels = None
        highest = -1 if self._labels is None else int(self._labels.max())
        if classes is not None and highest >= len(classes):
            raise DataError(f"{name} has the label {highest} and only {len(classes)} classes")
        named = classes or [str(label) for label in range(highest + 1)]
        self.classes = None if self._labels is None else list(named)
        self._fingerprint: str | None = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pixels)

    @property
    def shape(self) -> ImageShape:
        """The shape of one image."""
        return self.pixels.shape

    @property
    def skipped(self) -> list[str]:
        """The names of the damaged images, which are not among these."""
        return self.pixels.skipped

    @property
    def labels(self) -> Tensor | None:
        """The class index of each image, (N,) int64, -1 where it has none; None without labels."""
        return None if self._labels is None else self._labels[self.pixels.positions]

    def labelled(self, labels: Tensor, classes: Sequence[str]) -> ImageSet:
        """Return the same images with other labels, (N,) int64, and the names of their classes."""
        own = torch.full((int(self.pixels.positions.max()) + 1,), -1, dtype=torch.int64)
        own[self.pixels.positions] = labels
        return ImageSet(
            self.pixels,
            name=self.name,
            view=self.view,
            labels=own.tolist(),
            classes=classes,
            report=self.report,
            remarks=self.remarks,
        )

    def batch(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Return the images at `indices`, (len(indices), C, H, W) uint8."""
        return self.pixels.batch(indices)

    def follow(self, plan: Plan) -> Take:
        """Return what gives images, as `batch` does, that will be asked for in the order of a plan.

        Images that are not in memory are decoded before they are asked for.
        """
        return self.pixels.follow(plan)

    def chunks(self, size: int, chosen: Tensor | None = None) -> Iterator[Tensor]:
        """Yield images in order, `size` at a time, uint8; the last chunk may be smaller.

        Args:
            size: How many.
            chosen: Indices of the images, (n,) int64; None for all.
        """
        order = torch.arange(len(self)) if chosen is None else chosen.cpu()
        parts = order.split(size) if len(order) else ()
        take = self.follow(lambda: (part.numpy() for part in parts))
        for part in parts:
            yield take(part)

    def histogram(self) -> dict[str, int] | None:
        """Return the number of images of each class, by the class's name; None without labels."""
        labels = self.labels
        if labels is None or self.classes is None:
            return None
        counts = torch.bincount(labels[labels >= 0], minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))

    def fingerprint(self) -> str:
        """Return a digest of the images in their order, and of their labels; computed once."""
        if self._fingerprint is None:
            digest = blake2b(self.pixels.fingerprint().encode(), digest_size=16)
            if self._labels is not None:
                digest.update(self._labels.numpy().data)
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def notes(self) -> list[str]:
        """Return what people should know of these images, in sentences: what was left out or guessed."""
        notes = [*self.pixels.notes, *self.report.notes, *self.remarks]
        if self.pixels.extremes[1] <= 1:
            low, high = self.pixels.extremes
            notes.append(
                f"all values are {low} to {high} of 255, which is black: save images of 0 and 1 as "
                f"booleans or as floating point numbers"
            )
        if self.skipped:
            names = ", ".join(self.skipped[:3]) + (", ..." if len(self.skipped) > 3 else "")
            one = len(self.skipped) == 1
            notes.append(
                f"{len(self.skipped):,} damaged image{'' if one else 's'} of {self.name} "
                f"{'is' if one else 'are'} skipped ({names}); add strict=true to refuse them"
            )
        return notes

    def summary(self) -> str:
        """Return in one line what a run learns from: images, classes, splits, and where they are."""
        count, colour = f"{len(self):,}", "grey" if self.shape.channels == 1 else "colour"
        split = "training" if self.view.split == "train" else self.view.split
        size = f"{self.shape.width} x {self.shape.height}"
        parts = [f"{count} {split} image{'' if len(self) == 1 else 's'}, {size}, {colour}"]
        classes = self.histogram()
        if classes is None:
            parts.append("no labels")
        else:
            used = {name: number for name, number in classes.items() if number}
            shown = ", ".join(f"{name} {number:,}" for name, number in list(used.items())[:10])
            more = ", ..." if len(used) > 10 else ""
            parts.append(f"{len(used)} class{'es' * (len(used) != 1)} ({shown}{more})")
        if self.report.splits:
            splits = ", ".join(f"{name} {number:,}" for name, number in self.report.splits.items())
            parts.append(f"splits: {splits}")
        parts.append(self.pixels.where)
        return f"{self.name}: {'; '.join(parts)}"

    def description(self) -> dict[str, Any]:
        """Return what a run records of its data, fit for JSON.

        `classes` counts the images of each class; `values` are the smallest and largest pixel
        value; `splits` and `notes` are what the source says of its data and what decoding did.
        """
        return {
            "name": self.name,
            "split": self.view.split,
            "count": len(self),
            "shape": list(self.shape),
            "classes": self.histogram(),
            "validation": self.view.validation,
            "split_seed": self.view.split_seed,
            "skipped": len(self.skipped),
            "splits": dict(self.report.splits),
            "notes": [*self.report.notes, *self.remarks],
            "values": list(self.pixels.extremes),
        }
