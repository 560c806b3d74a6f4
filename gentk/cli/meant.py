"""What is meant: words of other tools, and what to type for them here."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["COMMAND", "option_meant"]

COMMAND = {
    **dict.fromkeys(("train", "fit", "resume", "continue", "start"), "run"),
    **dict.fromkeys(("generate", "draw", "export"), "sample"),
    **dict.fromkeys(("eval", "score", "fid", "metrics", "judge"), "evaluate"),
    **dict.fromkeys(("info", "describe", "inspect"), "show"),
    **dict.fromkeys(("ls", "components", "recipes"), "list"),
    **dict.fromkeys(("table", "leaderboard", "diff"), "compare"),
    **dict.fromkeys(("search", "tune"), "sweep"),
    **dict.fromkeys(("check", "env", "version", "status"), "doctor"),
}
"""What other tools call commands, and the command that does it here."""

OPTION = {
    **dict.fromkeys(("gpu", "cuda", "gpus", "gpu-id"), "--device cuda"),
    "cpu": "--device cpu",
    **dict.fromkeys(("config", "cfg", "recipe", "yaml"), "gentk run FILE.toml"),
    **dict.fromkeys(("epochs", "iterations", "iters", "max-steps", "num-steps"), "--steps"),
    **dict.fromkeys(("dataset", "data-dir", "data-path", "train-dir"), "--data"),
    **dict.fromkeys(("output", "output-dir", "outdir", "save-dir", "logdir", "name"), "--out"),
    # A run goes on in its folder.
    **dict.fromkeys(("resume", "resume-from", "checkpoint", "ckpt"), "--out"),
    **dict.fromkeys(("workers", "num-workers", "num-threads", "jobs"), "--threads"),
    **dict.fromkeys(("bs", "batch-size"), "--batch"),
    **dict.fromkeys(("model", "network", "architecture", "arch"), "--generator"),
    **dict.fromkeys(("discriminator",), "--critic"),
    **dict.fromkeys(("backbone", "feature-extractor"), "--extractor"),
    **dict.fromkeys(("criterion", "objective"), "--loss"),
    **dict.fromkeys(("weight-decay", "momentum", "betas"), "--optimizer {option}=VALUE"),
    **dict.fromkeys(("fp16", "bf16", "amp", "precision"), "--dtype bfloat16"),
    **dict.fromkeys(("num", "num-samples", "samples", "n", "count"), "-n"),
    **dict.fromkeys(("ref", "reference-data", "target"), "--against"),
    **dict.fromkeys(("format", "form", "type"), "--as"),
}
"""What other tools call options, and what does it here where the command has it."""


def option_meant(name: str, known: Collection[str]) -> str | None:
    """Return what to type for an option that a command does not have, or None.

    Args:
        name: As it is typed.
        known: The options that the command has.
    """
    bare = name.lstrip("-").replace("_", "-")
    meant = OPTION.get(bare)
    if meant is not None:
        flag = meant.split()[0]
        fits = flag in known or (flag == "gentk" and "--optimizer" in known)
        return f"'{meant.format(option=bare.replace('-', '_'))}'" if fits else None
    if "--data" in known and "--optimizer" in known:
        from ..families.shared import shared_options

        if bare.replace("-", "_") in {option.name for option in shared_options("data")}:
            return f"'--data {bare.replace('-', '_')}=VALUE', an option of the data"
    return None
