"""gentk-tensorboard: runs in TensorBoard."""

from __future__ import annotations

import gentk.spec as gentk


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the observer `tensorboard`."""
    return [
        gentk.Component(
            kind="observer",
            name="tensorboard",
            target="gentk_tensorboard.board:TensorBoard",
            summary="curves, sample grids and settings for TensorBoard",
            hint="pip install gentk-tensorboard",
        )
    ]
