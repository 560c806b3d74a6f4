"""The kernel matrix of samples and fixed points, differentiable in the samples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from gentk.summary import check_tensors

from .kernels import Kernel, check_kernel

__all__ = ["gram"]


def gram(x: Tensor, z: Tensor, kernel: Kernel) -> Tensor:
    """Return k(x_i, z_j), (N, M), differentiable once in x.

    Args:
        x: (N, D).
        z: (M, D), of the same type.
        kernel: The kernel.
    """
    check_tensors("gram", x=(x, "N D"), z=(z, "M D"))
    check_kernel(kernel)
    matrix: Tensor = _Gram.apply(x, z.detach(), kernel)
    return matrix


class _Gram(torch.autograd.Function):
    """With w = f'(t) g: df = 2 (x sum w - w z) for distances, w z / D for products."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, z: Tensor, kernel: Kernel) -> Tensor:
        ctx.kernel = kernel
        products = x @ z.T
        match kernel.of:
            case "distance":
                centre = z.mean(0)
                squares = (x - centre).square().sum(1)[:, None] + (z - centre).square().sum(1)
                t = squares.sub_((x - centre) @ (z - centre).T, alpha=2).clamp_(min=0)
            case "product":
                t = products / x.shape[1]
            case None:
                t = torch.zeros_like(products)
        values, slopes = kernel.slopes(t)
        ctx.save_for_backward(x, z, slopes)
        return values + kernel.linear * products if kernel.linear else values.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        x, z, slopes = ctx.saved_tensors
        kernel: Kernel = ctx.kernel
        weight = slopes * grad * kernel.slope
        if kernel.of == "distance":
            slope = 2 * (weight.sum(1, keepdim=True) * x - weight @ z)
        else:
            slope = weight @ z / x.shape[1]
        return slope + kernel.linear * (grad @ z) if kernel.linear else slope, None, None
