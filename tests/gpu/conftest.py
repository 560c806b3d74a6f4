"""Tests of CUDA: where there is none they are skipped, and the last lines say so.

`GENTK_TEST_DEVICE=cpu` puts the CPU in its place, to try the tests themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from gentk.engine.world import World

HERE = Path(__file__).parent
NAME = os.environ.get("GENTK_TEST_DEVICE", "cuda")
NOT_RUN = "NOT RUN: this machine has no CUDA (docs/gpu.md)"


def absent() -> bool:
    """Whether there is no such device."""
    return NAME == "cuda" and not torch.cuda.is_available()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of this folder without the device, those of CUDA alone on the CPU."""
    for item in items:
        if HERE not in item.path.parents:
            continue
        if absent():
            item.add_marker(pytest.mark.skip(reason=NOT_RUN))
        elif NAME != "cuda" and item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason=f"NOT RUN: it is of CUDA, and this is {NAME}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many were not run."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(str(report.nodeid).startswith("tests/gpu") for report in skipped)
    if count:
        terminalreporter.write_line(f"{count} tests of tests/gpu {NOT_RUN}", yellow=True)


@pytest.fixture
def world() -> World:
    """The device."""
    return World(torch.device(NAME))


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """Compute in float32, not in TF32."""
    flags = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = flags
