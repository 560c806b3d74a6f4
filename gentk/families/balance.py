"""Balance: one loss for each extractor, weighed, in the place of one on all their features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from ..errors import Incompatible
from ..interfaces import Estimator, Loss, MatchingLoss
from ..recipe import Recipe
from ..registry import Registry
from ..selection import distinct
from .composition import LossPart
from .shared import ExtractorOptions, shared_options

__all__ = ["balanced", "check_balance"]


def check_balance(r: Recipe, losses: Sequence[LossPart], registry: Registry) -> None:
    """Refuse weights that nothing is balanced by, and a balance of what sees no features."""
    for part in losses:
        matching = isinstance(part.loss, MatchingLoss)
        if part.options.balance != "none" and not matching:
            raise Incompatible(
                f"loss {part.text!r} sees no extractor's features, so that balance has no meaning for "
                "it; leave it out"
            )
        weighed = [
            text for text, own in zip(r.extractor, _weights(r, registry), strict=True) if own != 1
        ]
        if matching and weighed and part.options.balance == "none":
            raise Incompatible(
                f"extractor {weighed[0]!r} has a weight and loss {part.text!r} is one loss on the "
                "features of all extractors; write balance=equal in the loss"
            )


def balanced(r: Recipe, losses: Sequence[LossPart], registry: Registry) -> Iterator[LossPart]:
    """Yield the losses with their estimators: of one that is balanced, one for each extractor.

    Args:
        r: The recipe.
        losses: Its losses, without estimators.
        registry: Where names are looked up.
    """
    names, weights = distinct(r.extractor), _weights(r, registry)
    for part, text in zip(losses, r.estimators, strict=True):
        apart = part.options.balance != "none"
        for index, name in enumerate(names if apart else [""]):
            estimator = cast(Estimator, registry.build("estimator", text)[0])
            if not apart:
                yield replace(part, estimator=estimator)
                continue
            loss = part.loss
            if index:
                loss = cast(
                    Loss, registry.build("loss", part.text, shared=shared_options("loss"))[0]
                )
            yield LossPart(
                f"{part.name}/{name}",
                part.text,
                loss,
                part.options,
                estimator,
                name,
                weights[index],
            )


def _weights(r: Recipe, registry: Registry) -> list[float]:
    """Return the weight of each extractor."""
    shared = shared_options("extractor")
    weights = []
    for text in r.extractor:
        known = registry.knows("extractor", text)
        values = registry.rehearse("extractor", text, shared) if known else {}
        own = {o.name: values[o.name] for o in shared if o.name in values}
        weights.append(ExtractorOptions(**own).weight)
    return weights
