"""The compositions of the page on processes (`world.py`): every pair, and what could go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from gentk.families import Composition
from gentk.first_party import FIRST_PARTY
from gentk.interfaces import AdversarialLoss, MatchingLoss
from gentk.registry import Registry
from gentk.testing.exactness import BATCH, CHUNK
from gentk.testing.partner import NAME
from gentk.testing.trial import composed

__all__ = ["CAREFUL", "KINKED", "RATE", "Case", "cases", "combinations"]

RATE, CAREFUL, KINKED = 1e-2, 1e-4, 1e-6
"""Learning rates of plain gradient descent: of small networks; where a critic raises a matching loss
without bound, and of larger networks; where leaky units stand between batch norms on both sides, and
rounding that moves one across its kink shows."""

SMALL = {"generator": "mlp,latent=4,widths=8", "critic": "mlp,widths=8"}
LARGE = {"data": f"{NAME},size=32", "generator": "dcgan,width=4"}
"""32 pixels, and batch norm."""


@dataclass(frozen=True)
class Case:
    """A composition.

    Attributes:
        group: The table it stands in.
        loss: The loss, as it is typed.
        beside: What it is with.
        flags: Keys of the recipe.
        rate: The learning rate at which it is trained.
    """

    group: str
    loss: str
    beside: str
    flags: Mapping[str, Any] = field(default_factory=dict)
    rate: float = RATE

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is told from others by."""
        return self.group, self.loss, self.beside

    @contextmanager
    def compose(self, registry: Registry) -> Iterator[Composition]:
        """Compose its run."""
        more = {"batch": BATCH, "chunk": CHUNK}
        with composed(registry, **{**SMALL, **more, **self.flags}) as c:
            yield c


def own(registry: Registry, kind: str) -> list[str]:
    """Return the names of gentk's own components of a kind."""
    names = [r.component.name for r in registry.select(kind) if r.distribution in FIRST_PARTY]
    return sorted(name for name in names if not name.startswith(NAME))


def cases(registry: Registry) -> Iterator[Case]:
    """Yield every pair, and what else there is."""
    kinds = {name: registry.build("loss", name)[0] for name in own(registry, "loss")}
    for loss in (name for name, one in kinds.items() if isinstance(one, MatchingLoss)):
        for estimator in own(registry, "estimator"):
            flags = {"loss": loss, "estimator": estimator}
            yield Case("matching", loss, estimator, flags)
            more = {**flags, "extractor": ("critic",)}
            yield Case("contest", loss, estimator, more, CAREFUL)
    for loss in (name for name, one in kinds.items() if isinstance(one, AdversarialLoss)):
        flags = {"loss": loss, "encoder": NAME if "encoder" in kinds[loss].needs else None}
        yield Case("game", loss, "no penalty", flags)
        for penalty in own(registry, "penalty"):
            of = {"critic": "mmdgan-autoencoder,width=4,code=6", "data": LARGE["data"]}
            more = {**flags, "penalty": (penalty,), **(of if penalty == "autoencoder" else {})}
            yield Case("game", loss, penalty, more)
    yield Case(
        "auto-encoding",
        "reconstruction",
        "no batch norm",
        {"loss": "reconstruction", "encoder": NAME},
    )
    yield from combinations()


def combinations() -> Iterator[Case]:
    """Yield compositions of parts that processes could get wrong."""

    def case(loss: str, beside: str, **flags: Any) -> Case:
        losses = tuple(loss.split(" and "))
        return Case("combination", loss, beside, {"loss": losses, **LARGE, **flags}, CAREFUL)

    critic = {"extractor": ("critic",)}
    yield case(
        "moments", "batch norm, two extractors", estimator="ama", extractor=("pixels", "identity")
    )
    yield case(
        "moments and mmd,factor=0.1",
        "two losses, two estimators, residual generator",
        estimator=("ama", "queue"),
        generator="resnet,width=4",
    )
    yield case(
        "hinge",
        "spectral norm, gradient penalty",
        critic="sngan-cnn,width=4",
        penalty=("gradient",),
    )
    yield case("hinge", "batch norm in the critic", critic="dcgan,width=4")
    yield case("hinge and moments,factor=0.1", "a game and moments of pixels")
    yield case(
        "hinge",
        "pairs: BigBiGAN's critic and encoder",
        critic="fhj,width=4,hidden=16,blocks=1",
        encoder="resnet,depth=10,width=0.25,hidden=16",
        generator="biggan,width=4,latent=8",
    )
    yield case("mmd", "MMD GAN", critic="mmdgan-dcgan,width=4", penalty=("gradient",), **critic)
    yield case(
        "moments,covariance=none",
        "gradients of the critic's weights (learned moments)",
        critic="molm,width=2",
        data=f"{NAME},size=16",
        generator=SMALL["generator"],
        **critic,
    )
    beside = "batch norm in encoder and generator"
    yield replace(case("reconstruction", beside, encoder="dcgan"), rate=KINKED)
