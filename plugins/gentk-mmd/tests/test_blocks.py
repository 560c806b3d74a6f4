"""Blocks: strips of a symmetric matrix, with their mirror images, are all of it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gentk_mmd.blocks import spans, triangle


@given(count=st.integers(0, 50), height=st.integers(1, 60))
def test_spans_follow_one_another(count, height):
    """Together they are all rows once, and none is higher than asked."""
    parts = spans(count, height)

    assert [row for start, stop in parts for row in range(start, stop)] == list(range(count))
    assert all(0 < stop - start <= height for start, stop in parts)


@pytest.mark.parametrize("count", [1, 7, 12])
@pytest.mark.parametrize("height", [1, 4, 12, 20])
def test_strips_and_their_mirror_images_are_the_matrix(count, height):
    """Each entry of a symmetric matrix is made once or, right of a square, stands for two."""
    half = torch.randn(count, count, generator=torch.Generator().manual_seed(0))
    matrix = half + half.T
    sums, total = torch.zeros(count), 0.0
    for strip in triangle(count, height):
        values = matrix[strip.rows, strip.columns]
        sums[strip.rows] += values.sum(1)
        sums[strip.mirrored] += values.sum(0)[strip.side :]
        total += float(strip.square(values).sum() + 2 * strip.right(values).sum())

    torch.testing.assert_close(sums, matrix.sum(1))
    assert total == pytest.approx(float(matrix.sum()), abs=1e-4)
