"""Transfer: how tensors of the host reach the device that computes, without the step waiting for it.

A copy from ordinary memory to CUDA ends before the call returns. One from page-locked memory is put
behind what the device still has to do, and the host goes on.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["to_device"]


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device; to CUDA it goes by page-locked memory, and nothing waits for it.

    The page-locked copy is torch's to reuse, which it does after the transfer.

    Args:
        tensor: Of any device; on `device` already it is returned as it is.
        device: Where it is wanted.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
