"""Graphs: a generator as a program that runs without gentk.

    (latents, labels?, truncation?) -> images (N, C, H, W) float32 in [0, 1], N free

`latents`, (N, d), are standard normal (uniform in [-1, 1] where the generator's are). `labels`, (N,)
int64, are there for conditional generators. `truncation`, a scalar, is the largest |z|: latents are
taken to the normal distribution between -b and b by its quantiles,

    z' = sqrt(2) erfinv(erf(z / sqrt(2)) erf(b / sqrt(2))),

and from 5 on they stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ..engine import randomness
from ..errors import Incompatible, RunError
from ..interfaces import BOUNDS
from ..ranges import to_range
from ..runs.trained import Run

__all__ = ["ONNX", "TORCH", "Sampler", "erfinv", "save_onnx", "save_torch"]

ONNX: Final = "model.onnx"
TORCH: Final = "model.pt2"
OPSET: Final = 18
WIDE: Final = 5.0
"""The truncation from which latents stay as they are: |z| is above it once in 1.7 million draws."""

CENTRAL: Final = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
TAIL: Final = (
    *(-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773),
    *(-0.0076224613, 0.00943887047, 1.00167406, 2.83297682),
)
"""Coefficients, highest power first, of single precision: M. Giles, Approximating the erfinv function,
GPU Computing Gems 2, 2010, table 5."""

BATCHES: Final = (1, 3)
"""The sizes of batches that are compared with the run before a graph is written."""

TOLERANCE: Final = 2e-4
"""How far a value in [0, 1] may be from the run's."""


def erfinv(x: Tensor) -> Tensor:
    """Return the inverse of the error function, of operations that every runtime has; |x| < 1."""
    w = -torch.log((1 - x) * (1 + x))
    central = _polynomial(CENTRAL, w - 2.5)
    tail = _polynomial(TAIL, torch.sqrt(w.clamp(min=0)) - 3)
    return torch.where(w < 5, central, tail) * x


def _polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    value = torch.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


class Sampler(nn.Module):
    """A run's generator, and what makes images of its codes, with all that stands around it.

    Args:
        run: The run, whose networks it takes.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.generator, self.codec = run.generator, run.codec
        prior = run.generator.prior
        self.classes, self.tailed = prior.classes, prior.law != "uniform"
        self.bound = prior.bound if prior.law == "truncated" else math.inf

    @property
    def names(self) -> list[str]:
        """The names of its inputs, in order."""
        labels, truncation = ["labels"] * bool(self.classes), ["truncation"] * self.tailed
        return ["latents", *labels, *truncation]

    def forward(self, latents: Tensor, *more: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [0, 1]."""
        given = dict(zip(self.names[1:], more, strict=True))
        z = latents
        if self.tailed:
            bound = given["truncation"].clamp(max=self.bound)
            root = math.sqrt(2)
            inside = torch.erf(z / root) * torch.erf(bound / root)
            z = torch.where(bound < WIDE, erfinv(inside) * root, z)
        if self.classes:
            z = torch.cat([z, one_hot(given["labels"], self.classes).to(z.dtype)], dim=1)
        samples = self.generator(z)
        if self.codec is None:
            images = to_range(samples, self.generator.range, "unit")
        else:
            images = self.codec.decode(to_range(samples, self.generator.range, self.codec.range))
        low, high = BOUNDS["unit"]
        return images.clamp(low, high)

    def inputs(self, count: int, truncation: float) -> tuple[Tensor, ...]:
        """Return inputs of `count` samples, the same ones every time."""
        prior = self.generator.prior
        with randomness.lent(torch.device("cpu"), seed=count):
            z = torch.randn(count, prior.dimension)
            z = z if self.tailed else z.clamp(-1, 1)
        labels = [torch.arange(count) % self.classes] if self.classes else []
        return (z, *labels, *([torch.tensor(truncation)] if self.tailed else []))


def save_torch(run: Run, path: Path) -> None:
    """Write a program of torch.export; raise `Incompatible` where it computes something else."""
    sampler = _sampler(run)
    program = _exported(sampler)
    loaded = program.module()
    _compare(sampler, lambda inputs: loaded(*inputs), "torch.export")
    with path.open("wb") as file:
        torch.export.save(program, file)


def save_onnx(run: Run, path: Path) -> None:
    """Write an ONNX file; raise `Incompatible` where onnxruntime computes something else of it.

    Raises:
        RunError: onnx or onnxruntime is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise RunError(
            f"ONNX needs onnx, onnxscript and onnxruntime ({error}); type: pip install "
            "'gentk-core[export]'"
        ) from error
    sampler = _sampler(run)
    try:
        program: Any = torch.onnx.export(
            _exported(sampler),
            input_names=sampler.names,
            output_names=["images"],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        program.save(str(path), external_data=False)
    except torch.onnx.OnnxExporterError as error:
        raise Incompatible(
            f"the generator cannot be written as ONNX ({_reason(error)}); export the run as a folder"
        ) from error
    with _by_onnxruntime():
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def computed(inputs: tuple[Tensor, ...]) -> Tensor:
        named = zip(sampler.names, inputs, strict=True)
        with _by_onnxruntime():
            (images,) = session.run(None, {name: value.numpy() for name, value in named})
        return torch.from_numpy(images)

    _compare(sampler, computed, "onnxruntime")


def _sampler(run: Run) -> Sampler:
    """Return a run's sampler on the CPU, where others will run it."""
    return Sampler(Run(run.folder, run.registry, "cpu")).eval()


def _exported(sampler: Sampler) -> torch.export.ExportedProgram:
    batch = torch.export.Dim("batch")
    shapes: list[dict[int, Any]] = [
        {} if name == "truncation" else {0: batch} for name in sampler.names
    ]
    latents, *more = shapes
    try:
        return torch.export.export(
            sampler, sampler.inputs(3, 2.0), dynamic_shapes=(latents, tuple(more)), strict=False
        )
    except Exception as error:  # torch raises whatever a network's code makes it raise.
        raise Incompatible(
            f"torch cannot turn the generator into a graph ({_reason(error)}); export the run as a "
            "folder"
        ) from error


@contextmanager
def _by_onnxruntime() -> Iterator[None]:
    """Refuse a graph that onnxruntime cannot load or run."""
    try:
        yield
    except Exception as error:  # A third party's: of an operation or a type that it has not.
        raise Incompatible(
            f"onnxruntime does not run the generator ({_reason(error)}); export the run as a folder"
        ) from error


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


@torch.no_grad()
def _compare(sampler: Sampler, computed: Callable[[tuple[Tensor, ...]], Tensor], who: str) -> None:
    """Refuse a graph whose images are not the run's, at batches of several sizes and truncations."""
    for count in BATCHES:
        for truncation in (0.7, math.inf):
            inputs = sampler.inputs(count, truncation)
            ours, theirs = sampler(*inputs), computed(inputs)
            worst = float((ours - theirs).abs().max()) if ours.shape == theirs.shape else math.nan
            if not worst <= TOLERANCE:
                raise Incompatible(
                    f"{who} computes other images than the run of {count} latents: shapes "
                    f"{tuple(theirs.shape)} and {tuple(ours.shape)}, values up to {worst:.2g} apart; "
                    "export the run as a folder"
                )
