"""Recipes: precedence, validation, identity; and the library they are found in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gentk.budget import UNITS
from gentk.errors import BadRecipe, UnknownName, UsageError
from gentk.library import Library
from gentk.overlay import over
from gentk.recipe import PASSING, Recipe, resolve
from gentk.registry import Registry
from gentk.runs.record import overtaken
from gentk.runs.stages import plan

CHANGED = {
    "summary": "other",
    "data": "mnist",
    "extractor": ("pixels", "pixels"),
    "generator": "mlp",
    "penalty": ["gradient"],
    "loss": "mmd",
    "estimator": "ma",
    "batch": 32,
    "chunk": 16,
    "optimizer": "sgd",
    "schedule": ({"at": 10, "set": {"lr": 0.1}},),
    "decay": "cosine",
    "operations": 1e12,
    "ema": 0.9,
    "steps": 77,
    "minutes": 7.0,
    "init": "run:x",
    "codec": "run:y",
    "seed": 5,
    "device": "cpu",
    "dtype": "bfloat16",
    "threads": 1,
    "out": "there",
    "observer": ("metrics",),
    "phase": {"generator": {"decay": "linear"}},
    "clip": 10.0,
    "encoder": "dcgan",
    "critic": "biggan",
    "reference": 128,
    "stage": {"ae": {"recipe": "ae"}},
}
"""Another value than the default for every key."""


def test_flags_go_before_recipe_before_defaults() -> None:
    """Precedence is defaults < recipe < flags, and origins say which it was."""
    found = resolve("mine", {"batch": 16, "seed": 3, "steps": 9}, {"seed": 4, "loss": None})

    assert (found.recipe.batch, found.recipe.seed, found.recipe.steps) == (16, 4, 9)
    assert found.recipe.loss == Recipe().loss
    assert found.origins["batch"] == "recipe mine"
    assert found.origins["seed"] == "--seed"
    assert found.origins["loss"] == "default"
    assert set(found.origins) == set(Recipe.model_fields)


@given(
    st.dictionaries(st.sampled_from(sorted(CHANGED)), st.none()),
    st.dictionaries(st.sampled_from(sorted(CHANGED)), st.none()),
)
def test_every_key_has_the_value_of_its_origin(in_file, in_flags) -> None:
    """Whatever is set where, each key's value comes from where its origin says."""
    table = {key: CHANGED[key] for key in in_file} | {"steps": 5}
    flags = {key: CHANGED[key] for key in in_flags}
    found = resolve("x", table, flags)
    other = Recipe.model_validate(CHANGED)
    replaced = set(UNITS) if set(UNITS) & set(flags) else set()

    for key in Recipe.model_fields:
        taken = key in flags or (key in table and key not in replaced)
        expected = getattr(other if taken else Recipe(), key)
        if key == "steps" and key not in flags and not replaced:
            expected = 5
        if key == "phase" and key not in flags and {"optimizer", "schedule", "decay"} & set(flags):
            continue  # those flags take back the phases' own: the next test
        assert getattr(found.recipe, key) == expected, key
        assert (found.origins[key] != "default") == taken, key


def test_tables_lie_over_the_recipe_s_a_key_at_a_time() -> None:
    """In Python and in sweep files a table says what differs; what it leaves out is the recipe's."""
    own = {"loss": "hinge", "repeat": 5, "optimizer": "sgd,lr=1"}
    ae = {"recipe": "ae", "batch": 7, "steps": 3, "stage": {"one": {"clip": 1.0, "minutes": 2.0}}}
    table = {"steps": 5, "phase": {"critic": own}, "stage": {"ae": ae}}
    flags = {
        "phase": {"critic": {"repeat": 2}, "generator": {"decay": "linear"}},
        "stage": {"ae": {"operations": 1e9, "stage": {"one": {"steps": 4}}}, "b": {"steps": 1}},
    }
    found = resolve("x", table, flags).recipe

    assert found.phase["critic"].model_dump(exclude_none=True) == {**own, "repeat": 2}
    assert found.phase["generator"].decay == "linear"
    inner = {"stage": {"one": {"clip": 1.0, "steps": 4}}}
    assert found.stage["ae"] == {"recipe": "ae", "batch": 7, "operations": 1e9, **inner}
    assert found.stage["b"] == {"steps": 1}
    by_hand = resolve("x", table, {**flags, "optimizer": "adam,lr=2e-3"}).recipe
    assert by_hand.phase["critic"].optimizer is None, "it holds for every phase"
    assert by_hand.phase["critic"].repeat == 2


@given(st.sets(st.sampled_from(["optimizer", "decay"])))
def test_flags_take_back_what_a_phase_had_of_its_own(given_flags) -> None:
    """What is asked for by hand holds for every phase; the rest of a phase stays."""
    own = {"optimizer": "sgd,lr=1", "decay": "linear"}
    flags = {key: {"optimizer": "adam,lr=2e-3", "decay": "cosine"}[key] for key in given_flags}
    found = resolve("x", {"steps": 5, "phase": {"generator": own}}, flags).recipe

    phase = found.phase["generator"]
    for key, value in own.items():
        assert getattr(phase, key) == (None if key in given_flags else value)
        if key in given_flags:
            assert getattr(found, key) == flags[key]


def test_budget_given_by_hand_replaces_the_recipe_s() -> None:
    """`--minutes` replaces `steps` and the other way round."""
    by_time = resolve("x", {"steps": 500}, {"minutes": 2.0}).recipe
    by_steps = resolve("x", {"minutes": 5.0}, {"steps": 10}).recipe

    assert (by_time.steps, by_time.minutes) == (None, 2.0)
    assert (by_steps.steps, by_steps.minutes) == (10, None)


@pytest.mark.parametrize(("table", "flags"), [({}, {}), ({"steps": 5}, {"steps": "none"})])
def test_without_a_budget_nothing_is_run(table, flags) -> None:
    """A recipe needs a budget."""
    with pytest.raises(
        UsageError, match="recipe 'x' has no budget; add --steps 1000 or --minutes 5"
    ):
        resolve("x", table, flags)


def test_none_takes_back_what_a_recipe_says() -> None:
    """`none` leaves a key away where that means something, and is a value where it is one."""
    found = resolve(
        "x",
        {"ema": 0.9, "chunk": 8, "decay": "linear", "steps": 5},
        {"ema": "none", "decay": "none"},
    )

    assert (found.recipe.ema, found.recipe.chunk, found.recipe.decay) == (None, 8, "none")
    assert found.origins["ema"] == "--ema"


def test_text_from_the_command_line_is_converted() -> None:
    """Flags may be text, as typed; one extractor needs no list."""
    found = resolve("x", {}, {"batch": "32", "ema": "0.5", "steps": "7", "extractor": "pixels"})

    assert (
        found.recipe
        == resolve("x", {}, {"batch": 32, "ema": 0.5, "steps": 7, "extractor": ("pixels",)}).recipe
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"los": "moments"},
            "recipe 'x' has no key 'los'; did you mean 'loss'\\? keys are summary",
        ),
        ({"phase": {"generator": {"lr": 1}}}, "no key 'phase.generator.lr'"),
        ({"batch": "many"}, "recipe 'x': batch takes a whole number, not 'many'"),
        ({"batch": 1}, "batch takes at least 2, not 1"),
        ({"seed": 2**63}, "seed takes less than 9223372036854775808"),
        ({"ema": 1.0}, "ema takes less than 1.0, not 1.0"),
        (
            {"decay": "slow"},
            "decay takes none, linear or cosine, not 'slow'",
        ),
        ({"schedule": [{"at": -1, "set": {}}]}, "schedule.0.at takes at least 0, not -1"),
    ],
)
def test_mistakes_name_the_key(table, message) -> None:
    """In a recipe a mistake is a `BadRecipe`, in a flag a plain `UsageError`; both name the key."""
    with pytest.raises(BadRecipe, match=message):
        resolve("x", {**table, "steps": 1}, {})
    with pytest.raises(UsageError, match=_typed(message)) as caught:
        resolve("x", {"steps": 1}, table)
    assert not isinstance(caught.value, BadRecipe)


def _typed(message: str) -> str:
    """The same sentence about a flag."""
    return message.replace("recipe 'x': ", "--").replace("recipe 'x'", "a recipe")


def test_options_alone_keep_the_recipe_s_component() -> None:
    """`--lr`, `--learning-rate` and `--optimizer lr=` set the rate and keep name, betas and phases'."""
    table = {
        "steps": 1,
        "optimizer": "adam,lr=1e-3,betas=0.5+0.9",
        "phase": {"critic": {"optimizer": "sgd,lr=1,momentum=0.5", "decay": "linear"}},
    }
    for flags in ({"lr": 2e-4}, {"learning_rate": "0.0002"}, {"optimizer": "lr=0.0002"}):
        resolved = resolve("x", table, flags)
        phase = resolved.recipe.phase["critic"]

        assert resolved.recipe.optimizer == "adam,lr=0.0002,betas=0.5+0.9"
        assert phase.optimizer == "sgd,lr=0.0002,momentum=0.5"
        assert phase.decay == "linear"
        assert resolved.origins["optimizer"] == f"--{next(iter(flags)).replace('_', '-')}"
    assert resolve("x", table, {"optimizer": "sgd", "lr": 1}).recipe.optimizer == "sgd,lr=1"
    assert (
        resolve("x", table, {"optimizer": "sgd", "lr": 1}).recipe.phase["critic"].optimizer is None
    )
    assert resolve("x", table, {"data": "limit=9"}).recipe.data == "digits,size=32,limit=9"


@pytest.mark.parametrize(
    "flags",
    [
        {"lr": 1, "learning_rate": 1},
        {"lr": 1, "optimizer": "sgd,lr=2"},
        {"lr": 1, "optimizer": "lr=2"},
        {"critic": "width=2"},
        {"stage": "ae.steps=3"},
    ],
)
def test_overlays_that_cannot_be_are_refused(flags) -> None:
    """One option typed twice, options of what the recipe does not have, stages that there are not."""
    with pytest.raises(UsageError):
        resolve("x", {"steps": 1}, flags)


def test_more_components_stand_beside_the_recipe_s() -> None:
    """`+NAME` adds one to those of the recipe, or to those typed; plain names replace them."""
    table = {"steps": 1, "observer": ["metrics"], "extractor": "pixels"}

    def observers(*typed: str) -> tuple[str, ...]:
        return resolve("x", table, {"observer": typed}).recipe.observer

    assert observers("+evaluate") == ("metrics", "evaluate")
    assert observers("grids", "+evaluate") == ("grids", "evaluate")
    assert observers("grids") == ("grids",)
    assert resolve("x", table, {"extractor": "+identity"}).recipe.extractor == (
        "pixels",
        "identity",
    )


def test_keys_of_stages_are_set_by_name() -> None:
    """`--stage NAME.KEY=VALUE` sets one key of a stage's table: another run, with the rest as it was."""
    table = {"steps": 9, "stage": {"ae": {"recipe": "ae", "batch": 7}, "b": {"steps": 5}}}
    recipe = resolve("x", table, {"stage": ("ae.steps=3", "b.steps=1")}).recipe

    assert recipe.stage == {"ae": {"recipe": "ae", "batch": 7, "steps": "3"}, "b": {"steps": "1"}}
    assert recipe.identity() != resolve("x", table, {}).recipe.identity()
    timed = resolve("x", table, {"stage": "ae.minutes=3"} | {"steps": 4}).recipe.stage
    again = resolve("x", {**table, "stage": timed}, {"stage": "ae.operations=1e9"}).recipe.stage
    assert again["ae"] == {"recipe": "ae", "batch": 7, "operations": "1e9"}, "one budget"


def test_a_stage_s_budget_is_not_also_that_of_its_recipe(tmp_path) -> None:
    """`--stage ae.minutes=5`, or the same in a table, replaces the steps that the recipe `ae` has."""
    table = {"steps": 9, "codec": "stage:ae", "stage": {"ae": {"recipe": "ae"}}}
    layers = {"layer1": {"operations": 1e9}}
    for typed in ("ae.minutes=5", {"ae": {"minutes": 5, "stage": layers}}):
        flags = {"stage": typed, "out": str(tmp_path)}
        (_, stage), *_ = plan(resolve("x", table, flags), Registry())
        assert (stage.recipe.steps, stage.recipe.minutes) == (None, 5.0)
    (_, first), (_, second) = plan(stage, Registry())
    assert (first.recipe.steps, first.recipe.operations) == (None, 1e9)
    assert first.recipe.encoder == "mlp,widths=,dropout=0.2", "the rest is the recipe's"
    assert second.recipe.steps == 3000


def test_a_stage_may_be_called_like_a_unit_of_budgets() -> None:
    """A table is a stage's, a number its budget."""
    stages = {"steps": {"steps": 3, "batch": 2}, "ae": {"minutes": 1.0}}
    laid = over(stages, {"steps": {"operations": 1e9}})

    assert laid == {"steps": {"operations": 1e9, "batch": 2}, "ae": {"minutes": 1.0}}


def test_keys_of_stages_of_stages_are_set_by_name(tmp_path) -> None:
    """`ae.layer1.steps` is the budget of the stage layer1 of the stage ae; its other keys stay."""
    table = {"steps": 9, "codec": "stage:ae", "stage": {"ae": {"recipe": "ae"}}}
    typed = {"stage": ("ae.layer1.steps=3", "ae.layer2.steps=2"), "out": str(tmp_path)}
    registry = Registry()
    (_, stage), *_ = plan(resolve("x", table, typed), registry)
    inner = [each.recipe for _, each in plan(stage, registry)]

    assert [recipe.steps for recipe in inner] == [3, 2]
    assert inner[0].optimizer == "sgd,lr=0.1,momentum=0.5"


@pytest.mark.parametrize("key", sorted(Recipe.model_fields))
def test_identity_changes_with_what_makes_another_run(key) -> None:
    """Budget, place and logging do not make another run; every other key does."""
    other = Recipe.model_validate({key: CHANGED[key]})

    assert other != Recipe()
    assert (other.identity() == Recipe().identity()) == (key in PASSING)


def test_folder_is_out_or_name_and_identity() -> None:
    """A run goes to `out`, or to a folder named by recipe and identity."""
    default = resolve("mine", {"steps": 1}, {})

    assert default.folder() == Path("runs") / f"mine-{default.recipe.identity()}"
    assert resolve("mine", {"steps": 1}, {"out": "x/y"}).folder() == Path("x/y")


def test_packaged_recipes_resolve() -> None:
    """Every recipe of the package is valid and says in one line what it is."""
    library = Library([])
    names = [row.name for row in library.rows()]

    assert {"quickstart", "gfmn-cifar10"} <= set(names)
    assert library.broken == []
    for row in library.rows():
        assert row.summary and "\n" not in row.summary
        assert resolve(row.name, library.read(row.name)[1], {}).recipe.summary == row.summary


def test_recipes_are_read_by_name_or_path(tmp_path, monkeypatch) -> None:
    """A path is read as it is; a bare name is looked up and never a file of the folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("steps = 3")
    library = Library([])

    assert library.read("mine.toml") == ("mine", {"steps": 3})
    assert library.read(str(tmp_path / "mine.toml")) == ("mine", {"steps": 3})
    with pytest.raises(UnknownName, match=r"no recipe 'mine'.*gentk run mine.toml"):
        library.read("mine")


def test_our_recipes_come_before_others(tmp_path, monkeypatch) -> None:
    """A plugin cannot replace gentk's recipes, and adds its own."""
    folder = tmp_path / "evil_package" / "recipes"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "quickstart.toml").write_text('summary = "theirs"')
    (folder / "other.toml").write_text('summary = "theirs"')
    monkeypatch.syspath_prepend(tmp_path)
    library = Library([("evil", "evil_package")])
    rows = {row.name: row for row in library.rows("*")}

    assert rows["quickstart"].distribution == "gentk-core"
    assert rows["other"].distribution == "evil"


def test_a_schedule_that_overtakes_what_was_typed_is_told() -> None:
    """`--lr` with a recipe whose schedule sets the rate later says so; with others nothing is said."""
    table = {"steps": 9, "schedule": [{"at": 50, "set": {"lr": 0.1}}]}

    assert "50 images" in str(overtaken(resolve("x", table, {"lr": 1})))
    assert overtaken(resolve("x", table, {})) is None
    assert overtaken(resolve("x", {"steps": 9}, {"lr": 1})) is None
    assert overtaken(resolve("x", table, {"optimizer": "rprop"})) is None
