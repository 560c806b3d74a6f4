"""Runs of several ranks, from composing to the record: simulated, so that each takes a second."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from gentk.errors import NonFinite, RunError
from gentk.families import Composition
from gentk.plugins import Discovery
from gentk.registry import Registry
from gentk.runs import training
from gentk.runs.composing import compose
from gentk.testing.ranks import together


@pytest.fixture
def train(flags, own_cache, one_thread, tmp_path):
    """Train the small recipe on ranks; `own` changes what one of them has."""

    def run(folder, size, own=lambda rank, c: c, **changes):
        words = {**flags, "chunk": 4, "out": str(tmp_path / folder), "observer": (), **changes}

        def act(world):
            composition: Composition = own(world.rank, compose("gfmn", **words))
            assert composition.world is world
            training.train(composition, observers=[])

        together(size, act)
        [*_, last] = sorted((tmp_path / folder).glob("checkpoints/*/tensors.safetensors"))
        return load_file(last)

    return run


def test_four_hand_over_to_one(train):
    """Of 4 -> 1 ranks, weights after twenty steps are those of one, with Adam and `ama`."""
    alone = train("alone", 1, steps=20)
    train("parts", 4, steps=9)
    parts = train("parts", 1, steps=20)
    assert alone.keys() == parts.keys()
    for name, value in alone.items():
        torch.testing.assert_close(value, parts[name], rtol=1e-5, atol=1e-6)


def typed(c: Composition) -> Composition:
    """The composition with a learning rate that somebody else typed."""
    recipe = c.recipe.model_copy(update={"optimizer": "adam,lr=0.5"})
    return replace(c, resolved=replace(c.resolved, recipe=recipe))


def installed(c: Composition) -> Composition:
    """The composition where another plugin's code is installed."""
    known = Registry().select()
    modules = [*c.registry.modules, ("pytest", "pytest")]
    return replace(c, registry=Registry(Discovery(list(known), modules)))


@pytest.mark.parametrize(("change", "name"), [(typed, "recipe"), (installed, "code")])
def test_ranks_that_differ_do_not_train(train, tmp_path, change, name):
    """One sentence names the process and what differs, and nothing is trained."""
    with pytest.raises(RunError, match=f"process 1 has another {name}"):
        train("run", 2, own=lambda rank, c: change(c) if rank else c, steps=3)
    assert not list((tmp_path / "run").glob("checkpoints/*"))


def test_what_is_not_finite_on_one_rank_ends_all(train, tmp_path):
    """Samples of the second rank alone leave the finite numbers: no checkpoint is of after it."""

    def own(rank, c):
        if rank:
            c.generator.register_forward_hook(lambda _, z, x: x * float("nan") if broken(z) else x)
        return c

    calls = []

    def broken(latents):
        calls.append(latents)
        return len(calls) > 8

    with pytest.raises(NonFinite, match="smaller learning rate"):
        train("run", 2, own=own, steps=40)
    assert not list((tmp_path / "run").glob("checkpoints/*"))
