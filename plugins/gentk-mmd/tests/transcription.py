"""MMD in float64 numpy, pair by pair, independent of the package."""

from __future__ import annotations

import numpy as np

ALPHAS = (0.2, 0.5, 1, 2, 5)


def kernel(name: str, x: np.ndarray, y: np.ndarray, bandwidths=(2.0,), convention="gmmn") -> float:
    """k(x, y) of two vectors, as its formula is printed."""
    d2 = float(((x - y) ** 2).sum())
    scale = 1 / len(bandwidths) if convention == "standard" else 1.0
    match name:
        case "gaussian":
            widths = [s**2 if convention == "standard" else s for s in bandwidths]
            return scale * sum(np.exp(-d2 / (2 * s)) for s in widths)
        case "laplacian":
            return scale * sum(np.exp(-np.sqrt(d2) / s) for s in bandwidths)
        case "energy":
            return -np.sqrt(d2)
        case "rational-quadratic":
            return sum((1 + d2 / (2 * a)) ** -a for a in ALPHAS)
        case "rational-quadratic-dot":
            return kernel("rational-quadratic", x, y) + float(x @ y)
        case "dot":
            return float(x @ y)
        case "polynomial":
            return (float(x @ y) / len(x) + 1) ** 3
    raise KeyError(name)


def mmd2(x, y, name, u=None, v=None, unbiased=False, **options) -> float:
    """MMD^2 by three double loops."""
    u = np.full(len(x), 1 / len(x)) if u is None else u
    v = np.full(len(y), 1 / len(y)) if v is None else v

    def within(rows, w):
        total = sum(
            w[i] * w[j] * kernel(name, rows[i], rows[j], **options)
            for i in range(len(rows))
            for j in range(len(rows))
            if not (unbiased and i == j)
        )
        return total / (1 - (w**2).sum()) if unbiased else total

    cross = sum(
        u[i] * v[j] * kernel(name, x[i], y[j], **options)
        for i in range(len(x))
        for j in range(len(y))
    )
    return within(x, u) + within(y, v) - 2 * cross
