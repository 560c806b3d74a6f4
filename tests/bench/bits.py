"""Whether two checkouts train the same weights: `python tests/bench/bits.py BEFORE AFTER`.

BEFORE and AFTER are the Python interpreters of two checkouts' virtual environments. Short runs of every
family are made with both, on this machine and one thread, and compared: all tensors of the checkpoints
and of the cached statistics bit for bit, and the identities of the runs. Committed digests would only
hold on one kind of processor. Exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

COLOUR = "digits,size=32,channels=3"
GREY = "digits,size=28"
TINY = "--generator mlp,latent=8,widths=16+32 --data digits --batch 16"
GAME = f"--data {COLOUR} --batch 8"

CASES = {
    "moments, ama": f"gfmn {TINY} --extractor pixels",
    "moments, ma, chunks": f"gfmn {TINY} --extractor pixels --estimator ma --chunk 5",
    "moments, resnet": "gfmn --data digits --batch 16 --chunk 8",
    "moments, spectral norm": f"gfmn --data {COLOUR} --batch 8 --extractor pixels "
    "--generator biggan,latent=80,width=8",
    "mmd, fresh minibatches": f"gfmn {TINY} --extractor pixels --loss mmd --estimator batch",
    "mmd, queue": f"gfmn {TINY} --extractor pixels --loss mmd --estimator queue",
    "auto-encoder, stages": "staged.toml",
    "code space, stages": "codes.toml --reference 16",
    "BiGAN": f"bigan-mnist --data {GREY} --batch 8 --decay none",
    "ALI": f"ali-cifar10 {GAME}",
    "BigBiGAN": f"bigbigan-cifar10-cpu {GAME}",
    "BigBiGAN, chunks": f"bigbigan-cifar10-cpu {GAME} --chunk 4",
    "GAN": f"bigbigan-cifar10-cpu {GAME} --critic biggan,width=8 --loss logistic --encoder none",
}
"""Label -> what follows `gentk run`."""


STAGED = f"""
data = "{GREY},validation=50"
encoder = "mlp,widths=32,dropout=0.2+0.5"
generator = "mlp,latent=8,widths=32,activation=sigmoid"
loss = "reconstruction,distance=bernoulli"
batch = 16
optimizer = "sgd,lr=0.1"
init = "stage:one+stage:two"
steps = 4
[stage.one]
encoder = "mlp,widths=,dropout=0.2"
generator = "mlp,latent=32,widths="
loss = "reconstruction,distance=bernoulli"
batch = 16
clip = 10
optimizer = "sgd,lr=0.1,momentum=0.5"
steps = 4
[stage.two]
codec = "stage:one"
encoder = "mlp,widths=,dropout=0.5"
generator = "mlp,latent=8,widths="
loss = "reconstruction,distance=bernoulli"
batch = 16
optimizer = "sgd,lr=0.1"
steps = 4
"""
CODES = f"""
data = "{GREY},validation=50"
codec = "stage:ae"
extractor = ["identity"]
generator = "mlp,latent=10,prior=uniform,widths=16"
loss = "mmd,bandwidths=1,convention=gmmn,sqrt=true"
estimator = "batch"
batch = 16
optimizer = "sgd,lr=2,momentum=0.9"
[stage.ae]
recipe = "staged.toml"
"""
RECIPES = {"staged.toml": STAGED, "codes.toml": CODES}
"""Recipes that are written beside the runs."""


def train(python: str, words: list[str], folder: Path) -> None:
    """Make one run into a folder, with a cache of its own."""
    for name, text in RECIPES.items():
        (folder / name).write_text(text)
    environment = {**os.environ, "GENTK_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    common = ["--out", str(folder / "run"), "--threads", "1", "--observer", "metrics"]
    command = [python, "-m", "gentk", "run", *words, "--steps", "4", *common]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=folder
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """Return all tensors of the checkpoints and of the cache, by place and name."""
    return {
        f"{path.relative_to(folder)}:{name}": tensor
        for path in sorted(folder.rglob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }


def differences(one: Path, other: Path) -> list[str]:
    """Return what differs between two runs."""
    unlike = []
    records = [json.loads((side / "run/run.json").read_text()) for side in (one, other)]
    if records[0]["identity"] != records[1]["identity"]:
        unlike.append(f"identity {records[0]['identity']} and {records[1]['identity']}")
    left, right = tensors(one), tensors(other)
    unlike += [f"{name} on one side only" for name in left.keys() ^ right.keys()]
    for name in left.keys() & right.keys():
        a, b = left[name], right[name]
        if a.dtype != b.dtype or a.shape != b.shape:
            unlike.append(f"{name} is {a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)}")
        elif not torch.equal(*(t.reshape(-1).view(torch.uint8) for t in (a, b))):
            unlike.append(f"{name} differs")
    return sorted(unlike)


def main() -> int:
    """Make and compare all runs; print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--only", default="", help="a part of the labels of the runs to make")
    arguments = parser.parse_args()
    failed = 0
    for label, text in CASES.items():
        if arguments.only not in label:
            continue
        with tempfile.TemporaryDirectory() as place:
            sides = [Path(place) / side for side in ("before", "after")]
            for python, side in zip((arguments.before, arguments.after), sides, strict=True):
                side.mkdir()
                train(str(Path(python).absolute()), text.split(), side)
            count = len(tensors(sides[0]))
            unlike = differences(*sides)
        failed += bool(unlike)
        told = f"{len(unlike)} differ: {'; '.join(unlike[:3])}" if unlike else "the same bits"
        print(f"{label}: {count} tensors, {told}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
