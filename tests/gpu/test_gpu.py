"""CUDA: the CPU's gradients, steps that do not wait, memory of a chunk, and little over bare passes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch.overrides import TorchFunctionMode
from turns import RUNS, WAITING, Ready, ready

import gentk
from gentk.engine.world import World
from gentk.transfer import to_device

DRAWS = (torch.randn, torch.rand, torch.randint, torch.randperm)
WARM, STEPS = 5, 100
LARGE = {
    "data": "gentk-partner,size=32",
    "generator": "dcgan",
    "extractor": ("timm:resnet10t,weights=none",),
    "loss": "moments",
    "estimator": "ama",
}
"""A run whose passes are most of its steps."""


class DrawnOnTheHost(TorchFunctionMode):
    """Draws random numbers on the CPU: devices have generators of their own."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in DRAWS and kwargs.get("device") is not None:
            return func(*args, **{**kwargs, "device": "cpu"}).to(kwargs["device"])
        return func(*args, **kwargs)


def gradients(run: Ready) -> dict[str, torch.Tensor]:
    """What one call of each objective adds to the parameters, on the CPU."""
    torch.manual_seed(3)
    slopes = {}
    for phase in run.program.phases:
        for module in phase.modules.values():
            module.zero_grad()
        phase.objective()
        for name, module in phase.modules.items():
            for key, parameter in module.named_parameters():
                if parameter.grad is not None:
                    slopes[f"{phase.name} {name} {key}"] = parameter.grad.detach().cpu().double()
    return slopes


@pytest.mark.parametrize("name", RUNS)
def test_gradients_are_those_of_the_cpu(name, world):
    """Of the same latents and images, each family's, to the rounding of float32."""
    sides = []
    for one in (World(), world):
        with DrawnOnTheHost(), ready(name, one, optimizer="sgd,lr=1e-2") as run:
            sides.append(gradients(run))

    mine, theirs = sides
    assert mine.keys() == theirs.keys() and mine
    whole, other = (torch.cat([side[key].flatten() for key in mine]) for side in sides)
    assert (whole - other).norm() <= 1e-3 * whole.norm()


@contextmanager
def waiting(mode: str) -> Iterator[None]:
    """Have torch raise where the host waits for the device."""
    with warnings.catch_warnings():
        # That the mode is a prototype is told each time.
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode(mode)
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.cuda
@pytest.mark.parametrize("name", [name for name in RUNS if name not in WAITING])
def test_a_hundred_steps_wait_for_nothing(name, world):
    """Objectives, optimisers, averages: the host only waits where logged numbers are read."""
    with ready(name, world) as run:
        for _ in range(WARM):
            run.loop._turn()
        with waiting("error"):
            for _ in range(STEPS):
                run.loop._turn()
        run.loop._flush()

    assert run.loop.progress.steps == WARM + STEPS


@pytest.mark.cuda
def test_what_enters_does_not_wait(world):
    """A tensor of the host goes by page-locked memory, and is the same there."""
    rows = torch.arange(1000)
    with waiting("error"):
        moved = to_device(rows, world.device)

    assert moved.is_cuda and torch.equal(moved.cpu(), rows)


@pytest.mark.cuda
def test_memory_is_that_of_a_chunk(world):
    """Eight times the batch in the same chunks takes little more; one graph takes far more."""
    peaks = []
    for batch, chunk in ((64, 64), (512, 64), (512, None)):
        own = {"batch": batch, **({"chunk": chunk} if chunk else {})}
        with ready("moments", world, **{**LARGE, **own}) as run:
            run.loop._turn()
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats(world.device)
            start = torch.cuda.memory_allocated(world.device)
            run.loop._turn()
            torch.cuda.synchronize()
            peaks.append(torch.cuda.max_memory_allocated(world.device) - start)

    one, virtual, whole = peaks
    print(f"memory of a step: {one:,} B, in chunks of an eighth {virtual:,} B, in one {whole:,} B")
    assert virtual < 1.5 * one
    assert whole > 3 * virtual


@pytest.mark.cuda
def test_a_step_takes_little_more_than_its_passes(world):
    """Statistics, estimator, loss, optimiser and averages beside G and phi, forward and backward."""
    with ready("moments", world, **{**LARGE, "batch": 256}) as run:
        c = run.composition
        space, generator = c.space, c.generator
        features = space(generator(generator.prior.draw(256, world.device)), generator.range)
        cotangents = [torch.randn_like(value) for value in features.values()]

        def bare() -> None:
            generator.zero_grad(set_to_none=True)
            latents = generator.prior.draw(256, world.device)
            values = space(generator(latents), generator.range).values()
            torch.autograd.backward(list(values), cotangents)

        ratio = seconds(run.loop._turn) / seconds(bare)
    print(f"step over bare: {ratio:.3f}")
    assert ratio < 1.5


def seconds(step: Callable[[], object], count: int = 20) -> float:
    """The shortest of three times of so many steps."""
    shortest = float("inf")
    for _ in range(3):
        step()
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(count):
            step()
        torch.cuda.synchronize()
        shortest = min(shortest, time.perf_counter() - begin)
    return shortest


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_run_trains_goes_on_and_opens_on_the_cpu(tmp_path, world, flags, dtype):
    """Its samples there are those of the device."""
    own = {**flags, "dtype": dtype, "device": world.device.type, "out": str(tmp_path / "run")}
    gentk.run("gfmn", **own, steps=3)
    trained = gentk.run("gfmn", **own, steps=6)
    opened = gentk.load(str(tmp_path / "run"), device="cpu")

    assert trained.result["steps"] == 6
    latents = opened.latents(4)
    sides = [(trained, latents.to(world.device)), (opened, latents)]
    mine, theirs = (torch.cat(list(run.images(z))) for run, z in sides)
    assert torch.allclose(mine, theirs, atol=1e-3)
