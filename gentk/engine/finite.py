"""Finiteness: where a run first left the finite numbers, named at its step and looked up only later.

    look = (sum |v| of each tensor v)        one number a tensor, on the device, not waited for

A sum of absolute values is finite if and only if all of the values are, and their mean is below the
largest float over their number, which nothing that trains comes near. Looks are kept with the scalars
of their step and read with them. Within a step they stand in the order in which its values came about:
samples, features, gradients, weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ..summary import MomentSums, Samples, Summary

__all__ = ["Look", "finite", "look_at_features", "look_at_networks", "look_at_samples"]


Told = Callable[[list[str], int], str]


@dataclass(frozen=True)
class Look:
    """The sizes of some tensors.

    Attributes:
        names: What each is called.
        sizes: (len(names),) the sum of the absolute values of each, not finite where one of them is not.
        told: Names of those that are not finite, how many there are -> what is said of it.
    """

    names: Sequence[str]
    sizes: Tensor
    told: Told

    def fault(self) -> str | None:
        """Return what is not finite, None if all is; this waits for the device."""
        bad = [
            name
            for name, fine in zip(self.names, torch.isfinite(self.sizes).tolist(), strict=True)
            if not fine
        ]
        return self.told(bad, len(self.names)) if bad else None


def finite(looks: Iterable[Look]) -> bool:
    """Say whether all is finite: one question to the device for all looks."""
    fine = [torch.isfinite(look.sizes) for look in looks]
    return bool(torch.cat(fine).all()) if fine else True


def look_at_networks(networks: Mapping[str, nn.Module]) -> list[Look]:
    """Look at the gradients and the weights of networks after a step."""
    gradients, weights = [], []
    for network, module in networks.items():
        rows = [(name, p.detach()) for name, p in module.named_parameters() if p.numel()]
        slopes = [(n, p.grad) for n, p in module.named_parameters() if p.grad is not None]
        gradients += _look([(n, g) for n, g in slopes if g.numel()], partial(_gradient, network))
        weights += _look(rows, partial(_weight, network))
    return gradients + weights


def look_at_samples(network: str, samples: Tensor) -> list[Look]:
    """Look at what a network makes."""
    return _look([("samples", samples.detach())], lambda *_: f"what the {network} makes")


def look_at_features(summary: Summary) -> list[Look]:
    """Look at what an extractor's layers make of samples."""

    def told(bad: list[str], count: int) -> str:
        extractor, _, layer = bad[0].rpartition("/")
        return f"layer {layer} of the extractor {extractor}"

    if isinstance(summary, MomentSums):
        parts = summary.sums.detach().split([size for _, size in summary.layout])
    elif isinstance(summary, Samples):
        parts = summary.rows.detach().split(summary.sizes, dim=1)
    else:
        whole = [(name, value.detach()) for name, value in summary.to_tensors().items()]
        return _look(whole, lambda bad, _: f"the {bad[0]} of the features")
    return _look(list(zip([name for name, _ in summary.layout], parts, strict=True)), told)


def _weight(network: str, bad: list[str], _: int) -> str:
    return f"the weight {bad[0]} of the {network}"


def _gradient(network: str, bad: list[str], count: int) -> str:
    """Say where a gradient began: it goes from a network's end to its beginning."""
    if len(bad) == 1:
        return f"the gradient of {bad[0]} of the {network}"
    if len(bad) == count:
        return f"the gradient of the {network}, of all parameters from {bad[0]} to {bad[-1]},"
    return f"the gradient of the {network} at {bad[-1]}, and from there back to {bad[0]},"


def _look(rows: Sequence[tuple[str, Tensor]], told: Told) -> list[Look]:
    if not rows:
        return []
    norms = torch._foreach_norm([value for _, value in rows], 1)
    return [Look([name for name, _ in rows], torch.stack(norms), told)]
