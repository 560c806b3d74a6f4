"""The witness function of the MMD: where the data are denser than the model, as a kernel sees it.

    f(x) = sum_j v_j k(x, y_j) - sum_i u_i k(x, x_i),    MMD^2 = mean f over the data - over the model

with y_j of the data and x_i of the model, weights as in `discrepancy`. Plain autograd: it may be
differentiated twice, in x and in both sets.

Source: M. Binkowski, D. J. Sutherland, M. Arbel, A. Gretton, "Demystifying MMD GANs", ICLR 2018,
arXiv:1801.01401, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gentk.summary import check_tensors

from .kernels import Kernel, check_kernel

__all__ = ["witness"]


def witness(
    points: Tensor,
    data: Tensor,
    model: Tensor,
    kernel: Kernel,
    *,
    data_weights: Tensor | None = None,
    model_weights: Tensor | None = None,
) -> Tensor:
    """Return f, (K,).

    Args:
        points: Where, (K, D).
        data: (M, D).
        model: (N, D).
        kernel: The kernel.
        data_weights: (M,), adding up to one; None for 1/M each.
        model_weights: (N,), adding up to one; None for 1/N each.
    """
    check_tensors(
        "witness",
        points=(points, "K D"),
        data=(data, "M D"),
        model=(model, "N D"),
        data_weights=(data_weights, "M"),
        model_weights=(model_weights, "N"),
    )
    check_kernel(kernel)
    return _mean(points, data, kernel, data_weights) - _mean(points, model, kernel, model_weights)


def _mean(points: Tensor, rows: Tensor, kernel: Kernel, weights: Tensor | None) -> Tensor:
    """Return the mean of k(x, .) over rows, (K,)."""
    products = points @ rows.T
    match kernel.of:
        case "distance":
            centre = rows.mean(0).detach()
            x, y = points - centre, rows - centre
            squares = x.square().sum(1)[:, None] + y.square().sum(1)
            values = kernel.plain((squares - 2 * x @ y.T).clamp(min=0))
        case "product":
            values = kernel.plain(products / points.shape[1])
        case None:
            values = torch.zeros_like(products)
    if kernel.linear:
        values = values + kernel.linear * products
    return values.mean(1) if weights is None else values @ weights.to(values.dtype)
