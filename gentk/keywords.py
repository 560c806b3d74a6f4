"""Keywords: the keys of a recipe as typed keyword arguments, so that editors know them.

Types are named for type checkers only: importing this imports nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any, Literal

    from numpy.typing import NDArray
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.utils.data import Dataset

    from .interfaces import Estimator, Features, Loss, Observer, Penalty, Source
    from .runs.objects import Own
    from .runs.trained import Run

    Table = Mapping[str, object]
    Array = Tensor | NDArray[Any]
    Data = str | Path | Array | tuple[Array, Array] | Dataset[Any] | Source | Own
    Part = str | nn.Module | Own
    Extract = str | nn.Module | Callable[[Tensor], Any] | Own
    Compare = str | Loss | Callable[[Features, Features], Tensor | Mapping[str, Tensor]] | Own
    Move = str | Callable[[Iterable[nn.Parameter]], Optimizer] | Own
    Penalise = str | Penalty | Own
    Estimate = str | Estimator | Own

__all__ = ["ObjectKeys", "OverKeys", "RecipeKeys"]


class ObjectKeys(TypedDict, total=False):
    """The keys of a recipe whose values may be objects, as `gentk.load` takes them."""

    data: Data | None
    extractor: Extract | Sequence[Extract] | None
    generator: Part | None
    encoder: Part | None
    critic: Part | None
    loss: Compare | Sequence[Compare] | None
    penalty: Penalise | Sequence[Penalise] | None
    estimator: Estimate | Sequence[Estimate] | None
    optimizer: Move | None


class RecipeKeys(ObjectKeys, total=False):
    """The keys of `gentk.recipe.Recipe` as `gentk.run` and `gentk.compose` take them.

    A component is written `NAME[:ARGUMENT][,KEY=VALUE...]`, or is an object. None is as if the key was
    not given; `"none"` takes back what the recipe says, where a key may be left out.
    """

    summary: str | None
    batch: int | None
    chunk: int | Literal["none"] | None
    reference: int | Literal["none"] | None
    schedule: Sequence[Table] | None
    decay: Literal["none", "linear", "cosine"] | None
    clip: float | Literal["none"] | None
    ema: float | Literal["none"] | None
    steps: int | Literal["none"] | None
    minutes: float | Literal["none"] | None
    operations: float | Literal["none"] | None
    init: str | Path | Run | nn.Module | Own | None
    codec: str | Path | Run | None
    seed: int | None
    device: str | None
    dtype: Literal["float32", "bfloat16"] | None
    threads: int | Literal["none"] | None
    out: str | Path | None
    observer: str | Sequence[str | Observer] | Observer | None
    phase: Mapping[str, Table] | None
    stage: Mapping[str, Table] | None


class OverKeys(TypedDict, total=False):
    """What `gentk.sweep` is over: keys of a recipe, each with the values that it takes in turn.

    A value is what `gentk.run` takes for the key; where that may be several components, one value may be
    a sequence of them.
    """

    data: Sequence[Data]
    extractor: Sequence[Extract | Sequence[Extract]]
    generator: Sequence[Part]
    encoder: Sequence[Part]
    critic: Sequence[Part]
    loss: Sequence[Compare | Sequence[Compare]]
    penalty: Sequence[Penalise | Sequence[Penalise]]
    estimator: Sequence[Estimate | Sequence[Estimate]]
    optimizer: Sequence[Move]
    batch: Sequence[int]
    chunk: Sequence[int | Literal["none"]]
    reference: Sequence[int | Literal["none"]]
    decay: Sequence[Literal["none", "linear", "cosine"]]
    clip: Sequence[float | Literal["none"]]
    ema: Sequence[float | Literal["none"]]
    init: Sequence[str | Path | Run]
    codec: Sequence[str | Path | Run]
    dtype: Sequence[Literal["float32", "bfloat16"]]
