"""Whole turns on the meta device: no value is read, no tensor of the CPU is used, data enter once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import torch

from gentk.families.learned import family_for
from gentk.registry import Registry
from gentk.runs.folder import RunFolder
from gentk.runs.training import _loop
from gentk.testing.elsewhere import META, Elsewhere, elsewhere, imagined
from gentk.testing.partner import with_partners
from gentk.testing.trial import composed
from gentk.transfer import to_device

NAMES = with_partners(Registry())
PARTNER = "gentk-partner"
GAME = {"critic": PARTNER, "encoder": PARTNER, "loss": "hinge"}
MATCHED = {"extractor": ("critic,layers=layer1",), "critic": "mlp,widths=16"}
PLAIN = {"optimizer": "adam,lr=1e-2,fused=false"}
"""Fused kernels are of devices that there are."""

RUNS = {
    "moments": {"estimator": "ama", "loss": "moments,normalise=layer"},
    "fd-queue": {"estimator": "queue,size=12", "loss": "mmd"},
    "fd-denoiser": {"estimator": "denoiser", "loss": "fd"},
    "chunks": {"chunk": 3, "loss": "moments,covariance=full", "estimator": "ma"},
    "chunks-of-samples": {"chunk": 3, "loss": "drift"},
    "several": {"loss": ["moments,factor=2", "sliced,projections=8"], "estimator": "batch"},
    "balance": {"loss": "moments,balance=floor", "extractor": ("pixels", "pixels,range=signed")},
    "classes": {"loss": "drift,per-class=true,guidance=2", "generator": f"{PARTNER},classes=2"},
    "sums-of-classes": {"loss": "moments,per-class=true", "generator": f"{PARTNER},classes=2"},
    "prepared": {"loss": "mmd,features=nystrom+16,bandwidths=median"},
    "autoencoding": {"loss": "reconstruction", "encoder": PARTNER, "chunk": 3},
    "game": {**GAME, "penalty": ("gradient", "activations"), "chunk": 3, "clip": 1.0},
    "spectral": {
        **GAME,
        "penalty": ("weight-gradient",),
        "critic": "mlp,widths=16,spectral=true",
        "encoder": None,
    },
    "two-losses": {"loss": ["hinge", "moments,factor=0.1"], "critic": PARTNER, "encoder": PARTNER},
    "denoising": {"loss": "denoising,widths=8+8", "critic": "mlp,widths=8+8"},
    "fisher": {"loss": "fisher", "critic": "mlp,widths=8"},
    "contest": {**MATCHED, "loss": "mmd", "penalty": ("gradient",)},
    "contest-in-chunks": {**MATCHED, "loss": "moments,covariance=none", "chunk": 3},
    "feasible-set": {
        "data": f"{PARTNER},size=32",
        "loss": "feasible-set",
        "extractor": ("critic,layers=code",),
        "critic": "mmdgan-autoencoder,width=2,code=4",
        "penalty": ("autoencoder",),
    },
    "molm": {
        "data": f"{PARTNER},size=16",
        "loss": "moments,covariance=none",
        "extractor": ("critic",),
        "critic": "molm,width=2",
    },
}


@pytest.mark.parametrize("name", RUNS)
def test_a_turn_stays_on_the_device(name):
    """Steps, optimisers, averages: all of it, and of the data one batch enters each step."""
    with ExitStack() as stack:
        with imagined():
            c = stack.enter_context(composed(NAMES, **PLAIN, **RUNS[name]))
            program = family_for(c.recipe, c.losses, c.registry)[0].program(c, None)
            loop = _loop(c, program, RunFolder(c.folder()), [])
        entered = elsewhere(loop._turn)

    steps = len(program.phases)
    images = [x for x in entered if x.dtype == torch.uint8]
    assert sum(map(len, images)) in (0, steps * c.recipe.batch)
    assert sum(map(len, entered)) <= 2 * steps * c.recipe.batch
    assert all(p.device == META for module in program.modules.values() for p in module.parameters())


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
