"""Starts: the weights that a run begins with, `--init`, taken from elsewhere.

    run:FOLDER, model:NAME     the networks of a finished run; with + between them several are stacked
    FILE.safetensors           tensors by name
    object:KEY                 a module of torch, given in Python

What a run starts from decides what else it is made of: a recipe that names no generator takes over that
of the run, with its encoder and codec, and one that names no data those that the run learnt from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, takewhile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..digest import state_digest
from ..errors import GentkError, Incompatible, RunError
from ..families.composition import Composition
from ..files import Damaged, is_sealed, regular
from ..interfaces import Encoder, Generator
from ..recipe import Recipe
from ..registry import Registry
from ..selection import Selection
from ..session import OBJECT
from .earlier import finished
from .folder import RunFolder
from .resolving import FILE
from .trained import Run

__all__ = ["Start", "Weights", "of_runs", "read_start", "same_start", "warm_start"]

KINDS = ("generator", "encoder")
SHOWN = 3
"""Names and sizes that a sentence shows."""


@dataclass(frozen=True)
class Weights:
    """The tensors of one network.

    Attributes:
        tensors: Name and tensor, in the order of parameters and then buffers.
        ordered: Whether they are taken in this order; otherwise by name, whatever prefix all names of
            either side have.
    """

    tensors: tuple[tuple[str, Tensor], ...]
    ordered: bool = False

    def pairs(self, network: nn.Module) -> list[tuple[Tensor, Tensor]]:
        """Return each tensor of a network with the one that it takes its values from.

        Raises:
            ValueError: They do not fit; the text says in what.
        """
        if self.ordered:
            have, want = [tensor for _, tensor in self.tensors], list(_tensors(network))
            alike = _alike(have, want)
            if not len(have) == len(want) == alike:
                head = f"after {alike} that do, " if alike else ""
                rest = _sizes(have[alike:]), _sizes(want[alike:])
                raise ValueError(f"{head}they are {rest[0]}, and those here {rest[1]}")
            return list(zip(want, have, strict=True))
        named, own = _bare(dict(self.tensors)), _bare(network.state_dict())
        for what, names in (
            ("nothing for", own.keys() - named),
            ("no place for", named.keys() - own),
            ("another size of", [n for n in own if n in named and own[n].shape != named[n].shape]),
        ):
            if names:
                raise ValueError(f"there is {what} {_listed(names)}")
        return [(tensor, named[name]) for name, tensor in own.items()]


@dataclass(frozen=True)
class Start:
    """What a run starts from.

    Attributes:
        text: How it was written, with the folders of stages.
        weights: The weights by the kind of their network; a stage that is not made yet has shapes.
        origin: What run.json says of it.
        written: How the networks of a run are written in its recipe, by kind.
    """

    text: str
    weights: Mapping[str, Weights]
    origin: Mapping[str, Any]
    written: Mapping[str, str] = field(default_factory=dict)

    def notes(self, r: Recipe) -> list[str]:
        """Tell of networks that are written otherwise here: with a prior, say, they never had."""
        return [
            f"the {kind} of {self.text} is {own!r}, and goes on as {here!r}, whose weights "
            f"have the same sizes; to take it as it is, leave --{kind} out"
            for kind, own in self.written.items()
            if (here := getattr(r, kind)) and Selection.parse(here) != Selection.parse(own)
        ]

    def fit(
        self, kind: str, network: Generator | Encoder, r: Recipe
    ) -> list[tuple[Tensor, Tensor]]:
        """Return each tensor of a network with its start; raise `Incompatible` if they do not fit."""
        try:
            return self.weights[kind].pairs(network)
        except ValueError as error:
            raise Incompatible(
                f"the weights of {self.text} do not fit {kind} {getattr(r, kind)!r} for samples of "
                f"{tuple(network.image)}: {error}; type the same --{kind} and data of the same size, "
                f"or, to take those of a run, leave --{kind} and --data out"
            ) from None


def of_runs(text: str, runs: Sequence[Any], origin: Mapping[str, Any] | None = None) -> Start:
    """Return a start of runs, or of whatever has a `generator` and an `encoder`.

    Several are stacked: each was trained on the codes of the one before it, so that the encoder's
    weights are the first's and then the second's, and the generator's the other way around. This is how
    layers that were trained one by one become one network.
    """
    weights = {"generator": _ordered([run.generator for run in reversed(runs)])}
    encoders = [run.encoder for run in runs]
    if all(encoder is not None for encoder in encoders):
        weights["encoder"] = _ordered(encoders)
    return Start(text, weights, origin or {})


def read_start(text: str, registry: Registry) -> Start:
    """Read what a run starts from.

    Args:
        text: As in a recipe; stages are written as the runs they are.
        registry: Where runs' networks, and objects, are looked up.

    Raises:
        RunError: A run is none, or not finished; a file cannot be read.
        UnknownName: An object that was not given.
    """
    if text.startswith(f"{OBJECT}:"):
        return _named(text, registry.build("init", text)[0].state_dict())
    if text.endswith(FILE):
        return _named(text, _read(Path(text).expanduser()))
    runs = [finished(part, registry, "cpu") for part in text.split("+")]
    rows = [_origin(run) for run in runs]
    digest = rows[0]["fingerprint"]
    if len(rows) > 1:
        digest = state_digest((), head=" ".join(row["fingerprint"] for row in rows))
    start = of_runs(text, runs, {"fingerprint": digest, "runs": rows})
    if len(runs) > 1:
        return start
    recipe = runs[0].record["recipe"]
    return replace(start, written={kind: recipe[kind] for kind in KINDS if recipe.get(kind)})


def warm_start(c: Composition, notices: list[str]) -> dict[str, Any] | None:
    """Fill a composition's networks with what its recipe starts from, and return the origin of that.

    The encoder is filled where there is one on both sides; a critic starts anew.

    Args:
        c: The composition.
        notices: Takes in what there is to tell.

    Raises:
        Incompatible: The weights do not fit the networks here.
    """
    if c.recipe.init is None:
        return None
    start = read_start(RunFolder(c.folder()).locate(c.recipe.init), c.registry)
    for kind, network in (("generator", c.generator), ("encoder", c.encoder)):
        if network is not None and (kind in start.weights or kind == "generator"):
            with torch.no_grad():
                for mine, theirs in start.fit(kind, network, c.recipe):
                    mine.copy_(theirs)
    notices += start.notes(c.recipe)
    return dict(start.origin)


def same_start(record: Mapping[str, Any], c: Composition) -> None:
    """Refuse to go on where other weights are now what a run started from.

    What is gone is not asked: what became of it is in the checkpoint.
    """
    known = record.get("init")
    if known is None or c.recipe.init is None:
        return
    try:
        start = read_start(RunFolder(c.folder()).locate(c.recipe.init), c.registry)
    except GentkError:
        return
    if start.origin["fingerprint"] != known["fingerprint"]:
        raise RunError(
            f"{c.folder()} started from other weights than {c.recipe.init} has now; put them back, or "
            "type another folder with --out"
        )


def _origin(run: Run) -> dict[str, Any]:
    """Say which run it is; where it lies the recipe says."""
    return {
        "recipe_name": run.record["recipe_name"],
        "identity": run.record["identity"],
        "steps": run.steps,
        "fingerprint": run.fingerprint(),
    }


def _named(text: str, tensors: Mapping[str, Tensor]) -> Start:
    """Return a start of tensors by name: a model's are named by network, others are a generator's."""
    parts = {
        kind: {name: t for name, t in tensors.items() if name.startswith(f"{kind}.")}
        for kind in KINDS
    }
    parts = {kind: own for kind, own in parts.items() if own} or {"generator": dict(tensors)}
    weights = {kind: Weights(tuple(own.items())) for kind, own in parts.items()}
    return Start(text, weights, {"fingerprint": state_digest(sorted(tensors.items()))})


def _read(path: Path) -> dict[str, Tensor]:
    """Read a file of tensors."""
    try:
        regular(path)
        is_sealed(path)  # raises where the seal does not fit; files of others have none
        return load_file(path)
    except (Damaged, OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise RunError(
            f"{path} cannot be read as weights ({reason}); type the path of a file of safetensors, or "
            "--init run:FOLDER"
        ) from error


def _bare(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors without the prefix that all names have: a wrapper's, or a network's name."""
    rows = {tuple(name.split(".")): tensor for name, tensor in tensors.items()}
    while len({names[0] for names in rows}) == 1 and all(len(names) > 1 for names in rows):
        rows = {names[1:]: tensor for names, tensor in rows.items()}
    return {".".join(names): tensor for names, tensor in rows.items()}


def _ordered(networks: Sequence[nn.Module]) -> Weights:
    tensors = chain.from_iterable(map(_tensors, networks))
    return Weights(tuple((str(n), t) for n, t in enumerate(tensors)), ordered=True)


def _tensors(network: nn.Module) -> Iterable[Tensor]:
    return chain(network.parameters(), network.buffers())


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return ", ".join(map(repr, ordered[:SHOWN])) + more


def _alike(have: Sequence[Tensor], want: Sequence[Tensor]) -> int:
    """Return how many tensors have the same sizes before the first that has not."""
    pairs = zip(have, want, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0].shape == pair[1].shape, pairs))


def _sizes(tensors: Sequence[Tensor]) -> str:
    """Write the sizes of weights, the first few."""
    if not tensors:
        return "none"
    shapes = ["x".join(map(str, t.shape)) or "1" for t in tensors]
    return ", ".join(shapes[:6]) + (f" and {len(shapes) - 6} more" if len(shapes) > 6 else "")
