"""gentk's figures equal torch-fidelity's functions on the same features, 1e-6 relative."""

from __future__ import annotations

import functools
import operator

import pytest
import torch

from gentk.registry import Registry
from gentk.summary import Summary

WHY = "torch-fidelity is absent, so NOTHING here is checked: pip install 'gentk-metrics[fidelity]'"
pytest.importorskip("torch_fidelity", reason=WHY)

from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc  # noqa: E402


@pytest.fixture
def features() -> tuple[torch.Tensor, torch.Tensor]:
    """Reference and samples in float64: correlated, skewed, of different counts as features go."""
    draw = torch.Generator().manual_seed(0)
    mix = torch.randn(24, 24, generator=draw, dtype=torch.float64)
    x = torch.randn(400, 24, generator=draw, dtype=torch.float64) @ mix
    y = torch.randn(400, 24, generator=draw, dtype=torch.float64) @ mix * 1.2 + 0.3
    return x.relu(), y.relu()


def ours(metric: str, x: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
    """A metric's figures by name, its summaries made in chunks."""
    built = Registry().build("metric", metric)[0]

    def summary(rows: torch.Tensor) -> Summary:
        first = built.summarise({"x": rows[:64]})
        rest = [built.summarise({"x": part}, first) for part in rows[64:].split(64)]
        return functools.reduce(operator.add, [first, *rest]).settled()

    return {figure.name: figure.value for figure in built.values(summary(x), summary(y))}


def test_fd(features):
    """`fid_statistics_to_metric`."""
    stats = [metric_fid.fid_features_to_statistics(side) for side in features]
    theirs = metric_fid.fid_statistics_to_metric(*stats, verbose=False)

    assert ours("fd", *features)["fd"] == pytest.approx(
        theirs["frechet_inception_distance"], rel=1e-6
    )


def test_kid(features):
    """`kid_features_to_metric` with one subset of all samples."""
    theirs = metric_kid.kid_features_to_metric(
        *features, kid_subsets=1, kid_subset_size=400, verbose=False
    )

    assert ours("kid,subset_size=all", *features)["kid"] == pytest.approx(
        theirs["kernel_inception_distance_mean"], rel=1e-6
    )


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("save", [False, True])
def test_precision_and_recall(features, k, save):
    """`prc_features_to_metric`, whose first argument is the samples since 0.4.0."""
    real, made = features
    theirs = metric_prc.prc_features_to_metric(
        made, real, prc_neighborhood=k, save_cpu_ram=save, verbose=False
    )
    found = ours(f"prdc,k={k}", real, made)

    assert found["precision"] == pytest.approx(theirs["precision"], rel=1e-6)
    assert found["recall"] == pytest.approx(theirs["recall"], rel=1e-6)
    assert 0 < found["precision"] < 1


@pytest.mark.parametrize("splits", [1, 7, 10])
def test_inception_score(features, splits):
    """`isc_features_to_metric`, in the samples' order; its std is the error times sqrt(splits)."""
    real, made = features
    theirs = metric_isc.isc_features_to_metric(made, splits=splits, shuffle=False)

    assert ours(f"is,splits={splits}", real, made)["is"] == pytest.approx(
        theirs["inception_score_mean"], rel=1e-6
    )
