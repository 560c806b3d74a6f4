"""The family that a loss belongs to: found among those that are installed, by the loss's class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..errors import GentkError, Incompatible
from ..interfaces import Loss
from ..plugins import Provided
from ..registry import Registry
from ..selection import Selection
from .base import Family
from .composition import LossPart
from .shared import LossOptions

__all__ = ["family_of", "family_of_all"]


def family_of_all(
    losses: Sequence[LossPart], registry: Registry, *, learned: bool = False
) -> tuple[Family, LossPart]:
    """Return the family that trains the sum of losses, and the first of them that it is found by.

    It is the family of one of them that takes the classes of all others beside it, in whatever order
    they stand.

    Args:
        losses: The losses.
        registry: Where families are looked up.
        learned: Whether features are those of the run's own critic.

    Raises:
        Incompatible: There is none such, or a family of one loss a run is given a factor.
    """
    families = [family_of(part.loss, part.text, registry, learned=learned) for part in losses]
    for index, (family, part) in enumerate(zip(families, losses, strict=True)):
        others = [other.loss for other in (*losses[:index], *losses[index + 1 :])]
        if not all(isinstance(other, family.beside) for other in others):
            continue
        if not family.beside and part.options != LossOptions():
            raise Incompatible(
                f"a run with a {family.loss.__name__} has one loss, which nothing is weighed against; "
                f"leave the options that all losses take out of {part.text!r}"
            )
        return family, part
    kinds = ", ".join(
        f"{part.text!r} is a {family.loss.__name__}"
        for family, part in zip(families, losses, strict=True)
    )
    raise Incompatible(f"no family trains these losses together: {kinds}; type one --loss of them")


def family_of(loss: Loss, text: str, registry: Registry, *, learned: bool = False) -> Family:
    """Return the family that trains a loss; raise `Incompatible` if none does, or two equally well.

    Of several families whose class the loss derives from, the one whose class comes first in the
    loss's method resolution order is taken: the most specific.

    Args:
        loss: The loss.
        text: How it was written.
        registry: Where families are looked up.
        learned: Whether features are those of the run's own critic: families that train the loss on
            such (`Family.learned`) then come before others of the same class.

    Raises:
        GentkError: A family of the loss's own distribution does not import.
    """
    claims, faults = _claims(registry, learned=learned)
    name = Selection.parse(text).name
    home = registry.find("loss", name).distribution if registry.knows("loss", text) else None
    for provided, fault in faults:
        if provided.distribution == home:
            # Another family might train it too, and not as its author meant.
            raise fault
    for base in type(loss).__mro__:
        rivals = claims.get(base, [])
        if len(rivals) > 1:
            both = " and ".join(f"{p.component.name!r} of {p.distribution}" for p in rivals)
            raise Incompatible(
                f"loss {text!r} is a {base.__name__}, and families {both} train these; pip uninstall "
                f"one of the two, or leave it out with GENTK_BLOCK_PLUGINS={rivals[-1].distribution}"
            )
        if rivals:
            return cast(Family, registry.build("family", rivals[0].component.name)[0])
    raise Incompatible(_untrained(loss, text, registry, claims, [fault for _, fault in faults]))


def _claims(
    registry: Registry, *, learned: bool
) -> tuple[dict[type, list[Provided]], list[tuple[Provided, GentkError]]]:
    """Return the families by the classes they train, and those that do not say so, with reasons."""
    claims: dict[type, list[Provided]] = {}
    first: dict[type, list[Provided]] = {}
    faults: list[tuple[Provided, GentkError]] = []
    for provided in registry.select("family"):
        name = provided.component.name
        try:
            target = registry.target(provided)
        except GentkError as error:
            faults.append((provided, error))
            continue
        claimed = getattr(target, "loss", None)
        if isinstance(claimed, type) and issubclass(claimed, Loss):
            claims.setdefault(claimed, []).append(provided)
        else:
            fault = GentkError(
                f"family {name!r} of {provided.distribution} does not say which class of losses it "
                f"trains; type: {provided.remedy()}"
            )
            faults.append((provided, fault))
        for base in getattr(target, "learned", ()) if learned else ():
            first.setdefault(base, []).append(provided)
    return claims | first, faults


def _untrained(
    loss: Loss,
    text: str,
    registry: Registry,
    claims: dict[type, list[Provided]],
    faults: list[GentkError],
) -> str:
    """Return the sentence about a loss that no family trains."""
    line = [base.__name__ for base in type(loss).__mro__ if issubclass(base, Loss)]
    kind = " -> ".join(line)
    trained = [
        f"{provided.component.name} ({claimed.__name__})"
        for claimed, rivals in claims.items()
        for provided in rivals
    ]
    there = f"there are {', '.join(trained)}" if trained else "there is none"
    advice = [*registry.absent("family"), *map(str, faults)]
    return (
        f"loss {text!r} is of the class {kind}, and no family that is installed trains it: {there}; "
        f"{'; '.join(advice) or 'type: gentk list loss'}"
    )
