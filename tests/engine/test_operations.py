"""Operations: counted as books count them, of a run's first step, and kept."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

import gentk
from gentk.engine.operations import Operations
from gentk.errors import UsageError


def counted(act) -> int:
    with Operations() as count:
        act()
    return count.total


def test_a_product_of_matrices_takes_two_a_cell_and_term_forward_and_twice_that_backward():
    layer = nn.Linear(5, 7, bias=False)
    x = torch.randn(3, 5, requires_grad=True)
    assert counted(lambda: layer(x)) == 2 * 3 * 5 * 7
    assert counted(lambda: layer(x).sum().backward()) == 3 * 2 * 3 * 5 * 7


@pytest.mark.parametrize("groups", [1, 4])
def test_a_convolution_takes_two_a_place_and_weight(groups):
    layer = nn.Conv2d(4, 8, 3, padding=1, groups=groups)
    x = torch.randn(2, 4, 6, 6)
    assert counted(lambda: layer(x)) == 2 * 2 * 36 * 8 * 9 * 4 // groups


@pytest.mark.parametrize(
    ("act", "wanted"),
    [
        (lambda a: torch.linalg.cholesky_ex(a), 12**3 / 3),
        (lambda a: torch.linalg.eigh(a), 9 * 12**3),
        (lambda a: torch.linalg.eigvalsh(a), 4 / 3 * 12**3),
        (lambda a: torch.linalg.svdvals(a), 4 * 12**3),
        (lambda a: torch.linalg.qr(a), 2 * 4 / 3 * 12**3),
        (lambda a: torch.linalg.solve_triangular(a, a[:, :5], upper=False), 12**2 * 5),
        (lambda a: torch.linalg.solve_triangular(a, a[:5], upper=False, left=False), 12**2 * 5),
        (lambda a: a.clone()[:4].addmm_(a[:4], a), 2 * 4 * 12**2),
        (lambda a: torch.cholesky_solve(a[:, :5], a), 2 * 12**2 * 5),
        (lambda a: torch.cholesky_inverse(a), 2 * 12**3),
        (lambda a: torch.cdist(a, a[:4]), 3 * 12 * 4 * 12),
    ],
)
def test_decompositions_count(act, wanted):
    """Golub and Van Loan's leading terms."""
    a = torch.eye(12, dtype=torch.float64) * 2
    assert counted(lambda: act(a)) == pytest.approx(wanted, abs=1)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_counts_its_products(causal):
    """Fused as unfused: two products forward, four backward, and the scores once more where fused."""
    query = torch.randn(2, 3, 7, 8, requires_grad=True)
    key, value = (torch.randn(2, 3, 5, 8, requires_grad=True) for _ in range(2))
    product = 2 * 2 * 3 * 7 * 5 * 8

    def attend():
        return scaled_dot_product_attention(query, key, value, is_causal=causal)

    assert counted(attend) == 2 * product
    assert counted(lambda: attend().sum().backward()) == 7 * product
    with sdpa_kernel(SDPBackend.MATH):
        assert counted(attend) == 2 * product
        assert counted(lambda: attend().sum().backward()) == 6 * product


def run(tmp_path, **keys):
    return gentk.run(
        data="digits,size=8",
        extractor="pixels",
        generator="mlp,widths=8",
        batch=8,
        seed=1,
        device="cpu",
        threads=1,
        observer="metrics",
        out=tmp_path,
        **keys,
    )


def test_a_budget_in_operations_is_that_many_steps(tmp_path):
    """The same run with its steps typed has the same weights; counting changes no number."""
    counted = run(tmp_path / "a", operations=3e6).result
    each = counted["operations_per_step"]
    assert each > 1000 and counted["steps"] == -(-3_000_000 // each)
    run(tmp_path / "b", steps=counted["steps"])
    rows = [(tmp_path / one / "metrics.jsonl").read_text().splitlines() for one in "ab"]
    losses = [[json.loads(line)["loss"] for line in lines] for lines in rows]
    assert losses[0] == losses[1] and len(losses[0]) == counted["steps"] > 5


def test_more_operations_go_on_by_the_same_count(tmp_path):
    first = run(tmp_path / "a", operations=3e6).result
    assert run(tmp_path / "a", operations=3e6).result == first
    more = run(tmp_path / "a", operations=6e6).result
    assert more["operations_per_step"] == first["operations_per_step"]
    assert more["steps"] == -(-6_000_000 // first["operations_per_step"])


def test_a_run_of_steps_goes_on_by_operations(tmp_path):
    run(tmp_path / "a", steps=3)
    result = run(tmp_path / "a", operations=3e6).result
    assert result["steps"] == -(-3_000_000 // result["operations_per_step"])


@pytest.mark.parametrize("parts", [{}, {"loss": "mmd", "estimator": "queue,size=20"}])
def test_operations_are_counted_before_a_run_of_steps_takes_another(parts, tmp_path):
    """Fewer than it has taken: it is finished as it is; more: it goes on as if nothing were counted."""
    place, other = tmp_path / "a", tmp_path / "b"
    first = run(place, steps=7, **parts).result
    less = run(place, operations=1, **parts).result
    assert less["steps"] == first["steps"] and less["operations_per_step"] > 1
    assert run(place, operations=1, **parts).result == less
    more = run(place, operations=11 * less["operations_per_step"], **parts)
    assert more.result["steps"] == 11
    run(other, steps=7, **parts)
    plain = run(other, steps=11, **parts)
    one, two = (each.folder.checkpoints.load() for each in (more, plain))
    assert all(
        torch.equal(one["generator"][name], two["generator"][name]) for name in one["generator"]
    )


@pytest.mark.parametrize("batches", [1, 3, 12])
def test_a_budget_is_counted_with_a_full_queue(batches, tmp_path):
    """A step's work grows until the queue is full; counting it so changes nothing of what is trained."""
    parts = {"loss": "mmd", "estimator": f"queue,size={8 * batches}"}
    counted = run(tmp_path / "a", operations=8e6 * batches, **parts).result
    full = run(tmp_path / "full", steps=batches, **parts).result
    later = run(tmp_path / "full", operations=1, **parts).result
    assert full["steps"] == batches
    assert counted["operations_per_step"] == later["operations_per_step"]
    run(tmp_path / "b", steps=counted["steps"], **parts)
    one, two = ((tmp_path / each / "metrics.jsonl").read_text().splitlines() for each in "ab")
    losses = [[json.loads(line)["loss"] for line in lines] for lines in (one, two)]
    assert losses[0] == losses[1] and len(losses[0]) > 3


@pytest.mark.parametrize("budget", [0, -1, float("inf"), float("nan"), "many"])
def test_no_budget(budget, tmp_path):
    with pytest.raises(UsageError, match="operations"):
        run(tmp_path / "a", operations=budget)
