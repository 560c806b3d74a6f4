"""The squared maximum mean discrepancy of two weighted sets of samples.

With samples x_i of weights u_i and y_j of weights v_j, each adding up to one (1/n if not given)

    biased (V)     MMD^2 = u'K_xx u + v'K_yy v - 2 u'K_xy v  >= 0
    unbiased (U)   MMD^2 = sum_{i!=j} u_i u_j k(x_i, x_j) / (1 - sum u^2) + (the same of y) - 2 u'K_xy v

Value and gradient are made in one pass over blocks of rows, so that memory grows with the number of
samples and not with its square. For a kernel of t = |x - y|^2 with f' = dk/dt

    dMMD^2 / dx_i = 4 u_i sum_j [u_j f'(x_i, x_j) (x_i - x_j) - v_j f'(x_i, y_j) (x_i - y_j)],

the first sum over 1 - sum u^2 if unbiased: as many matrix products as the value takes. Blocks of a set
with itself lie on and above the diagonal. Distances are |x|^2 + |y|^2 - 2 <x, y> about the mean of y, at
least 0, and exactly 0 on the diagonal.

Source: A. Gretton, K. Borgwardt, M. Rasch, B. Schoelkopf, A. Smola, "A Kernel Two-Sample Test", JMLR
13:723-773, 2012, eqs. 3 and 5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from gentk.precision import double
from gentk.summary import check_tensors

from .kernels import Kernel, check_kernel
from .pairs import Side, across, linear, within

__all__ = ["mean_across", "mean_paired", "mean_within", "mmd2"]


def mmd2(
    x: Tensor,
    y: Tensor,
    kernel: Kernel,
    *,
    x_weights: Tensor | None = None,
    y_weights: Tensor | None = None,
    unbiased: bool = False,
    constant: int = 0,
    block: int | None = None,
) -> Tensor:
    """Return MMD^2, a float64 scalar, differentiable once in x and y (not in the weights).

    Args:
        x: (N, D); float64 is computed in float64, anything else in float32, sums in float64.
        y: (M, D).
        kernel: The kernel.
        x_weights: (N,), adding up to one; None for 1/N each.
        y_weights: (M,), adding up to one; None for 1/M each.
        unbiased: Leave out pairs of a sample with itself.
        constant: How many of the first x are constants, whose gradient is not made: it stays zero.
        block: Rows in a block; None for what suits.

    Raises:
        Incompatible: An argument is no tensor or no kernel, or the features differ in number.
        DataError: There are too few samples.
    """
    count = 2 if unbiased else 1
    check_tensors(
        f"mmd2 with unbiased={str(unbiased).lower()}",
        {"N": count, "M": count},
        x=(x, "N D"),
        y=(y, "M D"),
        x_weights=(x_weights, "N"),
        y_weights=(y_weights, "M"),
    )
    check_kernel(kernel)
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    graph = torch.is_grad_enabled()
    sides = (
        Side(x.detach().to(dtype), x_weights, unbiased, graph and x.requires_grad, constant),
        Side(y.detach().to(dtype), y_weights, unbiased, graph and y.requires_grad),
    )
    value: Tensor = _Discrepancy.apply(x.to(dtype), y.to(dtype), kernel, *sides, unbiased, block)
    return value


def mean_within(x: Tensor, kernel: Kernel) -> Tensor:
    """Return the mean of k(x_i, x_j) over i != j, a float64 scalar, differentiable once in x.

    Args:
        x: (N, D), N > 1.
        kernel: The kernel.
    """
    check_tensors("mean_within", {"N": 2}, x=(x, "N D"))
    check_kernel(kernel)
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    side = Side(wide.detach(), None, True, torch.is_grad_enabled() and x.requires_grad)
    mean: Tensor = _Within.apply(wide, kernel, side)
    return mean


def mean_across(x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
    """Return the mean of k(x_i, y_j) over all pairs, a float64 scalar, differentiable once in x and y.

    Args:
        x: (N, D).
        y: (M, D).
        kernel: The kernel.
    """
    check_tensors("mean_across", x=(x, "N D"), y=(y, "M D"))
    check_kernel(kernel)
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    graph = torch.is_grad_enabled()
    sides = [Side(z.detach().to(dtype), None, False, graph and z.requires_grad) for z in (x, y)]
    mean: Tensor = _Across.apply(x.to(dtype), y.to(dtype), kernel, *sides)
    return mean


def mean_paired(x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
    """Return the mean of k(x_i, y_i), a float64 scalar, differentiable once in x and y.

    Args:
        x: (N, D).
        y: (N, D).
        kernel: The kernel.
    """
    check_tensors("mean_paired", x=(x, "N D"), y=(y, "N D"))
    check_kernel(kernel)
    linear = kernel.linear * (x * y).sum(1)
    match kernel.of:
        case "distance":
            t = (x - y).square().sum(1)
        case "product":
            t = (x * y).mean(1)
        case None:
            return double(linear.mean())
    values, slopes = kernel.slopes(t.detach().clone())
    # A kernel knows its derivative: the rest is the chain rule.
    return double((values + kernel.slope * slopes * (t - t.detach()) + linear).mean())


class _Discrepancy(torch.autograd.Function):
    """MMD^2 whose gradient is made beside the value, while a block is at hand."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        y: Tensor,
        kernel: Kernel,
        left: Side,
        right: Side,
        unbiased: bool,
        block: int | None,
    ) -> Tensor:
        total = x.new_zeros((), dtype=left.wide)
        gradients: list[Tensor | None] = [None, None]
        if kernel.linear:
            plain, *slopes = linear(left, right, unbiased)
            total = total + kernel.linear * plain
            gradients = [s if s is None else kernel.linear * s for s in slopes]
        if kernel.of is not None:
            centre = y.mean(0) if kernel.of == "distance" else None
            left.begin(centre)
            right.begin(centre)
            for side in (left, right):
                total = total + within(side, kernel, unbiased, block)
            total = total - 2 * across(left, right, kernel, block)
            for index, side in enumerate((left, right)):
                if side.wanted:
                    slope, held = side.gradient(kernel), gradients[index]
                    gradients[index] = slope if held is None else slope.add_(held)
        ctx.save_for_backward(*gradients)
        return double(total)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        slopes = [s if s is None else s * grad.to(s.device, s.dtype) for s in ctx.saved_tensors]
        return (*slopes, None, None, None, None, None)


class _Within(torch.autograd.Function):
    """The mean of a kernel over the pairs of a set, with its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Kernel, side: Side) -> Tensor:
        total = x.new_zeros((), dtype=side.wide)
        slope = None
        if kernel.linear:
            # What <x, y> adds is that of MMD^2 to a set of zeros.
            zeros = Side(torch.zeros_like(side.rows[:2]), None, False, False)
            plain, own, _ = linear(side, zeros, True)
            total = total + kernel.linear * plain
            slope = own if own is None else kernel.linear * own
        if kernel.of is not None:
            side.begin(x.mean(0) if kernel.of == "distance" else None)
            total = total + within(side, kernel, True, None)
            if side.wanted:
                pairs = side.gradient(kernel)
                slope = pairs if slope is None else slope.add_(pairs)
        ctx.save_for_backward(slope)
        return double(total)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None]:
        (slope,) = ctx.saved_tensors
        return slope if slope is None else slope * grad.to(slope), None, None


class _Across(torch.autograd.Function):
    """The mean of a kernel over the pairs of two sets, with its gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, kernel: Kernel, left: Side, right: Side) -> Tensor:
        means = [side.weights @ side.rows.to(side.wide) for side in (left, right)]
        total = kernel.linear * means[0].dot(means[1])
        others = [kernel.linear * mean for mean in reversed(means)]
        slopes = [
            side.weights[:, None] * other if side.wanted else None
            for side, other in zip((left, right), others, strict=True)
        ]
        if kernel.of is not None:
            centre = y.mean(0) if kernel.of == "distance" else None
            left.begin(centre)
            right.begin(centre)
            total = total + across(left, right, kernel, None)
            for index, side in enumerate((left, right)):
                held = slopes[index]
                if held is not None:
                    # The sums are those of MMD^2, in which this mean has the factor -2.
                    slopes[index] = held - side.gradient(kernel) / 2
        ctx.save_for_backward(*slopes)
        return double(total)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        slopes = [s if s is None else (s * grad).to(s.dtype) for s in ctx.saved_tensors]
        return (*slopes, None, None, None)
