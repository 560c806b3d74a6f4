"""Exactness: the steps of several ranks beside those that one process takes with the same chunks.

Ranks are simulated (`gentk.testing.ranks`), so that this takes neither a launcher nor time. What is
compared is what plain gradient descent with learning rate 1 would move, and running means: an optimiser
that divides by the gradient's size would hide a factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace

import torch
from torch import Tensor

from ..engine import World
from ..engine.world import check_chunks
from ..errors import Incompatible
from ..families import Composition, Phase, Program
from ..families.base import fit_penalties
from ..families.learned import family_for
from ..runs.composing import check
from .likeness import difference
from .ranks import together
from .suite import skip

__all__ = [
    "BATCH",
    "CHUNK",
    "LIMIT",
    "Trial",
    "check_ranks",
    "deviations",
    "flat",
    "gradients",
    "moved",
    "program_of",
]

BATCH, CHUNK = 11, 3
"""A batch that ranks do not divide: chunks of 3, 3, 3 and 2 samples."""

LIMIT = 1e-6
"""The largest relative error that is rounding in float32: gentk's own networks have a tenth of it."""

STEPS = 2

Trial = Callable[[], AbstractContextManager[Composition]]
"""Composes a run, each time the same one."""


def deviations(
    trial: Trial,
    size: int,
    *,
    batch: int = BATCH,
    chunk: int = CHUNK,
    take: Callable[[Composition], dict[str, Tensor]] | None = None,
) -> dict[str, float]:
    """Return how far several ranks are from one process, by what they compute.

    e = max over ranks of |v_rank - v_one| / |v_one|, Euclidean norms of a network's values.

    Args:
        trial: Composes the run; batch and chunk are replaced.
        size: How many ranks.
        batch: Samples a step.
        chunk: Samples a graph.
        take: What of a composition is compared; by default `gradients`.

    Raises:
        GentkError: The run refuses chunks, or several processes.
    """
    take = take or gradients
    with ExitStack() as stack:
        parts = [_cut(stack.enter_context(trial()), batch, chunk) for _ in range(size + 1)]
        alone = take(parts[0])

        def act(world: World) -> dict[str, Tensor]:
            check_chunks(world, batch, chunk)
            return take(replace(parts[1 + world.rank], world=world))

        ranks = together(size, act)
    return {
        name: max(difference(value, own[name]) for own in ranks) for name, value in alone.items()
    }


def program_of(c: Composition) -> Program:
    """Return the program of a composition, as training starts it."""
    family = family_for(c.recipe, c.losses, c.registry)[0]
    fit_penalties(family, c.recipe, c.critic, c.registry)
    torch.manual_seed(0)
    return family.program(c, None)


def gradients(c: Composition) -> dict[str, Tensor]:
    """Return the gradients, and the buffers afterwards, of the networks of a run's first steps.

    Returns:
        `STEP/PHASE/NETWORK` and `.../buffers` -> (n,), float64.
    """
    program = program_of(c)
    values: dict[str, Tensor] = {}
    for step in range(STEPS):
        for phase in program.phases:
            for network in phase.modules.values():
                network.zero_grad()
            phase.objective()
            values |= {f"{step + 1}/{name}": v for name, v in moved(phase).items()}
    return values


def moved(phase: Phase) -> dict[str, Tensor]:
    """Return the gradients of a phase's networks, and their buffers, if there are any.

    Returns:
        `PHASE/NETWORK` and `.../buffers` -> (n,), float64.
    """
    values: dict[str, Tensor] = {}
    for name, network in phase.modules.items():
        key = f"{phase.name}/{name}"
        values[key] = flat(p.grad for p in network.parameters() if p.grad is not None)
        values[f"{key}/buffers"] = flat(network.buffers())
    return {name: value for name, value in values.items() if len(value)}


def check_ranks(trial: Trial, size: int = 2) -> None:
    """Fail unless ranks take the steps of one process; skip where they are refused beforehand."""
    try:
        errors = deviations(trial, size)
    except Incompatible as error:
        skip(f"several processes are refused: {error}")
    for name, relative in errors.items():
        assert relative <= LIMIT, (
            f"{size} processes compute another {name} than one with the same chunks (relative error "
            f"{relative:.1e}): take the chunks that the world gives, sum over ranks, and draw from "
            "torch's own random numbers"
        )


def _cut(c: Composition, batch: int, chunk: int) -> Composition:
    """Return a composition with another batch, in chunks, if its family takes that."""
    recipe = c.recipe.model_copy(update={"batch": batch, "chunk": chunk})
    resolved = replace(c.resolved, recipe=recipe)
    check(resolved, c.registry)
    return replace(c, resolved=resolved)


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """Return all values of tensors in a row, (n,), float64."""
    return torch.cat([torch.zeros(0), *(t.detach().double().reshape(-1) for t in tensors)])
