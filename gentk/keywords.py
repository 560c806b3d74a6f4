"""Keywords: the keys of a recipe as typed keyword arguments, so that editors know them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

__all__ = ["RecipeKeys"]

Table = Mapping[str, object]
Names = str | Sequence[str] | None


class RecipeKeys(TypedDict, total=False):
    """The keys of `gentk.recipe.Recipe` as `gentk.run` and `gentk.compose` take them.

    A component is written `NAME[:ARGUMENT][,KEY=VALUE...]`. None is as if the key was not given;
    `"none"` takes back what the recipe says, where a key may be left out.
    """

    summary: str | None
    data: str | None
    extractor: Names
    generator: str | None
    encoder: str | None
    critic: str | None
    loss: Names
    penalty: Names
    estimator: Names
    batch: int | None
    chunk: int | Literal["none"] | None
    reference: int | Literal["none"] | None
    optimizer: str | None
    schedule: Sequence[Table] | None
    decay: Literal["none", "linear", "cosine"] | None
    clip: float | Literal["none"] | None
    ema: float | Literal["none"] | None
    steps: int | Literal["none"] | None
    minutes: float | Literal["none"] | None
    init: str | None
    codec: str | None
    seed: int | None
    device: str | None
    dtype: Literal["float32", "bfloat16"] | None
    threads: int | Literal["none"] | None
    out: str | Path | None
    observer: Names
    phase: Mapping[str, Table] | None
    stage: Mapping[str, Table] | None
