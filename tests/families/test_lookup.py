"""Families as components: how the one of a loss is found, and what is said where there is none."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest

import gentk
from gentk.errors import GentkError, Incompatible
from gentk.families import Family
from gentk.families.lookup import family_of
from gentk.interfaces import AdversarialLoss, ImageShape, Loss, MatchingLoss
from gentk.plugins import Discovery, Provided
from gentk.recipe import resolve
from gentk.registry import Registry
from gentk.runs.composing import build
from gentk.spec import Component
from gentk.summary import Samples
from gentk.testing.partner import GAME, NAME, LinearEncoder, with_partners


class Plain(Family):
    """A family without a program."""

    phases: ClassVar = {}

    def program(self, c, advance):
        raise NotImplementedError


class Transport(Loss):
    """A loss of a class of its own."""


class Sliced(Transport):
    """A loss of a narrower class."""


class Cut(Sliced):
    """A loss that some family trains because it trains its base."""


class OfTransport(Plain):
    """Trains transports."""

    loss = Transport


class OfSliced(Plain):
    """Trains sliced ones."""

    loss = Sliced


class Nameless(Plain):
    """Does not say what it trains."""


class Labelled(Plain):
    """Trains transports with labels."""

    loss = Transport
    uses = frozenset({"labels"})
    needs = frozenset({"labels"})


class Asking(MatchingLoss):
    """A matching loss that is never computed."""

    summary = Samples

    def kinds(self):
        return {}

    def summarise(self, features, like=None):
        raise NotImplementedError

    def statistics(self, summary):
        raise NotImplementedError

    def forward(self, data, model):
        raise NotImplementedError

    def fingerprint(self):
        return ""


class AskingForMore(Asking):
    """It would look at what there is not."""

    needs = frozenset({"captions"})


class TwiceAsLarge(LinearEncoder):
    """An encoder that reads images of twice the generator's size."""

    def __init__(self, *, image: ImageShape, latent: int) -> None:
        super().__init__(image=ImageShape(image[0], 2 * image[1], 2 * image[2]), latent=latent)


@pytest.fixture
def registry(monkeypatch):
    """What is installed but for `without`, and components of this file as third parties'."""
    module = ModuleType("theirs")
    vars(module).update(globals())
    monkeypatch.setitem(sys.modules, "theirs", module)

    def build(*parts: tuple[str, str, str, str], without: str = "") -> Registry:
        own = [row for row in Registry().select() if row.distribution != without]
        theirs = [
            Provided(Component(kind=kind, name=name, target=target, summary="it"), by, "1")
            for by, kind, name, target in parts
        ]
        return Registry(Discovery([*own, *theirs], [("theirs", "theirs")]))

    return build


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("moments", "MatchingFamily"),
        ("mmd", "MatchingFamily"),
        ("reconstruction", "AutoencodingFamily"),
        ("hinge", "AdversarialFamily"),
        ("latent-regressor", "AdversarialFamily"),
    ],
)
def test_gentks_own_losses_have_their_families(text, name):
    """By the class of the loss, of whatever distribution loss and family are."""
    names = Registry()

    assert type(family_of(names.build("loss", text)[0], text, names)).__name__ == name


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("loss", "name"), [(Transport, "OfTransport"), (Sliced, "OfSliced"), (Cut, "OfSliced")]
)
def test_the_most_specific_class_wins(registry, order, loss, name):
    """A family of a base trains what no family of a narrower class does, whatever their order."""
    parts = [
        ("a", "family", "transport", "theirs:OfTransport"),
        ("b", "family", "sliced", "theirs:OfSliced"),
    ]

    assert type(family_of(loss(), "its", registry(*parts[::order]))).__name__ == name


def test_two_families_of_one_class_are_refused_with_both_named(registry):
    """Neither is taken in silence; a loss that belongs to a narrower one does not mind."""
    names = registry(
        ("first", "family", "one", "theirs:OfTransport"),
        ("second", "family", "two", "theirs:OfTransport"),
        ("first", "family", "sliced", "theirs:OfSliced"),
    )

    with pytest.raises(Incompatible) as caught:
        family_of(Transport(), "its", names)
    assert all(word in str(caught.value) for word in ("'one' of first", "'two' of second"))
    assert type(family_of(Cut(), "its", names)).__name__ == "OfSliced"


def test_a_loss_without_a_family_is_told_which_there_are(registry):
    """The sentence names the loss's class, and each family with the class that it trains."""
    with pytest.raises(Incompatible) as caught:
        family_of(Cut(), "its", registry())
    for word in (
        "'its'",
        "Cut",
        "matching (MatchingLoss)",
        "autoencoding (ReconstructionLoss)",
        "adversarial (AdversarialLoss)",
        "gentk list loss",
    ):
        assert word in str(caught.value)


def test_a_game_without_gentk_games_is_told_what_to_install(registry):
    """The family of adversarial losses comes in by the door of everyone's."""
    names = with_partners(registry(without="gentk-games"))
    loss = names.build("loss", GAME)[0]

    assert isinstance(loss, AdversarialLoss)
    with pytest.raises(Incompatible, match="pip install gentk-games") as caught:
        family_of(loss, GAME, names)
    assert "AdversarialLoss" in str(caught.value)


@pytest.mark.parametrize("target", ["theirs:Absent", "absent_module:Family", "theirs:Nameless"])
def test_a_family_that_cannot_be_used_disturbs_its_own_losses_only(registry, target):
    """A loss of the same distribution is refused; all others train as if it were not there."""
    names = registry(
        ("broken", "family", "odd", target),
        ("broken", "loss", "cut", "theirs:Cut"),
        ("a", "family", "transport", "theirs:OfTransport"),
    )

    with pytest.raises(GentkError, match="'odd' of broken"):
        family_of(Cut(), "cut", names)
    assert type(family_of(Sliced(), "its", names)).__name__ == "OfTransport"
    moments = names.build("loss", "moments")[0]
    assert type(family_of(moments, "moments", names)).__name__ == "MatchingFamily"


RUN = {
    "data": "digits,limit=40,size=8",
    "generator": "mlp,latent=4,widths=8",
    "batch": 8,
    "steps": 2,
    "device": "cpu",
}


def composed(names: Registry, loss: str, **flags: str) -> gentk.Composition:
    """A run of the loss, composed."""
    return gentk.compose("gfmn", registry=names, loss=loss, **{**RUN, **flags})


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("AskingForMore", ["'captions'", "encoder", "critic", "labels"]),
    ],
)
def test_what_no_run_of_its_family_has_is_refused(registry, target, words):
    """A need that its family does not meet, or that nobody knows, is a sentence and no silence."""
    names = registry(("a", "loss", "asking", f"theirs:{target}"))

    with pytest.raises(Incompatible) as caught:
        composed(names, "asking")
    assert all(word in str(caught.value) for word in ["'asking'", *words])


@pytest.mark.parametrize(
    ("loss", "flags", "wanted"),
    [
        ("reconstruction", {}, "encoder="),
        (GAME, {}, "critic="),
        ("latent-regressor", {"critic": "bigan,injected=false"}, "encoder="),
    ],
)
def test_what_a_loss_needs_is_asked_for(loss, flags, wanted, tmp_path):
    """An encoder or a critic that is needed and missing is a keyword to write, before data are read."""
    data = f"npz:{tmp_path / 'absent.npz'}"
    with pytest.raises(Incompatible, match=wanted):
        composed(with_partners(Registry()), loss, **flags, data=data)


def test_labels_that_are_needed_are_looked_for(registry, tmp_path):
    """Data with labels are taken, and data without them refused as soon as they are opened."""
    names = registry(
        ("a", "family", "labelled", "theirs:Labelled"), ("a", "loss", "t", "theirs:Transport")
    )
    assert composed(names, "t").images.labels is not None

    np.savez(tmp_path / "bare.npz", images=np.zeros((20, 8, 8), dtype=np.uint8))
    with pytest.raises(Incompatible, match=r"loss 't' .*labels=FILE.npy"):
        composed(names, "t", data=f"npz:{tmp_path / 'bare.npz'}")


def test_a_larger_encoder_is_for_families_that_can(registry):
    """A critic that a recipe names and nobody uses makes no auto-encoder read larger images."""
    names = with_partners(registry(("a", "encoder", "twice", "theirs:TwiceAsLarge")))
    table = {"encoder": "twice", "critic": NAME}

    assert composed(names, GAME, **table).finer is not None
    with pytest.raises(Incompatible, match="encoder 'twice'"):
        build(resolve("its", {**RUN, **table, "loss": "reconstruction"}, {}), names, print)
