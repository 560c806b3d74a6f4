"""What is meant: words of other tools, and what to type for them here."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

__all__ = [
    "command_meant",
    "extra_meant",
    "kind_meant",
    "missing_meant",
    "option_meant",
    "subcommand_meant",
]

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

SUBCOMMAND = {
    "plugin install": "pip install NAME",
    "plugin add": "pip install NAME",
    "plugin remove": "pip uninstall NAME",
    "plugin list": "gentk list",
    "plugin create": "gentk plugin new",
    "plugin test": "gentk plugin check",
    "weights show": "gentk weights path",
    "weights check": "gentk weights verify",
    "weights ls": "gentk weights list",
    # A run fetches what it wants.
    "weights download": "gentk run --extractor NAME",
    "weights fetch": "gentk run --extractor NAME",
}
"""What is asked of groups of commands, and what does it."""

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
    **dict.fromkeys(("verbose", "v", "vv", "traceback"), "--debug"),
    **dict.fromkeys(("silent", "q"), "--quiet"),
    **dict.fromkeys(("width", "widths", "latent"), "--generator {option}=VALUE"),
    **dict.fromkeys(("kernel", "bandwidths", "covariance"), "--loss {option}=VALUE"),
    **dict.fromkeys(("layers", "resize"), "--extractor timm:MODEL,{option}=VALUE"),
    **dict.fromkeys(("fid", "fd"), "--metric fd"),
    "no-ema": "--ema none",
    **{name: f"--metric {name}" for name in ("kid", "prdc", "is", "mmd")},
    **dict.fromkeys(("precision-recall", "density", "coverage"), "--metric prdc"),
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


def command_meant(name: str) -> str | None:
    """Return what to type for a first word that is no command: a recipe, a run, a name elsewhere."""
    if name.lower() in COMMAND:
        return repr(COMMAND[name.lower()])
    if Path(name, "run.json").is_file():
        return f"'gentk sample {name}'"
    from ..library import Library, beside
    from ..registry import Registry

    file = beside(name)
    if file is not None:
        return f"'{file}'"

    registry = Registry()
    if any(row.name == name for row in Library(registry.modules).rows()):
        return f"'gentk run {name}'"
    return f"'gentk show {name}'" if list(registry.kinds_of(name)) else None


def subcommand_meant(group: str, name: str, known: Collection[str]) -> str:
    """Return a hint, or nothing, for a word that a group of commands does not have."""
    from ..errors import did_you_mean

    meant = SUBCOMMAND.get(f"{group} {name.lower()}")
    return f"did you mean {meant!r}?" if meant else did_you_mean(name, known)


def extra_meant(words: Sequence[str], known: Collection[str]) -> str:
    """Return a hint, or nothing, for words that a command has no room for.

    Args:
        words: Those that are left over.
        known: The options that the command has.
    """
    word = words[0]
    if word.isdigit() and "-n" in known:
        return f"did you mean '-n {word}'?"
    key, equals, value = word.partition("=")
    if equals and f"--{key}" in known:
        return f"did you mean '--{key} {value}'?"
    if Path(word, "run.json").is_file() and "--against" in known:
        return "runs are judged one at a time, and 'gentk compare' lays them side by side;"
    return ""


def kind_meant(text: str) -> str | None:
    """Return the kind and the name of `KIND:NAME` as they are typed, as two words, or None."""
    from ..library import LISTED
    from ..spec import KINDS

    kind, colon, name = text.partition(":")
    if not colon or kind not in (*KINDS, *LISTED):
        return None
    return f"{kind} {shlex.quote(name)}" if name else kind


def missing_meant(name: str | None) -> str:
    """Return a hint, or nothing, for an argument that is missing: the newest run there is."""
    if name not in ("run", "subject", "runs"):
        return ""
    from ..runs.folder import near

    return near("").strip()
