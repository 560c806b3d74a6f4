"""Pooling: maps and tokens as one vector a sample, the class token apart from the patches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from torch import Tensor, nn

from gentk.errors import Incompatible
from gentk.interfaces import Features

from .taps import Call

__all__ = ["Pool", "Pooling"]

Pool = Literal["none", "mean", "cls"]


class Pooling:
    """What becomes of tokens and maps.

    Networks of tokens put class, distillation and register tokens before those of the patches. `mean`
    is the mean over patches without them, and of a map that over its positions; `cls` is the first of
    them. `none` leaves features as they are: metrics that pool (`fd`, `kid`, ...) then average all
    tokens alike.

    Args:
        pool: Which of these.
        network: The network, whole.
        calls: The layers, as they came out of a run of example images.

    Attributes:
        prefixes: Layer -> how many tokens stand before the patches, for layers of tokens.

    Raises:
        Incompatible: `cls` of a layer without a class token.
    """

    def __init__(self, pool: Pool, network: nn.Module, calls: Iterable[Call]) -> None:
        self.pool = pool
        first: Any = getattr(network, "cls_token", None)
        self._has_class = isinstance(first, Tensor)
        count = getattr(network, "num_prefix_tokens", 0)
        patches = getattr(getattr(network, "patch_embed", None), "num_patches", None)
        self.prefixes: Mapping[str, int] = {
            call.name: count if patches is not None and call.shape[1] - patches == count else 0
            for call in calls
            if call.shape is not None and len(call.shape) == 3
        }
        if pool == "cls":
            for call in calls:
                if not (self._has_class and self.prefixes.get(call.name)):
                    raise Incompatible(
                        f"the layer {call.name!r} has no class token, so pool=cls cannot take it; type "
                        "pool=mean, or other layers"
                    )

    def __call__(self, features: Features) -> Features:
        """Return the features pooled: (N, D) each, unless nothing is to be pooled."""
        if self.pool == "none":
            return features
        return {name: self._pooled(name, value) for name, value in features.items()}

    def _pooled(self, name: str, value: Tensor) -> Tensor:
        if value.dim() == 4:
            return value.mean((2, 3))
        if value.dim() != 3:
            return value
        return value[:, 0] if self.pool == "cls" else value[:, self.prefixes.get(name, 0) :].mean(1)

    def describe(self) -> dict[str, str]:
        """Return which tokens make a pooled feature; nothing where there is no choice."""
        if self.pool != "none":
            return {"pool": "class token" if self.pool == "cls" else "mean of patches"}
        return {"pool": "mean of all tokens"} if any(self.prefixes.values()) else {}

    def notes(self) -> tuple[str, ...]:
        """Return what to say where tokens of two kinds would be averaged."""
        mixed = [name for name, count in self.prefixes.items() if count and self.pool == "none"]
        if not mixed:
            return ()
        count, what = self.prefixes[mixed[-1]], "class" if self._has_class else "register"
        return (
            f"the layer {mixed[-1]} has {count} token{'s' * (count != 1)} (the first a {what} token) "
            f"before those of the patches, and metrics that pool, such as fd and kid, average them "
            f"alike; pool=mean takes the patches{', pool=cls the class token' * self._has_class}",
        )
