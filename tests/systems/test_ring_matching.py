"""Matching losses on a ring of eight Gaussians: how many modes each recovers, or why not all."""

from __future__ import annotations

from typing import Any

import pytest
from ring import MODES, System, recovered, trained

SHARED: dict[str, Any] = {
    "generator": "mlp,latent=2,widths=64+64,output=tanh",
    "extractor": "pixels",
    "batch": 128,
    "optimizer": "adam,lr=2e-3,betas=0.5+0.9",
    "decay": "linear",
    "ema": 0.98,
    "device": "cpu",
    "threads": 1,
    "observers": [],
}
ONE_GAUSSIAN = "a Gaussian's moments are those of the ring with no mode empty and none alone"
BETWEEN = "its smallest temperatures act within a mode, and 400 steps leave samples between modes"
SYSTEMS = {
    text: System({"loss": text, "estimator": estimator}, steps, modes, why, SHARED)
    for text, estimator, steps, modes, why in (
        ("drift", "batch", 400, 7, BETWEEN),
        ("coupling,iterations=0", "batch", 400, 7, ""),
        ("coupling,iterations=0.5", "batch", 400, 7, ""),
        ("coupling,iterations=3", "batch", 400, 7, ""),
        ("sliced", "batch", 800, 7, ""),
        ("mmd,kernel=energy", "batch", 1000, 7, ""),
        ("mmd,features=nystrom+64,hybrid=true,bandwidths=0.1", "batch", 1000, 7, ""),
        ("gaussian-kl", "ema,decay=0.9,exclude=true", 400, 1, ONE_GAUSSIAN),
        ("gaussian-kl,components=8", "ema,decay=0.9,exclude=true", 400, 7, ""),
        ("fd", "ema,decay=0.9", 400, 1, ONE_GAUSSIAN),
    )
}


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread", "own_cache")
@pytest.mark.parametrize("text", SYSTEMS)
def test_modes_are_recovered(text, tmp_path):
    """At least seven modes, or as many as a loss of moments can tell apart."""
    system = SYSTEMS[text]
    modes, near = recovered(trained(system, tmp_path))
    print(f"{text}: {modes} of {MODES} modes, {near:.0%} of the samples near one")
    assert modes >= system.modes
    assert near > 0.5 or system.why
