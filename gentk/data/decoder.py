"""Decoders: records -> arrays of one shape."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..interfaces import ImageShape, Records
from .picture import picture
from .remarks import Remarks
from .view import View

__all__ = ["Decoder", "UnexpectedColour"]


class UnexpectedColour(DataError):
    """An image in colour among images that seemed to be grey."""


@dataclass(frozen=True)
class Decoder:
    """Decodes records under a view; all arrays have one shape, damaged records give None.

    Attributes:
        records: The images.
        view: How they are brought to one shape.
        name: What the data are called in messages.
        shape: The shape that images must have; grey images become colour where it has 3 channels.
            None takes each image as it comes.
        remarks: What was done to the images besides, counted.
    """

    records: Records
    view: View
    name: str
    shape: ImageShape | None = None
    remarks: Remarks = field(default_factory=Remarks)

    def __call__(self, index: int) -> NDArray[np.uint8] | None:
        """Return record `index` as (C, H, W) uint8, or None if it is damaged.

        Raises:
            DataError: When it does not fit; when it is damaged and the view is strict.
            UnexpectedColour: When it is in colour and the shape is grey.
        """
        try:
            array = picture(self.records.decode(index), self.view, self.remarks.add)
        except (OSError, ValueError) as error:
            if self.view.strict:
                raise DataError(self.complaint(index, error)) from error
            return None
        except DataError as error:
            raise DataError(f"{self._called(index)}: {error}") from error
        return array if self.shape is None else self._fitted(array, index, self.shape)

    def complaint(self, index: int, error: BaseException) -> str:
        """Return the sentence that refuses a damaged record."""
        return (
            f"{self._called(index)} is damaged ({error}): repair or remove it, or drop "
            f"strict=true to skip such images"
        )

    def _called(self, index: int) -> str:
        return f"{self.name}: image {self.records.name(index)}"

    def _fitted(self, array: NDArray[np.uint8], index: int, shape: ImageShape) -> NDArray[np.uint8]:
        """Return `array` in `shape`, or refuse it."""
        if array.shape[1:] != (shape.height, shape.width):
            raise DataError(
                f"{self.name} has images of different sizes: {self.records.name(index)} has "
                f"{array.shape[2]} x {array.shape[1]} pixels, others {shape.width} x "
                f"{shape.height}; add size=N to bring all to N x N"
            )
        if array.shape[0] > shape.channels:
            raise UnexpectedColour(
                f"{self._called(index)} is in colour and others are grey: add channels=1 or "
                f"channels=3"
            )
        if array.shape[0] < shape.channels:
            return np.repeat(array, shape.channels, axis=0)
        return array
