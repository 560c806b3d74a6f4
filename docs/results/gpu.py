"""What to run on a GPU and for how long: `python docs/results/gpu.py`, minutes of one core and no GPU.

Counts the operations of one step of each run of `gpu.toml`, at its full size, on torch's meta device,
where tensors have shapes and no values; keeps them in `gpu.jsonl` and renders `gpu.md`. With `--render`
it only renders.

    seconds of a run = steps * max(operations / operations per second, operators * seconds per operator)
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from gentk.engine.operations import Operations
from gentk.families.learned import family_for
from gentk.registry import Registry
from gentk.runs.composing import build
from gentk.runs.folder import RunFolder
from gentk.runs.resolving import resolve_recipe
from gentk.runs.training import _loop
from gentk.testing.elsewhere import imagined
from gentk.testing.trial import secluded

HERE = Path(__file__).parent
SHARED = "parquet:" + str(HERE.parents[2] / "shared" / "data")
PRETRAINED = re.compile(r"timm:([\w.]+)")
"""An extractor whose weights decide nothing of what is counted."""

FUSED = re.compile(r"^(adamw?|sgd)\b")


HEAD = "| type | steps | operations a step | operators a step | expected hours | for |"


@dataclass(frozen=True)
class Counted:
    """What one step of a run takes.

    Attributes:
        run: What is typed behind `gentk run`.
        identity: Of its recipe, so that a recipe that changes is counted again.
        steps: Steps of the whole run.
        operations: Floating-point operations of a step.
        operators: Operators of a step that compute something.
    """

    run: str
    identity: str
    steps: int
    operations: int
    operators: int

    def hours(self, table: dict[str, Any]) -> float:
        """Return the expected hours of the run on the GPU that a table assumes."""
        step = max(
            self.operations / table["operations_per_second"],
            self.operators * table["seconds_per_operator"],
        )
        return self.steps * step / 3600


class Launched(TorchDispatchMode):
    """Counts operators, but for those that only look at memory in another way."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def flags_of(run: str) -> tuple[str, dict[str, str]]:
    """Return the recipe and the flags of what is typed behind `gentk run`."""
    recipe, *words = shlex.split(run)
    keys = [word.removeprefix("--") for word in words[::2]]
    return recipe, dict(zip(keys, words[1::2], strict=True))


def resolved(run: str) -> tuple[str, int]:
    """Return the identity and the steps of a run."""
    recipe, flags = flags_of(run)
    r = resolve_recipe(recipe, flags, registry=Registry()).recipe
    assert r.steps is not None
    return r.identity(), r.steps


def counted(run: str, data: str | None = None) -> Counted:
    """Count one step of a run, with random weights of extractors in the place of its own.

    Args:
        run: What is typed behind `gentk run`.
        data: Images of the shape of its own; by default a few of those beside the checkout.
    """
    recipe, flags = flags_of(run)
    registry = Registry()
    identity, steps = resolved(run)
    r = resolve_recipe(recipe, flags, registry=registry).recipe
    source = "mnist" if r.data.startswith("mnist") else "cifar10"
    own: dict[str, Any] = {
        **flags,
        "data": data or f"{SHARED}/{source}-train.parquet,limit=256",
        # Fused kernels are of devices that there are.
        "optimizer": FUSED.sub(r"\1,fused=false", r.optimizer),
        "device": "cpu",
        "observer": [],
    }
    if any(map(PRETRAINED.match, r.extractor)):
        own["extractor"] = [PRETRAINED.sub(r"timm:\1,weights=none", text) for text in r.extractor]
    with secluded() as folder, imagined():
        own["out"] = f"{folder}/run"
        c = build(resolve_recipe(recipe, own, registry=registry), registry, lambda message: None)
        program = family_for(c.recipe, c.losses, c.registry)[0].program(c, None)
        loop = _loop(c, program, RunFolder(c.folder()), [])
    loop._turn()  # What is made once is no step's.
    with Operations() as operations, Launched() as launched:
        loop._turn()
    return Counted(run, identity, steps, round(operations.total), launched.count)


def page(table: dict[str, Any], rows: Sequence[Counted]) -> str:
    """Return the page of what was counted."""
    by_run = {row.run: row for row in rows}
    each, launch = table["operations_per_second"], table["seconds_per_operator"]
    said = table["text"].format(each=f"{each:.0e}", launch=f"{launch:.0e}").strip()
    lines = [f"# {table['title']}", "", said, "", HEAD, "|" + " --- |" * 6]
    for command in table["command"]:
        row = by_run[command["run"]]
        mark = " *" if row.operations / each < row.operators * launch else ""
        pages = ", ".join(f"[{name}]({name}.md)" for name in command["pages"])
        lines.append(
            f"| `gentk run {row.run}` | {row.steps:,} | {row.operations:.2g} | {row.operators:,} | "
            f"{row.hours(table):.2g}{mark} | {pages} |"
        )
    return "\n".join(lines) + "\n"


def rows() -> list[Counted]:
    """Return what was counted."""
    lines = HERE.joinpath("gpu.jsonl").read_text(encoding="utf-8").splitlines()
    return [Counted(**json.loads(line)) for line in lines]


def main() -> None:
    """Count and write, or write only."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--render", action="store_true", help="count nothing")
    render = parser.parse_args().render
    table = tomllib.loads(HERE.joinpath("gpu.toml").read_text(encoding="utf-8"))
    if not render:
        known = {row.run: row for row in rows()} if HERE.joinpath("gpu.jsonl").exists() else {}
        found = []
        for command in table["command"]:
            row = known.get(command["run"])
            if row is None or (row.identity, row.steps) != resolved(command["run"]):
                row = counted(command["run"])
                print(row, flush=True)
            found.append(row)
            text = "".join(f"{json.dumps(asdict(one))}\n" for one in found)
            HERE.joinpath("gpu.jsonl").write_text(text, encoding="utf-8")
    HERE.joinpath("gpu.md").write_text(page(table, rows()), encoding="utf-8")


if __name__ == "__main__":
    main()
