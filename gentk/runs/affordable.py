"""What fits into memory: networks are weighed before they are built."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import torch
from torch import nn

from ..engine import randomness
from ..errors import GentkError, Incompatible

__all__ = ["check_affordable"]

TOO_LARGE = re.compile("overflow|too large|too big|int too", re.IGNORECASE)
"""What torch and Python say of sizes beyond their whole numbers."""

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
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        with randomness.lent(torch.device("cpu"), seed=0), torch.device("meta"):
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
    if need > memory:
        raise Incompatible(
            f"{text!r} has {sum(sizes) / 2**30:,.0f} GiB of weights, which take "
            f"{need / 2**30:,.0f} GiB to train, and this machine has "
            f"{memory / 2**30:,.0f} GiB; choose smaller sizes"
        )
