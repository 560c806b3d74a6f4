"""Small runs of every family, with every kind of part, that tests take whole turns of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from gentk.engine import Loop
from gentk.engine.world import World, acting_as
from gentk.families import Composition, Program
from gentk.families.learned import family_for
from gentk.registry import Registry
from gentk.runs.folder import RunFolder
from gentk.runs.training import _loop
from gentk.testing.partner import with_partners
from gentk.testing.trial import composed

NAMES = with_partners(Registry())
PARTNER = "gentk-partner"
GAME = {"critic": PARTNER, "encoder": PARTNER, "loss": "hinge"}
MATCHED = {"extractor": ("critic,layers=layer1",), "critic": "mlp,widths=16"}
RUNS: dict[str, dict[str, Any]] = {
    "moments": {"estimator": "ama", "loss": "moments,normalise=layer"},
    "queue": {"estimator": "queue,size=12", "loss": "mmd"},
    "fd": {"loss": "fd", "estimator": "ma"},
    "denoiser": {"estimator": "denoiser", "loss": "gaussian-kl,covariance=layers"},
    "chunks": {"chunk": 3, "loss": "moments,covariance=full", "estimator": "ma"},
    "chunks-of-samples": {"chunk": 3, "loss": "drift"},
    "several": {"loss": ["moments,factor=2", "sliced,projections=8"], "estimator": "batch"},
    "balance": {
        "loss": "moments,balance=floor",
        "extractor": ("pixels", "pixels,range=signed"),
    },
    "classes": {"loss": "drift,per-class=true,guidance=2", "generator": f"{PARTNER},classes=2"},
    "sums-of-classes": {"loss": "moments,per-class=true", "generator": f"{PARTNER},classes=2"},
    "prepared": {"loss": "mmd,features=nystrom+16,bandwidths=median"},
    "coupling": {"loss": "coupling,iterations=0,pairs=halves"},
    "autoencoding": {"loss": "reconstruction", "encoder": PARTNER, "chunk": 3},
    "game": {**GAME, "penalty": ("gradient", "activations"), "chunk": 3, "clip": 1.0},
    "spectral": {
        **GAME,
        "critic": "mlp,widths=16,spectral=true",
        "encoder": None,
        "penalty": ("weight-gradient",),
    },
    "two-losses": {
        "loss": ["hinge", "moments,factor=0.1"],
        "critic": PARTNER,
        "encoder": PARTNER,
    },
    "denoising": {"loss": "denoising,widths=8+8", "critic": "mlp,widths=8+8"},
    "fisher": {"loss": "fisher", "critic": "mlp,widths=8"},
    "contest": {**MATCHED, "loss": "mmd", "penalty": ("gradient",)},
    "contest-in-chunks": {**MATCHED, "loss": "moments,covariance=none", "chunk": 3},
    "feasible-set": {
        "data": f"{PARTNER},size=32",
        "loss": "feasible-set",
        "extractor": ("critic,layers=code",),
        "critic": "mmdgan-autoencoder,width=2,code=4",
        "penalty": ("autoencoder",),
    },
    "molm": {
        "data": f"{PARTNER},size=16",
        "loss": "moments,covariance=none",
        "extractor": ("critic",),
        "critic": "molm,width=2",
    },
}
"""Name -> the flags of a run, over those of a trial (`gentk.testing.trial`)."""

WAITING = frozenset({"fd"})
"""Runs whose steps wait for the device all the same: eigenvalues are looked at by torch itself."""


@dataclass(frozen=True)
class Ready:
    """A run that is about to train.

    Attributes:
        composition: Its parts.
        program: Its phases.
        loop: What takes turns of it.
    """

    composition: Composition
    program: Program
    loop: Loop


@contextmanager
def ready(name: str, world: World | None = None, **flags: Any) -> Iterator[Ready]:
    """Prepare a run of `RUNS` on a device.

    Args:
        name: Which.
        world: The device; by default that of whoever acts, or the CPU.
        flags: Over the run's own.
    """
    with (
        acting_as(world) if world is not None else nullcontext(),
        composed(NAMES, **{**RUNS[name], **flags}) as c,
    ):
        program = family_for(c.recipe, c.losses, c.registry)[0].program(c, None)
        yield Ready(c, program, _loop(c, program, RunFolder(c.folder()), []))
