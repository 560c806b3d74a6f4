"""Earlier runs: finished ones as parts of a new one, written `run:FOLDER`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import Incompatible, RunError, UsageError
from ..families.composition import Composition
from ..recipe import Recipe
from ..registry import Registry
from ..selection import unquoted
from .folder import RunFolder
from .trained import Run, load

__all__ = ["check_fit", "check_runs", "finished", "warm_start"]

PREFIXES = ("run:", "stage:")


def check_runs(r: Recipe) -> None:
    """Refuse what is not written as a run, and stages that a recipe does not have."""
    for key, text in (("init", r.init), ("codec", r.codec)):
        for part in (text or "").split("+") if key == "init" else [text or ""]:
            if part and not part.startswith(PREFIXES):
                raise UsageError(f"{key} {part!r} is not a run; write --{key} run:FOLDER")
            stage = part.removeprefix("stage:")
            if part.startswith("stage:") and stage not in r.stage:
                known = ", ".join(r.stage) or "no stages"
                raise UsageError(
                    f"{key} {part!r}: this recipe has {known}; write --{key} run:FOLDER"
                )


def finished(text: str, registry: Registry, device: str = "auto") -> Run:
    """Open the run of `run:FOLDER`; raise `RunError` if it is none, or has budget left."""
    run = load(
        Path(unquoted(text.removeprefix("run:"))).expanduser(), registry=registry, device=device
    )
    if run.result is None:
        raise RunError(
            f"the run {run.folder.path} is not finished; type its command again, and then this one"
        )
    return run


def warm_start(c: Composition) -> None:
    """Start a composition's networks from those of the finished runs its recipe names as `init`.

    Several runs, `run:A+run:B`, are stacked: B was trained on the codes of A, so the encoder's weights
    are A's and then B's, and the generator's B's and then A's. This is how layers that were trained one
    by one become one network.

    Raises:
        Incompatible: The weights do not have the sizes of the networks here.
    """
    if c.recipe.init is None:
        return
    text = RunFolder(c.folder()).locate(c.recipe.init)
    runs = [finished(part, c.registry, "cpu") for part in text.split("+")]
    _fill(c.generator, [run.generator for run in reversed(runs)], text, c)
    encoders = [run.encoder for run in runs]
    known = [encoder for encoder in encoders if encoder is not None]
    if c.encoder is not None and len(known) == len(encoders):
        _fill(c.encoder, known, text, c)


@torch.no_grad()
def _fill(network: nn.Module, others: Sequence[nn.Module], text: str, c: Composition) -> None:
    """Copy the weights and buffers of networks, one after another, into one."""
    check_fit(network, others, text, "encoder" if network is c.encoder else "generator", c.recipe)
    have = list(chain.from_iterable(map(_tensors, others)))
    want = list(_tensors(network))
    for mine, theirs in zip(want, have, strict=True):
        mine.copy_(theirs)


def check_fit(
    network: nn.Module, others: Sequence[nn.Module], text: str, kind: str, r: Recipe
) -> None:
    """Raise `Incompatible` if the weights of networks, one after another, are not those of one.

    Args:
        network: The one, of a recipe.
        others: Those of the runs to start from.
        text: What these are called.
        kind: `generator` or `encoder`.
        r: The recipe.
    """
    have = list(chain.from_iterable(map(_tensors, others)))
    want = list(_tensors(network))
    if [t.shape for t in have] != [t.shape for t in want]:
        raise Incompatible(
            f"the weights of {text} do not fit {kind} {getattr(r, kind)!r} for samples of "
            f"{tuple(network.image)}: they are {_sizes(have)}, and those here {_sizes(want)}; type "  # type: ignore[arg-type]
            f"the same --{kind} and data of the same size"
        )


def _tensors(network: nn.Module) -> Iterable[Tensor]:
    return chain(network.parameters(), network.buffers())


def _sizes(tensors: list[Tensor]) -> str:
    """Write the sizes of weights, the first few."""
    shapes = ["x".join(map(str, t.shape)) or "1" for t in tensors]
    return ", ".join(shapes[:6]) + (f" and {len(shapes) - 6} more" if len(shapes) > 6 else "")
