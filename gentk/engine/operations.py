"""Operations: how many floating-point operations a computation takes, on whatever machine.

Counted are products of matrices, convolutions and attention, as `torch.utils.flop_counter` counts them
(a multiplication and an addition are two), and decompositions of matrices, forward and backward. What is
done number by number is not: beside the others it is small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils.flop_counter import flop_registry

__all__ = ["Operations"]

aten = torch.ops.aten


def _matrices(a: Tensor) -> int:
    return a.shape[:-2].numel()


def _cholesky(a: Tensor, *_: Any, **__: Any) -> float:
    return _matrices(a) * a.shape[-1] ** 3 / 3


def _eigh(a: Tensor, triangle: str = "L", compute_v: bool = True, **_: Any) -> float:
    return _matrices(a) * a.shape[-1] ** 3 * (9 if compute_v else 4 / 3)


def _svd(a: Tensor, full: bool = False, compute_uv: bool = True, **_: Any) -> float:
    long, short = max(a.shape[-2:]), min(a.shape[-2:])
    each = 6 * long * short**2 + 20 * short**3
    return _matrices(a) * (each if compute_uv else 2 * long * short**2 + 2 * short**3)


def _qr(a: Tensor, *_: Any, **__: Any) -> float:
    long, short = max(a.shape[-2:]), min(a.shape[-2:])
    return _matrices(a) * 2 * (2 * long * short**2 - 2 * short**3 / 3)


def _lu(a: Tensor, *_: Any, **__: Any) -> float:
    return _matrices(a) * 2 * a.shape[-1] ** 3 / 3


def _inverse(a: Tensor, *_: Any, **__: Any) -> float:
    return _matrices(a) * 2 * a.shape[-1] ** 3


def _triangular(a: Tensor, b: Tensor, *_: Any, **__: Any) -> float:
    # From either side: b has as many numbers.
    return _matrices(a) * a.shape[-1] * b.shape[-2:].numel()


def _added_product(_own: Tensor, a: Tensor, b: Tensor, **__: Any) -> float:
    return 2 * a.numel() * b.shape[-1]


def _cholesky_solve(b: Tensor, factor: Tensor, *_: Any, **__: Any) -> float:
    return 2 * _triangular(factor, b)


def _cdist(x: Tensor, y: Tensor, *_: Any, **__: Any) -> float:
    return _matrices(x) * 3 * x.shape[-2] * y.shape[-2] * x.shape[-1]


def _attention(
    query: Tensor, key: Tensor, value: Tensor, of_keys: int = 1, of_values: int = 1
) -> float:
    """Products of all queries with all keys, and with all values, each so many times."""
    pairs = query.shape[:-1].numel() * key.shape[-2]
    return 2 * pairs * (of_keys * query.shape[-1] + of_values * value.shape[-1])


def _attention_forward(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> float:
    return _attention(query, key, value)


def _attention_backward(
    _gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any
) -> float:
    # Scores again, gradients of queries and of keys; those of values and of the weights.
    return _attention(query, key, value, 3, 2)


BESIDES: Mapping[Any, Callable[..., float]] = {
    aten.linalg_cholesky_ex: _cholesky,
    aten._linalg_eigh: _eigh,
    aten._linalg_svd: _svd,
    aten.linalg_qr: _qr,
    aten.linalg_lu_factor_ex: _lu,
    aten._linalg_solve_ex: _lu,
    aten.linalg_inv_ex: _inverse,
    aten.cholesky_inverse: _inverse,
    aten.linalg_solve_triangular: _triangular,
    aten.cholesky_solve: _cholesky_solve,
    aten.addmm_: _added_product,
    aten._cdist_forward: _cdist,
    aten._scaled_dot_product_flash_attention_for_cpu: _attention_forward,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}
"""Operator that torch's counter lacks -> its operations: decompositions by Golub and Van Loan, Matrix
Computations (2013), the product in place, and attention on the CPU, as torch counts it on a GPU.
"""


def _eigenvalues(a: Tensor, *_: Any, **__: Any) -> float:
    return _matrices(a) * a.shape[-1] ** 3 * 4 / 3


def _singular_values(a: Tensor, *_: Any, **__: Any) -> float:
    long, short = max(a.shape[-2:]), min(a.shape[-2:])
    return _matrices(a) * 2 * (long * short**2 + short**3)


ALONE: Mapping[Any, Callable[..., float]] = {
    torch.linalg.eigvalsh: _eigenvalues,
    torch.linalg.svdvals: _singular_values,
}
"""Functions that torch would compute with vectors, so in other bits, where operators are watched."""


class Operations:
    """Counts the operations that are done while it is entered, and changes none of their numbers.

    Attributes:
        total: Operations so far.
    """

    def __init__(self) -> None:
        self.total = 0
        self._modes = ExitStack()

    def __enter__(self) -> Operations:
        """Begin to count."""
        self._modes.enter_context(_Operators(self))
        self._modes.enter_context(_Functions(self))
        return self

    def __exit__(self, *_: object) -> None:
        """Count no longer."""
        self._modes.close()


class _Operators(TorchDispatchMode):
    """Counts operators, also those of a backward pass."""

    def __init__(self, count: Operations) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = count

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        packet = func._overloadpacket
        if packet in flop_registry:
            self.count.total += int(flop_registry[packet](*args, **kwargs, out_val=out))
        elif packet in BESIDES:
            self.count.total += round(BESIDES[packet](*args, **kwargs))
        return out


class _Functions(TorchFunctionMode):
    """Counts functions that are done as they are where no operators are watched."""

    def __init__(self, count: Operations) -> None:
        super().__init__()
        self.count = count

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func not in ALONE or args[0].requires_grad:
            return func(*args, **kwargs)
        self.count.total += round(ALONE[func](*args, **kwargs))
        with _disable_current_modes():
            return func(*args, **kwargs)
