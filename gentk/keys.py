"""The keys of a recipe, and what each is: for its schema, and for the help of flags without it.

`gentk run --help` imports no library of schemas.
"""

from __future__ import annotations

from typing import Final

__all__ = ["KEYS"]

KEYS: Final[dict[str, str]] = {
    "summary": "One line for `gentk list`",
    "data": "Images to learn from: digits, cifar10, folder:PATH,size=64, ...",
    "extractor": "Feature extractor; repeat it for several, +NAME adds one",
    "generator": "The network that is trained",
    "encoder": "The network that inverts it, for losses that ask for one",
    "critic": "The network it plays against, for adversarial losses",
    "loss": "What is minimised; repeat it for a sum of several",
    "penalty": "What the critic's step minimises besides; repeatable, none for none",
    "estimator": "How statistics of the model are followed: ama, ...; once, or for each loss",
    "batch": "Generated samples per step",
    "chunk": "Samples per graph: a virtual batch, for less memory",
    "reference": "Data samples per step, for losses that compare samples; by default as batch",
    "optimizer": "Of torch.optim, by name: adam,lr=1e-3,betas=0.5+0.999",
    "schedule": "Optimiser settings over images seen",
    "decay": "Of the learning rate over the budget",
    "clip": "Largest norm of a step's gradient",
    "ema": "Decay of weight averaging, such as 0.999; none for none",
    "steps": "Budget in optimiser steps",
    "minutes": "Budget in minutes of training",
    "operations": "Budget in floating-point operations, counted in the first step",
    "init": "A run, or FILE.safetensors, to start from; run:A+run:B are stacked",
    "codec": "A run in whose code space to generate",
    "seed": "Seed of everything random",
    "device": "auto, cpu, cuda, cuda:N or mps",
    "dtype": "What networks compute in; bfloat16 is for processors that have it (gentk doctor)",
    "threads": "CPU threads; all by default",
    "out": "Run folder; runs/RECIPE-HASH8 by default",
    "observer": "What is printed, drawn, logged; repeatable, +NAME adds one",
    "phase": "Settings of single phases",
    "stage": "Runs made before this one: NAME.KEY=VALUE sets a key of one",
}
"""Key -> its description, without a full stop."""
