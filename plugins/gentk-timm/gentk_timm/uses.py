"""Uses: which tensors the operations of a forward pass take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["Uses"]


class Uses(TorchDispatchMode):
    """A context that counts how often operations take each of the watched tensors.

    It sees every operation, whether a module or a function calls it, so that what it has not seen
    used is not used.

    Args:
        watched: Tensors to watch from the start; they are kept alive, so that their identity is
            theirs alone.
    """

    def __init__(self, watched: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self._watched = {id(tensor): tensor for tensor in watched}
        self._counts: Counter[int] = Counter()

    def watch(self, tensor: Tensor) -> None:
        """Watch one more tensor from here on."""
        self._watched[id(tensor)] = tensor

    def count(self, tensor: Tensor) -> int:
        """Return how many operations have taken a watched tensor."""
        return self._counts[id(tensor)]

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Count the arguments of one operation and perform it."""
        kwargs = kwargs or {}
        taken = {id(leaf) for leaf in tree_leaves((args, kwargs)) if id(leaf) in self._watched}
        self._counts.update(taken)
        return func(*args, **kwargs)
