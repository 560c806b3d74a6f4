"""The published formulas, typed as they stand, in float64 and without a thought for speed."""

from __future__ import annotations

import torch


def drift(gen, positive, negative, temperatures, weights=None):
    """Forces, loss (mean over elements) and unit of one feature map and one label, step by step."""
    targets = torch.cat([gen, negative, positive])
    w = torch.ones(len(targets), dtype=gen.dtype) if weights is None else weights
    d = ((gen[:, None] - targets[None]).square().sum(-1)).clamp(min=1e-8).sqrt()
    scale = (d * w).mean() / w.mean()
    unit = (scale / gen.shape[1] ** 0.5).clamp(min=1e-3)
    x, y = gen / unit, targets / unit
    d = d / scale.clamp(min=1e-3)
    for i in range(len(gen)):
        d[i, i] += 100
    split = len(gen) + len(negative)
    total, sizes = torch.zeros_like(gen), []
    for r in temperatures:
        a = (torch.softmax(-d / r, 1) * torch.softmax(-d / r, 0)).clamp(min=1e-6).sqrt() * w
        pos, neg = a[:, split:], a[:, :split]
        c = torch.cat([-neg * pos.sum(1, keepdim=True), pos * neg.sum(1, keepdim=True)], 1)
        force = c @ y - c.sum(1, keepdim=True) * x
        rms = force.square().mean().clamp(min=1e-8).sqrt()
        sizes.append(rms)
        total = total + force / rms
    goal = (x + total).detach()
    return total, (x - goal).square().mean(), torch.stack(sizes), unit


def gaussian_kl(z, p, q, ridge):
    """v(z) with plain inverses."""
    one = torch.eye(z.shape[1], dtype=z.dtype)
    there = torch.linalg.inv(p[1] + ridge * one)
    here = torch.linalg.inv(q[1] + ridge * one)
    return torch.stack([there @ (p[0] - row) - here @ (q[0] - row) for row in z])


def sinkhorn(x, y, eps, sweeps):
    """The plan of uniform marginals after full sweeps, rows then columns, not in the log domain."""
    k = torch.exp(-0.5 * torch.cdist(x, y).square() / eps)
    u, v = torch.ones(len(x), dtype=x.dtype), torch.ones(len(y), dtype=x.dtype)
    for _ in range(sweeps):
        u = 1 / len(x) / (k @ v)
        v = 1 / len(y) / (k.T @ u)
    return u[:, None] * k * v
