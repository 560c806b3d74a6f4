"""Records: what run.json says of a run, and whether a run that goes on is still the same."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from ..budget import UNITS
from ..errors import RunError
from ..events import Progress
from ..families.composition import Composition
from ..recipe import Recipe, Resolved
from ..registry import Registry
from ..selection import Selection
from ..spec import PROJECT
from ..version import DISTRIBUTION, __version__

__all__ = [
    "describe",
    "facts_of",
    "follows_budget",
    "overtaken",
    "recorded_versions",
    "result_of",
    "same_inputs",
    "stretched",
]


def describe(c: Composition) -> dict[str, Any]:
    """Return what run.json says of a run besides its result."""
    return {
        "recipe_name": c.resolved.name,
        "identity": c.recipe.identity(),
        "recipe": c.recipe.model_dump(mode="json"),
        "data": {
            **c.images.description(),
            "fingerprint": c.images.fingerprint(),
            "damaged": list(c.images.skipped),
        },
        **{
            name: {"fingerprint": part.fingerprint()}
            for name, part in (("extractor", c.space), ("codec", c.codec))
            if part is not None
        },
        "parameters": sum(
            p.numel()
            for part in (c.generator, c.encoder, c.critic)
            if part
            for p in part.parameters()
        ),
        "versions": _versions(c.registry),
        "machine": {"python": platform.python_version(), "device": str(c.device)},
    }


def facts_of(c: Composition) -> dict[str, str]:
    """Return what all processes of a run must have alike: what a sentence calls it -> a digest."""
    r = c.recipe
    facts = {
        "recipe": _digest(f"{r.identity()} {r.budget} {r.dtype}"),
        "data": c.images.fingerprint(),
        "code of gentk and its plugins": _code(c.registry),
    }
    facts |= {f"version of {name}": version for name, version in _versions(c.registry).items()}
    for name, part in (("extractor", c.space), ("codec", c.codec)):
        if part is not None:
            facts[name] = part.fingerprint()
    return facts


def _code(registry: Registry) -> str:
    """Return a digest of the sources of gentk and of the plugins whose components are there."""
    roots = {Path(__file__).parent.parent}
    for _, module in registry.modules:
        place = getattr(sys.modules.get(module), "__file__", None)
        if place is not None:
            roots.add(Path(place).parent)
    files = sorted({path for root in roots for path in root.rglob("*.py")})
    return _digest("".join(f"{path.name} {path.read_text(errors='replace')}" for path in files))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def result_of(
    progress: Progress, last: dict[str, float], processes: int = 1, each: int | None = None
) -> dict[str, Any]:
    """Return what run.json says of a finished run: counts, and the last step's terms."""
    terms = {name: value for name, value in last.items() if name.startswith("loss")}
    return {
        "steps": progress.steps,
        "images": progress.images,
        "seconds": round(progress.seconds, 3),
        **({"processes": processes} if processes > 1 else {}),
        **({"operations_per_step": each} if each is not None else {}),
        **terms,
    }


def same_inputs(record: dict[str, Any], c: Composition) -> None:
    """Refuse to go on with other data or weights under the same names."""
    parts: dict[str, tuple[str, str, Any]] = {
        "data": ("data", c.recipe.data, c.images),
        "extractor": ("weights", " and ".join(c.recipe.extractor), c.space),
        "codec": ("weights", str(c.recipe.codec), c.codec),
    }
    for key, (what, name, part) in parts.items():
        if part is not None and record[key]["fingerprint"] != part.fingerprint():
            raise RunError(
                f"{c.folder()} was trained with other {what} than {name} has now; put them back, or "
                "type another folder with --out"
            )


def follows_budget(r: Recipe) -> bool:
    """Say whether a rate falls over the budget: of such a run no longer one is the continuation."""
    return r.decay != "none" or any(p.decay not in (None, "none") for p in r.phase.values())


def stretched(r: Recipe, record: dict[str, Any] | None, progress: Progress) -> str | None:
    """Tell that a decaying rate follows the new budget, as no uninterrupted run's would."""
    if record is None or not progress.steps or not follows_budget(r):
        return None
    then = record["recipe"]
    if all(then.get(unit) == getattr(r, unit) for unit in UNITS):
        return None
    return (
        "the budget has changed since this run began: the learning rate now follows the new one, so "
        "the result is not that of an uninterrupted run"
    )


def overtaken(resolved: Resolved) -> str | None:
    """Tell that a recipe's schedule goes on to set what was typed for its optimiser."""
    typed = resolved.origins["optimizer"]
    if not typed.startswith("--") or resolved.origins["schedule"].startswith("--"):
        return None
    own = Selection.parse(resolved.recipe.optimizer).options
    for change in sorted(resolved.recipe.schedule, key=lambda change: change.at):
        both = [name for name in change.set if name in own]
        if both:
            return (
                f"{typed} holds for the first {change.at:,} images: then the recipe's schedule sets "
                f"{' and '.join(both)}, and it stays as it is"
            )
    return None


def _versions(registry: Registry) -> dict[str, str]:
    """Return distribution -> version of the core, torch and all plugins."""
    versions = {DISTRIBUTION: __version__}
    for name in sorted(
        {"torch", "torchvision", *(d for d, _ in registry.modules)} - {DISTRIBUTION}
    ):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def recorded_versions(record: Mapping[str, Any]) -> dict[str, str]:
    """Return distribution -> version of what a run was trained with, as its record says.

    Older records have the core under the name of its package, which pip knows as another project.
    """
    versions: dict[str, str] = record.get("versions", {})
    return {DISTRIBUTION if name == PROJECT else name: v for name, v in versions.items()}
