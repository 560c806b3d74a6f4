"""Model cards: what a model is, what it learnt from, and how good it was measured to be."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..evaluation.measurement import Measurement
from ..recipe import Recipe
from ..runs.record import recorded_versions
from ..runs.trained import Run
from ..session import objects_of
from .facts import data_rows, recipe_lines, start_of

__all__ = ["card"]


def card(run: Run, recipe: Recipe, name: str, values: Sequence[Measurement], picture: str) -> str:
    """Return a model card in Markdown with the front matter that hubs read.

    Args:
        run: The run.
        recipe: Its recipe as others may read it, without places on the machine it was trained on.
        name: What the model is called.
        values: What was measured of its weights.
        picture: Where its sample grid is, from the card.
    """
    classes = run.generator.prior.classes
    kind = "A class-conditional" if classes else "An unconditional"
    one = (
        f"\none = model.sample(16, label={classes - 1})  # a class by its number" if classes else ""
    )
    # The hub knows no task of drawing a class: a tag says it.
    task = "unconditional-image-generation"
    tags = ["- gentk", *(["- class-conditional-image-generation"] if classes else [])]
    head = ["---", "library_name: gentk", f"pipeline_tag: {task}", "tags:", *tags, "---"]
    result = run.result or {}
    seen = f", {result['images']:,} images seen" if "images" in result else ""
    versions = ", ".join(f"{key} {value}" for key, value in recorded_versions(run.record).items())
    start = start_of(run.record)
    own = {kind: objects_of(recipe, kind) for kind in ("generator", "encoder")}
    classes_of = {kind: keys[0].rpartition("-")[0] for kind, keys in own.items() if keys}
    # Classes of Python are nowhere in the folder: whoever opens it has them.
    built = "".join(
        f"{kind} = ...  # {qualname}, built as it was to be trained\n"
        for kind, qualname in classes_of.items()
    )
    given = "".join(f", {kind}={kind}" for kind in classes_of)
    parts = [
        "\n".join(head),
        f"# {name}",
        f"{kind} generator of images, trained with gentk by the recipe "
        f"`{run.record['recipe_name']}`: {run.steps:,} steps{seen}, "
        f"{run.record.get('parameters', 0):,} parameters in training."
        + (f" It started from {start}." if start else ""),
        f"![{SAMPLES}]({picture})",
        f"```python\nimport gentk\n\n{built}"
        f"model = gentk.from_pretrained({json.dumps(name)}{given})  # or the folder's path\n"
        f"images = model.sample(64)  # (64, C, H, W) in [0, 1]{one}\n```",
        "## Data",
        "\n".join(
            f"- {name}: {f'`{text}`' if name in CODE else text}"
            for name, text in data_rows(run.record).items()
        ),
        "## Metric values",
        values_table(values) if values else "None were measured.",
        "## Recipe",
        "\n".join(["```toml", *recipe_lines(recipe), "```"]),
        "## Environment",
        f"{versions}.",
    ]
    return "\n\n".join(parts) + "\n"


SAMPLES = "samples of seed 0"
CODE = ("name", "fingerprint")
"""Facts of the data that stand as they would be typed."""


def values_table(values: Sequence[Measurement]) -> str:
    """Return metric values with how each was measured, as a table in Markdown."""
    rows = ["| metric | value | better | features | protocol |", "|---|---|---|---|---|"]
    kept = {one.key: one for one in values}
    metrics = {
        one.name: {own.metric for own in kept.values() if own.name == one.name} for one in values
    }
    for one in kept.values():
        place = f"`{one.extractor}`{one.mark()}"
        name = f"{one.name} ({one.metric})" if len(metrics[one.name]) > 1 else one.name
        cells = (name, one.written(), one.better(), place, one.protocol.sentence())
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)
