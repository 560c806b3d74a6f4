"""By construction: a step that never waits for the device, and half precision only in the networks."""

from __future__ import annotations

import pytest
import torch
from parts import IMAGE, parts
from torch.utils._python_dispatch import TorchDispatchMode

from gentk.engine import Discrepancy, Matching, WeightAverage
from gentk.engine.device import computes_bfloat16, describe_devices
from gentk.runs.optimizers import build_optimizer
from gentk.statistics import summarise_stream
from gentk_averages.ma import MovingAverage


class NoWaiting(TorchDispatchMode):
    """Refuses to read a number off a tensor: on CUDA that waits for the device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func is not torch.ops.aten._local_scalar_dense.default, "the step reads a scalar"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("chunk", [None, 5])
@pytest.mark.parametrize("moving", [True, False])
def test_a_step_reads_no_scalar(chunk, moving):
    """Statistics, estimator, loss, backward, optimiser, averaging: nothing is read back."""
    generator, space, loss, estimator, data = parts(spectral=False)
    estimator = MovingAverage() if moving else estimator
    objective = Matching(
        generator, space, [Discrepancy(loss, estimator, data)], batch=12, chunk=chunk
    )
    objective.start(objective.discrepancies[0])
    optimizer = build_optimizer("adam,lr=1e-3", generator.parameters())
    average = WeightAverage(generator, 0.9)
    with NoWaiting():
        shown = objective()
        optimizer.step()
        average.update()

    assert all(torch.isfinite(value) for value in shown.values())


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx2": True, "avx512_bf16": False, "cpu_name": "bf16"}, False),
        ({"arm_bf16": True}, True),
        ({}, False),
    ],
)
def test_a_processor_says_whether_it_computes_bfloat16(monkeypatch, able, expected):
    """By the instructions it has; `gentk doctor` shows it."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)

    assert computes_bfloat16(torch.device("cpu")) is expected
    assert ("no arithmetic" in describe_devices()["cpu"]) is not expected


def test_bfloat16_networks_keep_float64_statistics():
    """Under autocast the gradient points where float32's does, and statistics stay float64."""
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        generator, space, loss, estimator, _ = parts(norm=False, dropout=0.0, spectral=False)
        generator.float()
        generator.forward = lambda z, g=generator: torch.tanh(
            g.last(torch.relu(g.first(z)))
        ).unflatten(1, g.image)
        space.float()
        space.dtype = dtype
        data = summarise_stream(iter(torch.rand(40, *IMAGE).split(10)), space, loss)
        objective = Matching(generator, space, [Discrepancy(loss, estimator, data)], batch=32)
        objective.start(objective.discrepancies[0])
        torch.manual_seed(3)
        shown = objective()
        assert shown["loss"].dtype == torch.float64
        gradients.append(torch.cat([p.grad.flatten() for p in generator.parameters()]))

    one, half = gradients
    assert torch.nn.functional.cosine_similarity(one, half, dim=0) > 0.99
    assert not torch.equal(one, half)
