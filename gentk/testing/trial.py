"""Trials: real runs of a few steps, of a component and partners, that leave nothing behind."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ..families import Composition
from ..interfaces import Observer
from ..registry import Registry
from ..runs.composing import compose
from ..runs.trained import Run
from ..runs.training import train
from .partner import NAME

__all__ = ["STEPS", "composed", "secluded", "trained"]

STEPS = 3
"""Optimiser steps of a trial."""

SETTINGS: dict[str, Any] = {
    "data": f"{NAME},size=8",
    "extractor": ("pixels",),
    "generator": NAME,
    "loss": NAME,
    "estimator": "batch",
    "batch": 8,
    "optimizer": "adam,lr=1e-2",
    "decay": "none",
    "ema": 0.5,
    "steps": STEPS,
    "device": "cpu",
    "threads": 1,
    "observer": (),
}


@contextmanager
def secluded() -> Iterator[Path]:
    """Give a temporary folder; gentk's cache, the number of threads and the random state are kept."""
    kept, threads, state = (
        os.environ.get("GENTK_CACHE"),
        torch.get_num_threads(),
        torch.get_rng_state(),
    )
    with TemporaryDirectory() as folder:
        os.environ["GENTK_CACHE"] = str(Path(folder, "cache"))
        try:
            yield Path(folder)
        finally:
            torch.set_num_threads(threads)
            torch.set_rng_state(state)
            if kept is None:
                del os.environ["GENTK_CACHE"]
            else:
                os.environ["GENTK_CACHE"] = kept


@contextmanager
def composed(registry: Registry, **flags: Any) -> Iterator[Composition]:
    """Compose a run of `STEPS` steps, of partners but for the flags that are given."""
    with secluded() as folder:
        settings = {**SETTINGS, "out": str(folder / "run"), **flags}
        recipe = folder / "trial.toml"
        # JSON's texts, numbers and lists are TOML's.
        lines = [
            f"{key} = {json.dumps(value)}" for key, value in settings.items() if value is not None
        ]
        recipe.write_text("\n".join(lines), encoding="utf-8")
        yield compose(str(recipe), registry=registry)


def trained(composition: Composition, observers: list[Observer] | None = None) -> Run:
    """Train what was composed."""
    run = train(composition, observers=observers or [])
    result = run.result or {}
    wanted = composition.recipe.steps
    assert result.get("steps") == wanted, f"the run ended after {result.get('steps')} steps"
    return run
