"""`torchrun ... -m gentk run`: two processes train what one trains, and one goes on from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

WORDS = (
    *(
        "quickstart",
        "--generator",
        "mlp,latent=8,widths=16+32",
        "--data",
        "digits",
        "--batch",
        "16",
    ),
    *(
        "--extractor",
        "pixels",
        "--decay",
        "none",
        "--threads",
        "1",
        "--observer",
        "metrics",
    ),
)


def gentk_run(folder, out, steps, processes, chunk=5):
    """Run it; return the process."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    words = [
        *(launcher if processes > 1 else []),
        "-m",
        "gentk",
        "run",
        *WORDS,
        "--chunk",
        str(chunk),
    ]
    return subprocess.run(
        [sys.executable, *words, "--steps", str(steps), "--out", out],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "GENTK_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
    )


def weights(folder):
    [*_, last] = sorted(folder.glob("checkpoints/*/tensors.safetensors"))
    return load_file(last)


@pytest.mark.slow
def test_two_processes_train_what_one_does_and_hand_over_to_one(tmp_path):
    """Weights after 20 steps agree to 1e-5, through 1 -> 2 -> 1 processes as well."""
    assert gentk_run(tmp_path, "one", 20, 1).returncode == 0
    for steps, processes in ((6, 1), (13, 2), (20, 1)):
        done = gentk_run(tmp_path, "mixed", steps, processes)
        assert done.returncode == 0, done.stderr
    alone, mixed = weights(tmp_path / "one"), weights(tmp_path / "mixed")
    assert alone.keys() == mixed.keys()
    for name, value in alone.items():
        torch.testing.assert_close(value, mixed[name], rtol=1e-5, atol=1e-6)
    result = json.loads((tmp_path / "mixed" / "run.json").read_text())["result"]
    assert result["steps"] == 20 and "processes" not in result


@pytest.mark.slow
def test_a_batch_of_too_few_chunks_is_one_sentence(tmp_path):
    """It names a chunk that fits, once, and nothing is written."""
    done = gentk_run(tmp_path, "run", 5, 2, chunk=16)
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert len(told) == 1 and "--chunk 8" in told[0]
    assert not (tmp_path / "run" / "run.json").exists()
