"""Adversarial systems on a ring of eight Gaussians: each finds its modes, or it is said why not."""

from __future__ import annotations

import pytest
import torch
from ring import COUNT, MODES, System, recovered, ring, trained

SYSTEMS = {
    "fisher-gan": System({"loss": "fisher,rho=1e-2", "phase": {"critic": {"repeat": 2}}}, 600),
    "gan": System({"loss": "logistic"}, 800),
    "gan-dfm": System({"loss": "denoising,adversarial=1,noise=0.3,widths=64+64"}, 500),
    "sn-gan": System(
        {
            "loss": "logistic",
            "critic": "mlp,widths=128+128+128,spectral=true",
            "phase": {"critic": {"repeat": 3}},
        },
        700,
    ),
    "improved-gan-fm": System(
        {
            "loss": "moments,covariance=none",
            "extractor": ["critic"],
            "estimator": "batch",
            "phase": {"critic": {"loss": "logistic"}},
        },
        600,
        near=0.24,
        why="only means of features are matched: all modes are found, most samples lie between them",
    ),
    "advfd": System(
        {
            "loss": "fd,balance=equal",
            "extractor": ["pixels", "critic,layers=layer2"],
            "critic": "mlp,widths=128+32,spectral=true",
            "estimator": "batch",
            "phase": {"critic": {"repeat": 2}},
        },
        near=0.3,
        why="a mean and a covariance of features are matched: most samples lie between the modes",
    ),
    "mmd-gan": System(
        {
            "loss": [
                "mmd,bandwidths=1+4+16+64+256,convention=gmmn,sqrt=true",
                "feasible-set,factor=16",
            ],
            "extractor": ["critic,layers=layer3"],
            "critic": "mlp,widths=128+128+16",
            "estimator": "batch",
            "phase": {"critic": {"repeat": 2, "clamp": 0.1}},
        },
        500,
    ),
    "mmd-rq-gan": System(
        {
            "loss": "mmd,kernel=rational-quadratic-dot,unbiased=true",
            "extractor": ["critic,layers=layer3"],
            "critic": "mlp,widths=128+128+16",
            "estimator": "batch",
            "penalty": "gradient,of=witness,weight=1",
            "phase": {"critic": {"repeat": 2}},
        },
        350,
    ),
    "repulsive-mmd-gan": System(
        {"loss": "repulsive,layers=layer3", "critic": "mlp,widths=128+128+16"}, 600
    ),
    "wgan-gp": System(
        {
            "loss": "wasserstein",
            "penalty": "gradient,weight=0.1",
            "phase": {"critic": {"repeat": 3}},
        },
        350,
    ),
}
"""What a recipe is called -> the system, as small as the ring; together two minutes of a core."""


def test_the_count_of_modes_is_one():
    """Eight of the data's own points, one of a point, none of the middle, three of the upper part."""
    points = ring()
    assert recovered(points) == (MODES, pytest.approx(1.0, abs=5e-3))
    assert recovered(points[:1].expand(COUNT, 2))[0] == 1
    assert recovered(torch.zeros(COUNT, 2)) == (0, 0.0)
    assert recovered(points[points[:, 1] > 0.2])[0] == 3
    gaussian = torch.randn(COUNT, 2, generator=torch.Generator().manual_seed(0)) * points.std()
    assert recovered(gaussian) == (MODES, pytest.approx(0.21, abs=0.02))


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread", "own_cache")
@pytest.mark.parametrize("name", SYSTEMS)
def test_modes_are_recovered(name, tmp_path):
    """At least seven modes, and most samples lie near one; a system of fewer says why."""
    system = SYSTEMS[name]
    modes, near = recovered(trained(system, tmp_path))
    assert modes >= system.modes, f"{modes} modes, {near:.0%} of the samples near one"
    assert near > system.near, f"{near:.0%} of the samples near a mode"
    assert system.why or (system.modes >= 7 and system.near >= 0.5)
