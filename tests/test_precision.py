"""Precision: float64 where a device has it, and where it goes if not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

from gentk.precision import double, home_of_float64, widest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("name", "dtype", "home"),
    [
        ("cpu", torch.float64, "cpu"),
        ("cuda:1", torch.float64, "cuda:1"),
        ("mps", torch.float32, "cpu"),
    ],
)
def test_float64_lives_where_it_can(name, dtype, home):
    """CPU and CUDA have float64; what belongs to Apple's GPUs is float32, or on the CPU."""
    assert widest(torch.device(name)) == dtype
    assert home_of_float64(torch.device(name)) == torch.device(home)


def test_double_is_exact_and_keeps_the_graph():
    """Every float32 is a float64; float64 is handed through; gradients flow back."""
    values = torch.randn(9, generator=torch.Generator().manual_seed(0)).requires_grad_()
    wide = double(values)
    wide.sum().backward()

    assert wide.dtype == torch.float64 and torch.equal(wide.float(), values)
    assert double(wide) is wide and torch.equal(values.grad, torch.ones(9))


def test_nobody_else_asks_which_device_has_float64():
    """No file but this one's subject compares a device with `mps` to choose a type."""
    files = [*ROOT.glob("gentk/**/*.py"), *ROOT.glob("plugins/*/gentk_*/**/*.py")]
    others = {
        str(path.relative_to(ROOT))
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.IfExp)
        and any(
            isinstance(part, ast.Constant) and part.value == "mps" for part in ast.walk(node.test)
        )
    }

    assert not others
