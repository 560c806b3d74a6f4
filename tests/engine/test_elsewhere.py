"""Whole turns on the meta device: no value is read, no tensor of the CPU is used, data enter once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from turns import RUNS, WAITING, ready

from gentk.engine.world import join
from gentk.testing.elsewhere import META, Elsewhere, elsewhere, imagined
from gentk.transfer import to_device


class Checked(TorchDispatchMode):
    """Notes linear algebra that looks at its own success, for which CUDA waits."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.__name__.split(".")[0] in ("_linalg_eigh", "_linalg_svd", "_linalg_check_errors"):
            self.names.add(func.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", RUNS)
def test_a_turn_stays_on_the_device(name):
    """Steps, optimisers, averages: all of it, and of the data one batch enters each step."""
    with ExitStack() as stack:
        with imagined():
            # Fused kernels are of devices that there are.
            run = stack.enter_context(ready(name, optimizer="adam,fused=false"))
        with Checked() as checked:
            entered = elsewhere(run.loop._turn)

    assert join("cpu").device.type == "cpu", "what is imagined has an end"
    phases, batch = run.program.phases, run.composition.recipe.batch
    images = [x for x in entered if x.dtype == torch.uint8]
    assert sum(map(len, images)) in (0, len(phases) * batch)
    assert sum(map(len, entered)) <= 2 * len(phases) * batch
    modules = run.program.modules.values()
    assert all(p.device == META for module in modules for p in module.parameters())
    assert bool(checked.names) == (name in WAITING)


@pytest.mark.parametrize(
    ("stray", "word"),
    [
        (lambda x: x @ torch.eye(3), "given a tensor of the CPU"),
        (lambda x: torch.eye(3).to(x), "copied to the device"),
        (lambda x: x.copy_(torch.zeros(3)), "copied to the device"),
        (lambda x: x[:, torch.tensor([0, 1])], "given a tensor of the CPU"),
        (lambda x: torch.tensor([1.0, 2.0, 3.0], device=x.device), "torch.tensor"),
        (lambda x: x.new_tensor([1.0]), "new_tensor"),
        (lambda x: x.cpu(), "ends in"),
        (lambda x: x[x > 0], "ends in"),
    ],
)
def test_a_stray_is_caught(stray, word):
    """Each way in which a tensor strays, or values are fetched, is an error that says so."""
    x = torch.zeros(4, 3, device=META)
    with pytest.raises(AssertionError, match=word):
        elsewhere(lambda: stray(x))


def test_what_devices_take_is_let_through():
    """Numbers, tensors made there, and what `to_device` moves are no strays."""
    x = torch.zeros(4, 3, device=META)
    rows = torch.arange(2)

    with Elsewhere() as mode:
        (x + torch.tensor(2.0)).sum()
        x @ torch.eye(3, device=x.device)
        x[to_device(rows, x.device)]

    assert len(mode.entered) == 1 and mode.entered[0] is rows


def test_values_are_made_up_before_a_step_alone():
    """What is read while a run is prepared is a number; the same in a step is an error."""
    x = torch.zeros(4, 3, device=META)
    with imagined():
        assert float(x.sum()) == 1 and bool(x.any()) and x.cpu().shape == x.shape
        assert x.nonzero().device == META
    with pytest.raises(RuntimeError):
        float(x.sum())
