"""Matching losses on a ring of eight Gaussians: how many modes each recovers, or its two moments."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ring import MODES, System, apart, recovered, ring, trained

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
SYSTEMS = {
    text: System({"loss": text, "estimator": estimator}, steps, shared=SHARED)
    for text, estimator, steps in (
        ("drift", "batch", 400),
        ("coupling,iterations=0", "batch", 300),
        ("coupling,iterations=0.5", "batch", 400),
        ("coupling,iterations=3", "batch", 250),
        ("sliced,projections=32", "batch", 800),
        ("mmd,kernel=energy", "batch", 1000),
        ("mmd,features=nystrom+64,hybrid=true,bandwidths=0.1", "batch", 600),
        ("gaussian-kl,components=8", "ema,decay=0.9,exclude=true", 250),
    )
}
ONE_GAUSSIAN = {
    "gaussian-kl": System(
        {"loss": "gaussian-kl", "estimator": "ema,decay=0.9,exclude=true"}, 400, shared=SHARED
    ),
    "fd": System({"loss": "fd", "estimator": "ema,decay=0.9"}, 400, shared=SHARED),
}
"""Losses of a mean and a covariance, which cannot see modes: those two they must find."""


def test_the_measure_of_moments_is_none_of_modes():
    """0 of the ring and of one Gaussian of its moments; large for one mode, or a smaller ring."""
    points = ring(50_000)
    gaussian = torch.randn(50_000, 2, generator=torch.Generator().manual_seed(0))
    for right in (points, gaussian * points.var().sqrt()):
        assert max(apart(right)) < 0.02
    assert apart(points[points[:, 0] > 0.5])[0] > 0.9
    assert apart(0.9 * points)[1] > 0.15


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread", "own_cache")
@pytest.mark.parametrize("text", ONE_GAUSSIAN)
def test_mean_and_covariance_of_the_ring_are_found(text, tmp_path):
    """Within three percent of its size, by a generator that starts as a point."""
    mean, covariance = apart(trained(ONE_GAUSSIAN[text], tmp_path, 20_000))
    assert mean < 0.03 and covariance < 0.03, f"mean {mean:.1%}, covariance {covariance:.1%}"


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread", "own_cache")
@pytest.mark.parametrize("text", SYSTEMS)
def test_modes_are_recovered(text, tmp_path):
    """At least seven modes, and most samples near one."""
    system = SYSTEMS[text]
    modes, near = recovered(trained(system, tmp_path))
    print(f"{text}: {modes} of {MODES} modes, {near:.0%} of the samples near one")
    assert modes >= system.modes
    assert near > system.near
