"""Moment sums: exact, additive, differentiable, whatever the layout in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gentk.errors import Incompatible
from gentk.summary import MomentSums, pooled


def maps(count: int, seed: int, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """Two layers of features: maps and vectors."""
    draw = torch.Generator().manual_seed(seed)
    return {
        "a": torch.randn(count, 3, 4, 2, generator=draw, dtype=dtype) * 3 + 7,
        "b": torch.randn(count, 5, generator=draw, dtype=dtype) - 100,
    }


def flat(features: dict[str, torch.Tensor]) -> np.ndarray:
    """All features as rows, maps in H, W, C order, float64."""
    return torch.cat([ordered(value) for value in features.values()], dim=1).double().numpy()


def ordered(value: torch.Tensor) -> torch.Tensor:
    """One layer's features as rows."""
    return (value.permute(0, 2, 3, 1) if value.dim() == 4 else value).flatten(1)


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5).filter(lambda s: sum(s) > 1),
    seed=st.integers(0, 2**30),
    second=st.sampled_from(["diagonal", "full"]),
)
def test_sums_of_chunks_are_the_moments_of_the_whole(sizes, seed, second):
    """Means and (co)variances from any chunks equal numpy's in float64 (relative 1e-6)."""
    features = maps(sum(sizes), seed)
    total = None
    for index, size in enumerate(sizes):
        start = sum(sizes[:index])
        chunk = {k: v[start : start + size] for k, v in features.items()}
        part = MomentSums.of(chunk, second, total)
        total = part if total is None else total + part

    rows = flat(features)
    covariance = np.cov(rows, rowvar=False)
    expected = covariance if second == "full" else np.diag(covariance)
    np.testing.assert_allclose(total.mean().numpy(), rows.mean(0), rtol=1e-6)
    np.testing.assert_allclose(total.covariance().numpy(), expected, rtol=1e-5, atol=3e-5)


def test_settled_is_about_the_mean_and_changes_nothing():
    """Moving the pivot to the mean keeps mean and covariance to float64 rounding."""
    for second in ("diagonal", "full"):
        first = MomentSums.of(maps(40, 0), second)
        moved = first.about(first.pivot + 5)

        settled = moved.settled()

        torch.testing.assert_close(settled.mean(), first.mean(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(settled.covariance(), first.covariance(), rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(settled.pivot.double(), first.mean(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("second", ["none", "diagonal", "full"])
def test_channels_last_features_give_the_same_sums_and_gradients(second):
    """The memory layout of a map decides neither the order of features nor their gradient."""
    plain = maps(6, 3)["a"].requires_grad_()
    last = plain.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    like = MomentSums.of({"a": plain.detach() + 1}, second)
    weight = torch.randn(24, dtype=torch.float64)

    for value in (plain, last):
        summary = MomentSums.of({"a": value}, second, like)
        objective = (summary.mean() * weight).sum()
        if second != "none":
            objective = objective + (summary.covariance() ** 2).sum()
        objective.backward()

    torch.testing.assert_close(last.grad, plain.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("second", ["diagonal", "full"])
def test_gradients_are_those_of_the_textbook_formula(second):
    """In float64 the fused backward equals autograd through mean and covariance."""
    features = {k: v.requires_grad_() for k, v in maps(7, 1, torch.float64).items()}
    summary = MomentSums.of(features, second)
    ours = torch.autograd.grad(
        summary.mean().pow(3).sum() + summary.covariance().pow(2).sum(), list(features.values())
    )
    rows = torch.cat([ordered(v) for v in features.values()], dim=1)
    covariance = torch.cov(rows.T)
    covariance = covariance if second == "full" else covariance.diagonal()
    theirs = torch.autograd.grad(
        rows.mean(0).pow(3).sum() + covariance.pow(2).sum(), list(features.values())
    )

    for mine, textbook in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, textbook, rtol=1e-9, atol=1e-9)


def test_float32_sums_do_not_cancel_far_from_zero():
    """Features of mean 1e3 and deviation 1e-2 keep their variance to one percent."""
    draw = torch.Generator().manual_seed(0)
    rows = 1e3 + 1e-2 * torch.randn(4096, 3, generator=draw, dtype=torch.float64)
    rows = rows.float()
    total = None
    for chunk in rows.split(64):
        part = MomentSums.of({"x": chunk}, "diagonal", total)
        total = part if total is None else total + part

    expected = rows.double().var(0)
    torch.testing.assert_close(total.covariance(), expected, rtol=1e-2, atol=0)


def test_store_and_restore_round_trip():
    """What the cache keeps is the summary."""
    first = MomentSums.of(maps(9, 5), "full")
    again = MomentSums.restore(*first.store())

    assert again.layout == first.layout and again.count == first.count
    assert torch.equal(again.covariance(), first.covariance())


def test_summaries_of_other_features_do_not_add():
    """Adding sums of differently named layers is an error, not a number."""
    features = maps(4, 0)
    with pytest.raises(Incompatible, match="other features"):
        MomentSums.of({"a": features["a"]}) + MomentSums.of({"b": features["b"]})


def test_pooling_averages_positions():
    """Maps are averaged over height and width, tokens over positions, vectors stay."""
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    got = pooled({"map": x, "tokens": x[0].transpose(1, 2), "vector": x.flatten(1)})

    assert torch.equal(got["map"], x.mean((2, 3)))
    assert torch.equal(got["tokens"], x[0].transpose(1, 2).mean(1))
    assert torch.equal(got["vector"], x.flatten(1))


@pytest.mark.parametrize("shape", [(4, 3, 2, 5), (4, 6, 3)])
def test_pooled_gradients_are_those_of_the_mean(shape):
    """First and second derivatives; a gradient takes the memory of what was pooled."""
    feature = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    axes = (2, 3) if len(shape) == 4 else (1,)

    def mine(value):
        return pooled({"a": value})["a"]

    torch.testing.assert_close(mine(feature), feature.mean(axes), rtol=0, atol=0)
    assert torch.autograd.gradcheck(mine, feature)
    assert torch.autograd.gradgradcheck(mine, feature)
    maps = feature * 1
    handed = []
    maps.register_hook(handed.append)
    mine(maps).square().sum().backward()
    assert handed[0].untyped_storage().nbytes() < maps.untyped_storage().nbytes()
