"""Model cards: what a model is, what it learnt from, and how good it was measured to be."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..evaluation.measurement import Measurement
from ..recipe import Recipe
from ..runs.record import recorded_versions
from ..runs.trained import Run

__all__ = ["card", "recipe_lines"]

LEFT_OUT = frozenset({"out", "device", "threads", "observer", "summary"})


def card(run: Run, recipe: Recipe, name: str, values: Sequence[Measurement], picture: str) -> str:
    """Return a model card in Markdown with the front matter that hubs read.

    Args:
        run: The run.
        recipe: Its recipe as others may read it, without places on the machine it was trained on.
        name: What the model is called.
        values: What was measured of its weights.
        picture: Where its sample grid is, from the card.
    """
    data, image = run.record["data"], run.image
    classes = data.get("classes") or {}
    kind = "A class-conditional" if run.generator.prior.classes else "An unconditional"
    task = "unconditional-image-generation"
    head = ["---", "library_name: gentk", f"pipeline_tag: {task}", "tags:", "- gentk", "---"]
    facts = [
        f"{data['count']:,} images ({data['split']} split) of {tuple(image)} (channels, height, width)",
        *([f"{len(classes)} classes: {', '.join(classes)}"] if classes else []),
        f"fingerprint `{data['fingerprint']}`",
        *data.get("notes", []),
    ]
    result = run.result or {}
    seen = f", {result['images']:,} images seen" if "images" in result else ""
    versions = ", ".join(f"{key} {value}" for key, value in recorded_versions(run.record).items())
    parts = [
        "\n".join(head),
        f"# {name}",
        f"{kind} generator of images, trained with gentk by the recipe "
        f"`{run.record['recipe_name']}`: {run.steps:,} steps{seen}, "
        f"{run.record.get('parameters', 0):,} parameters in training.",
        f"![{SAMPLES}]({picture})",
        f"```python\nimport gentk\n\nmodel = gentk.from_pretrained({name!r})  # or the folder's path\n"
        "images = model.sample(64)  # (64, C, H, W) in [0, 1]\n```",
        "## Data",
        f"`{data['name']}`: {'; '.join(facts)}.",
        "## Metric values",
        values_table(values) if values else "None were measured.",
        "## Recipe",
        "\n".join(["```toml", *recipe_lines(recipe), "```"]),
        "## Environment",
        f"{versions}.",
    ]
    return "\n\n".join(parts) + "\n"


SAMPLES = "samples of seed 0"


def values_table(values: Sequence[Measurement]) -> str:
    """Return metric values with how each was measured, as a table in Markdown."""
    rows = ["| metric | value | better | features | protocol |", "|---|---|---|---|---|"]
    for one in {(one.name, one.key): one for one in values}.values():
        place = f"`{one.extractor}`{one.mark()}"
        cells = (one.name, one.written(), one.better(), place, one.protocol.sentence())
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)


def recipe_lines(recipe: Recipe) -> list[str]:
    """Return the keys of a recipe that are set, as lines of TOML."""
    table = recipe.model_dump(mode="json", exclude=set(LEFT_OUT), exclude_none=True)
    return [f"{key} = {_toml(value)}" for key, value in table.items() if value not in ({}, [])]


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items() if v is not None) + " }"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
