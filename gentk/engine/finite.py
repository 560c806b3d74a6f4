"""Finiteness: where a run first left the finite numbers, named at its step and looked up only later.

    look = (sum |v| of each tensor v)        one number a tensor, on the device, not waited for

A sum of absolute values is finite if and only if all of the values are, and their mean is below the
largest float over their number, which nothing that trains comes near. Looks are kept with the scalars
of their step and read with them. Within a step they stand in the order in which its values came about:
samples, features, gradients, weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..summary import MomentSums, Samples, Summary

__all__ = [
    "Fault",
    "Look",
    "diverged",
    "finite",
    "first_fault",
    "look_at_features",
    "look_at_networks",
    "look_at_samples",
]


Told = Callable[[list[str], int], str]


@dataclass(frozen=True)
class Look:
    """The sizes of some tensors.

    Attributes:
        names: What each is called.
        sizes: (len(names),) the sum of the absolute values of each, not finite where one of them is not.
        told: Names of those that are not finite, how many there are -> what is said of it.
        updated: Whether they are what an update has made.
    """

    names: Sequence[str]
    sizes: Tensor
    told: Told
    updated: bool = False

    def fault(self) -> str | None:
        """Return what is not finite, None if all is; this waits for the device."""
        bad = [
            name
            for name, fine in zip(self.names, torch.isfinite(self.sizes).tolist(), strict=True)
            if not fine
        ]
        return self.told(bad, len(self.names)) if bad else None


@dataclass(frozen=True)
class Fault:
    """What first left the finite numbers in a step.

    Attributes:
        what: What a sentence says of it.
        updated: Whether weights had been updated in the step by then.
    """

    what: str
    updated: bool


def first_fault(looks: Sequence[Look], row: Mapping[str, float]) -> Fault | None:
    """Return what first left the finite numbers in a step, if anything did; waits for the device.

    Args:
        looks: Those of the step, in order.
        row: What was logged of it.
    """
    bad = [f"{name} became {value}" for name, value in row.items() if not math.isfinite(value)]
    updated = False
    for look in looks:
        updated = updated or look.updated
        fault = look.fault()
        if fault is not None:
            also = f" ({bad[0]})" if bad else ""
            return Fault(f"{fault} became non-finite{also}", updated)
    # Scalars are logged before the update that follows them: of one phase alone, before any.
    several = any(a.updated and not b.updated for a, b in pairwise(looks))
    return Fault(bad[0], several) if bad else None


def diverged(fault: Fault, step: int, kept: str) -> str:
    """Return the sentence that ends a run.

    Args:
        fault: What happened.
        step: In which step.
        kept: What there is of the run.
    """
    if step == 1 and not fault.updated:
        return (
            f"{fault.what} at step 1, before any weight was updated, so that no learning rate mends it; "
            "look in the loss, the networks and the data for a division, a logarithm or a root of 0"
        )
    return (
        f"{fault.what} at step {step}; {kept}: "
        "type the command again with a smaller learning rate, such as --optimizer adam,lr=1e-4"
    )


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
        weights += _look(rows, partial(_weight, network), updated=True)
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


def _look(rows: Sequence[tuple[str, Tensor]], told: Told, *, updated: bool = False) -> list[Look]:
    if not rows:
        return []
    norms = torch._foreach_norm([value for _, value in rows], 1)
    return [Look([name for name, _ in rows], torch.stack(norms), told, updated)]
