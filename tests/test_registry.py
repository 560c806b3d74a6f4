"""The registry: names, and what is said of names that are not there."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from gentk.errors import BadOption, GentkError, UnknownName
from gentk.first_party import FIRST_PARTY
from gentk.options import Option
from gentk.plugins import Broken, Discovery, Provided
from gentk.registry import Registry
from gentk.spec import Component


class Thing:
    """A component that remembers how it was made."""

    def __init__(self, place: str = "", *, size: int = 1, image: object = None) -> None:
        self.made = (place, size, image)


@pytest.fixture(autouse=True)
def _module(monkeypatch) -> None:
    """Install a module `parts` that holds `Thing` and a list of variants."""
    module = ModuleType("parts")
    vars(module).update(Thing=Thing, known=lambda: ["b", "a"], fail=lambda: 1 // 0)
    monkeypatch.setitem(sys.modules, "parts", module)


def provided(kind: str, name: str, distribution: str = "theirs", **more) -> Provided:
    """Return a component of a distribution."""
    more = {"target": "parts:Thing", "summary": "", **more}
    return Provided(Component(kind=kind, name=name, **more), distribution, "1.0")


def registry(*parts: Provided, broken: tuple[Broken, ...] = ()) -> Registry:
    """Return a registry of these parts only."""
    return Registry(Discovery(list(parts), [], list(broken)))


def test_selection_is_sorted_by_kind_and_name() -> None:
    """Kinds come in the contract's order, names in the alphabet's, whatever order they came in."""
    names = registry(
        provided("loss", "b"),
        provided("data", "a"),
        provided("extractor", "z"),
        provided("loss", "a"),
    )
    rows = [(row.component.kind, row.component.name) for row in names.select()]

    assert rows == [("extractor", "z"), ("loss", "a"), ("loss", "b"), ("data", "a")]
    assert [row.component.name for row in names.select("loss", "b*")] == ["b"]
    assert names.kinds_of("a") == ["loss", "data"]


def test_unknown_names_are_answered_with_what_is_near() -> None:
    """Another kind that has the name, else close names of the kind, else the list."""
    names = registry(
        provided("loss", "wedge"), provided("loss", "bridge"), provided("data", "faces")
    )

    with pytest.raises(UnknownName, match="no loss 'wedg'; did you mean 'wedge'"):
        names.find("loss", "wedg")
    with pytest.raises(
        UnknownName, match="no loss 'faces'; there is a data of that name; type: gen"
    ):
        names.find("loss", "faces")
    with pytest.raises(UnknownName, match=r"no loss 'zzz'; type: gentk list loss$"):
        names.find("loss", "zzz")


@pytest.mark.parametrize(
    ("distribution", "kind", "name"),
    [
        (distribution, kind, name)
        for distribution, kinds in FIRST_PARTY.items()
        for kind, names in kinds.items()
        for name in names
        if distribution != "gentk-core"
    ],
)
def test_first_party_names(distribution, kind, name) -> None:
    """A first-party name that is not installed says what to install; nobody else may take it."""
    message = f"{kind} '{name}' comes with {distribution}; type: pip install {distribution}"
    with pytest.raises(UnknownName, match=message):
        registry().find(kind, name)

    squatted = registry(provided(kind, name, "theirs"))
    with pytest.raises(UnknownName, match=message):
        squatted.find(kind, name)
    assert f"the name belongs to {distribution}" in squatted.broken[0].error

    assert (
        registry(provided(kind, name, distribution)).find(kind, name).distribution == distribution
    )


def test_broken_first_party_is_named() -> None:
    """If the distribution that holds a name is broken, asking for the name says how."""
    broken = Broken("gentk-timm", "timm", "load", "ImportError: no timm", "pip install timm")

    with pytest.raises(UnknownName, match=r"gentk-timm is broken .*no timm.*; pip install timm"):
        registry(broken=(broken,)).find("extractor", "timm")


@pytest.mark.parametrize("rivals", [("a", "b"), ("a", "b", "c")])
def test_of_rivals_nobody_gets_the_name(rivals) -> None:
    """A name that several third parties offer is nobody's; other kinds do not mind."""
    names = registry(*(provided("loss", "x", name) for name in rivals), provided("data", "x"))

    with pytest.raises(UnknownName, match=f"offered by {' and '.join(rivals)}; pip uninstall one"):
        names.find("loss", "x")
    assert names.select("loss") == []
    assert len(names.broken) == len(rivals) - 1
    assert names.kinds_of("x") == ["data"]


def test_built_ins_cannot_be_shadowed() -> None:
    """The core's own components come first and stay."""
    for name in ("batch", "not-in-the-table"):
        names = registry(
            provided("estimator", name, "gentk-core"), provided("estimator", name, "evil")
        )

        assert names.find("estimator", name).distribution == "gentk-core"
        assert [row.distribution for row in names.broken] == ["evil"]


def test_table_of_first_party_names_is_complete() -> None:
    """Every component of gentk's own distributions stands in `FIRST_PARTY`, and no other."""
    installed = Registry().select()
    own = [row for row in installed if row.distribution in FIRST_PARTY]
    here = {row.distribution for row in own}
    listed = {
        (distribution, kind, name)
        for distribution, kinds in FIRST_PARTY.items()
        for kind, names in kinds.items()
        for name in names
        if distribution in here
    }

    assert {(row.distribution, row.component.kind, row.component.name) for row in own} == listed


def test_check_wants_the_argument_that_is_declared() -> None:
    """An argument is needed where one is declared, and refused where none is."""
    names = registry(provided("data", "folder2", argument="PATH"), provided("data", "plain"))

    assert names.check("data", "folder2:a,size=3").argument == "a"
    for text in ("folder2", "folder2:"):
        with pytest.raises(BadOption, match="data 'folder2' needs PATH: folder2:PATH"):
            names.check("data", text)
    with pytest.raises(
        BadOption, match="data 'plain' takes no argument; type 'plain' without ':x'"
    ):
        names.check("data", "plain:x")


def test_build_sorts_options_into_own_and_shared() -> None:
    """Own options go to the constructor with what is supplied, shared ones are handed back."""
    names = registry(provided("data", "folder2", argument="PATH"))
    shared = [Option("limit", int, 0)]

    built, rest = names.build("data", "folder2:a,size=3,limit=7", shared=shared, image="I")

    assert built.made == ("a", 3, "I")
    assert rest == {"limit": 7}


@pytest.mark.parametrize("text", ["folder2:a", "folder2:a,size=3"])
def test_an_option_that_all_of_its_kind_have_is_not_hidden(text) -> None:
    """One of the class's own would take what is meant for all, and nothing would tell."""
    names = registry(provided("data", "folder2", argument="PATH"))
    shared = [Option("limit", int, 0), Option("size", int, 0)]

    for ask in (names.build, names.rehearse):
        with pytest.raises(BadOption, match=r"folder2.*'size'.*rename"):
            ask("data", text, shared=shared)


def test_what_is_supplied_is_no_option() -> None:
    """What the composition gives cannot be typed."""
    names = registry(provided("generator", "g"))

    with pytest.raises(BadOption, match="no option 'image'"):
        names.build("generator", "g,image=3", image="I")
    assert [option.name for option in names.options(names.find("generator", "g"))] == ["size"]


@pytest.mark.parametrize(
    ("target", "mend"),
    [("absent_module:Thing", "--force-reinstall theirs"), ("parts:Absent", "--upgrade theirs")],
)
@pytest.mark.parametrize("hint", [None, "pip install 'theirs[gpu]'"])
def test_targets_that_do_not_import_say_what_to_install(target, mend, hint) -> None:
    """A target that fails to import is an error of one sentence with the author's hint."""
    names = registry(provided("loss", "x", target=target, hint=hint))

    with pytest.raises(GentkError) as caught:
        names.build("loss", "x")
    assert "loss 'x' of theirs does not import" in str(caught.value)
    assert f"type: {hint or f'pip install {mend}'}" in str(caught.value)
    assert caught.value.exit_code == 1


def test_variants_are_listed_or_explained() -> None:
    """Variants are sorted; without a function there are none; one that fails is explained."""
    names = registry(
        provided("loss", "x", variants="parts:known"),
        provided("loss", "y"),
        provided("loss", "z", variants="parts:fail"),
    )

    assert names.variants(names.find("loss", "x")) == ["a", "b"]
    assert names.variants(names.find("loss", "y")) == []
    with pytest.raises(GentkError, match=r"loss 'z' of theirs does not import .ZeroDivisionError"):
        names.variants(names.find("loss", "z"))
