"""Processes of one run, started by hand or by torchrun."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from forked import Forked

WORDS = (
    *(
        "gfmn",
        "--generator",
        "mlp,latent=8,widths=16+32",
        "--data",
        "digits,size=8",
        "--batch",
        "16",
    ),
    *("--extractor", "pixels", "--decay", "none", "--threads", "1", "--observer", "metrics"),
)
"""A recipe that trains in a second."""

JUDGED = ("--observer", "evaluate,every=3,extractor=pixels,count=20")
"""What has a checkpoint written every three steps."""


def environment(folder, **more):
    """What processes are given, a cache of their own among it."""
    own = {"GENTK_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own, **{key: str(value) for key, value in more.items()}}


def launch(folder, *words, processes=1, **more):
    """Start `gentk run` in a folder, by torchrun if in several processes."""
    typed = ["run", *WORDS, *words]
    if processes == 1:
        return Forked(folder, typed, environment(folder, **more))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "gentk", *typed],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder, **more),
    )


def ranks(folder, *words, own=None, size=2, start=None, **more):
    """Start ranks as torchrun does, without it: nobody ends those that wait for one that is gone.

    Args:
        folder: Where.
        words: What all are told.
        own: Rank -> what it alone is told.
        size: How many they believe to be.
        start: How many are started; all of them without it.
        more: Variables of the environment.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": size}
    return [
        launch(
            folder,
            *words,
            *(own or {}).get(rank, ()),
            **{**place, "RANK": rank, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": size, **more},
        )
        for rank in range(start or size)
    ]


def told(*processes, timeout=200):
    """The errors that processes tell, one a sentence, when all have ended."""
    texts = [process.communicate(timeout=timeout)[1] for process in processes]
    return [line for text in texts for line in text.splitlines() if line.startswith("Error:")]
