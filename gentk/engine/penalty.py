"""Penalties: what networks add to their training on account of their own weights."""

from __future__ import annotations

from torch import Tensor

from ..interfaces import Critic, Encoder, Generator, total

__all__ = ["penalise"]


def penalise(**networks: Generator | Encoder | Critic | None) -> dict[str, Tensor]:
    """Add the gradient of networks' penalties and return `penalty/NETWORK/TERM`, detached."""
    shown: dict[str, Tensor] = {}
    for name, network in networks.items():
        terms = network.penalty() if network is not None else {}
        if terms:
            total(terms).backward()
        shown |= {f"penalty/{name}/{key}": value.detach() for key, value in terms.items()}
    return shown
