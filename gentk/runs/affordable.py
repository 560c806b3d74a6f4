"""What fits into memory: networks are weighed before they are built, and steps before they are taken."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor, nn

from ..engine import randomness
from ..engine.device import choose_device
from ..errors import GentkError, Incompatible
from ..interfaces import Generator
from ..recipe import Recipe

__all__ = ["check_affordable", "check_step"]

TOO_LARGE = re.compile("overflow|too large|too big|int too", re.IGNORECASE)
"""What torch and Python say of sizes beyond their whole numbers."""

LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where Linux says how much memory a container may have."""

COPIES = 4
"""Of each weight that is trained: itself, its gradient, and two moments of an optimiser."""


def check_affordable(build: Callable[[], nn.Module], text: str) -> None:
    """Refuse a network whose weights cannot be trained in this machine's memory.

    It is built on torch's meta device, where weights have a size and no memory; what cannot be built
    there is not weighed.

    Args:
        build: Builds it.
        text: How it was written.

    Raises:
        Incompatible: It does not fit.
    """
    memory = _memory()
    try:
        with _weightless():
            sizes = [p.numel() * p.element_size() for p in build().parameters()]
    except GentkError:
        raise
    except (OverflowError, RuntimeError, TypeError, ValueError) as error:
        if TOO_LARGE.search(str(error)):
            raise Incompatible(
                f"{text!r} is larger than any memory; choose smaller sizes"
            ) from error
        return
    except Exception:
        return  # What it is that fails there shows when it is built.
    need = COPIES * sum(sizes)
    if memory is not None and need > memory:
        raise Incompatible(
            f"{text!r} has {sum(sizes) / 2**30:,.0f} GiB of weights, which take "
            f"{need / 2**30:,.0f} GiB to train, and this machine has "
            f"{memory / 2**30:,.0f} GiB; choose smaller sizes"
        )


def check_step(build: Callable[[], Generator], r: Recipe) -> None:
    """Refuse a step on the CPU whose generator alone keeps more for its gradient than there is memory.

    A single pass of torch heeds no signal: one that does not fit would swap for minutes and not be
    stopped. What passes through the other networks comes on top. GPUs refuse such a step themselves,
    at once.

    Args:
        build: Builds the generator.
        r: The recipe.

    Raises:
        Incompatible: It does not fit.
    """
    if choose_device(r.device).type != "cpu":
        return
    try:
        with _weightless():
            generator = build()
            if not all(p.is_meta for p in generator.parameters()):
                return  # Somebody's own object, with weights: not ours to try.
            # What is kept once, such as weights, is in both.
            each = (_kept(generator, 4) - _kept(generator, 2)) // 2
    except GentkError:
        raise
    except Exception:
        return  # What has no shape without values is not weighed, and what it is that fails shows later.
    samples, memory = min(r.chunk or r.batch, r.batch), _memory()
    if memory is not None and each * samples > memory:
        fits = 2 ** max((memory // (8 * each)).bit_length() - 1, 0)
        raise Incompatible(
            f"a step of {samples:,} samples keeps at least {each * samples / 2**30:,.0f} GiB for its "
            f"gradient, and this machine has {memory / 2**30:,.0f} GiB; type --chunk {fits} for the "
            "same gradient in less memory, or a smaller --batch"
        )


def _kept(generator: Generator, count: int) -> int:
    """Return the bytes of all that autograd keeps of a pass of so many samples, without memory."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        images = generator(generator.prior.draw(count, "cpu").to("meta"))
        keep(images)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@contextmanager
def _weightless() -> Iterator[None]:
    """Have networks built on torch's meta device, and the random state left alone."""
    with randomness.lent(torch.device("cpu"), seed=0), torch.device("meta"):
        yield


def _memory() -> int | None:
    """Return the bytes of memory of this machine, or those of its container, if it says so."""
    sizes = []
    # Windows has no sysconf, and not every system knows these names: nothing is weighed there.
    with suppress(AttributeError, OSError, ValueError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in LIMITS:
        with suppress(OSError, ValueError):
            sizes.append(int(path.read_text()))
    return min((size for size in sizes if size > 0), default=None)
