"""The suite of estimators."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

import torch
from torch import Tensor

from ..interfaces import Estimator, StatisticKind, Statistics
from .elsewhere import META, elsewhere, imagined
from .likeness import difference, same
from .network import loose_tensors
from .partner import NAME, SAMPLES
from .suite import Suite
from .trial import composed, trained
from .watch import waits

__all__ = ["EstimatorSuite"]

SIZE, BATCH = 7, 6


class EstimatorSuite(Suite):
    """State in buffers, exact after a reload, still in eval mode; a gradient that goes through."""

    kind = "estimator"
    interface: ClassVar[type[Any]] = Estimator

    def statistics(self, seed: int = 0) -> Statistics:
        """Return statistics of a kind that it accepts."""
        draw = torch.Generator().manual_seed(seed)
        accepts = self.make().accepts
        if "real" not in accepts:
            rows = torch.randn(BATCH, SIZE, generator=draw)
            return {"samples": rows} if "samples" in accepts else {"psd": (rows.T @ rows).double()}
        mean, variance = (torch.rand(SIZE, generator=draw, dtype=torch.float64) for _ in range(2))
        return {"mean": mean, "covariance": variance}

    def started(self) -> Estimator:
        """Return the estimator, started."""
        estimator: Estimator = self.make()
        seed = self.statistics(99) if estimator.seeding else None
        torch.manual_seed(0)
        estimator.start(self.statistics(100), seed)
        return estimator

    def fed(self, estimator: Estimator, *seeds: int) -> list[Statistics]:
        """Give it batches and return copies of what it returns."""
        data = self.statistics(100)
        followed = []
        for seed in seeds:
            tracked = estimator(self.statistics(seed), data)
            followed.append({name: value.clone() for name, value in tracked.items()})
        return followed

    def test_it_accepts_known_kinds(self) -> None:
        """`accepts` is a set of the kinds of statistic there are; `seeding` is a number."""
        estimator = self.make()
        unknown = set(estimator.accepts) - set(get_args(StatisticKind))
        assert estimator.accepts and not unknown, f"accepts names {unknown or 'nothing'}"
        assert isinstance(estimator.seeding, int), f"seeding is {estimator.seeding!r}"

    def test_its_state_is_in_buffers(self) -> None:
        """It has no parameters and no tensors but buffers, and none before `start`."""
        estimator = self.make()
        early = [name for name, _ in estimator.named_buffers()]
        assert not early, f"{', '.join(early)} is there before start"
        estimator = self.started()
        self.fed(estimator, 0)
        assert not list(estimator.parameters()), "it has parameters; use buffers"
        loose = list(loose_tensors(estimator))
        assert not loose, f"{', '.join(loose)} is no buffer and would be lost; use register_buffer"

    def test_a_reload_is_exact(self) -> None:
        """A new one with the old one's `state_dict` goes on bit by bit alike."""
        first, second = self.started(), self.started()
        self.fed(first, 0, 1, 2)
        try:
            second.load_state_dict(first.state_dict())
        except RuntimeError as error:
            raise AssertionError(f"its state does not load: {error}") from error
        for mine, theirs in zip(self.fed(first, 3, 4), self.fed(second, 3, 4), strict=True):
            for name in mine:
                assert same(mine[name], theirs[name]), f"{name} goes on differently"

    def test_it_does_not_move_in_eval_mode(self) -> None:
        """In eval mode its state stays as it is."""
        estimator = self.started()
        self.fed(estimator, 0, 1)
        before = {name: value.clone() for name, value in estimator.state_dict().items()}
        estimator.eval()
        self.fed(estimator, 2, 3)
        moved = [name for name, v in estimator.state_dict().items() if not same(v, before[name])]
        assert not moved, f"{', '.join(moved)} moves in eval mode; look at self.training"

    def test_gradient_goes_straight_through(self) -> None:
        """The gradient in the batch is that of what is returned times one positive number."""
        estimator, data = self.started(), self.statistics(100)
        self.fed(estimator, 0, 1)
        batch = {name: value.requires_grad_() for name, value in self.statistics(2).items()}
        for name, value in estimator(batch, data).items():
            if name not in batch:
                continue
            own = value[len(value) - len(batch[name]) :]  # A set of samples ends with the batch's.
            assert own.requires_grad, f"{name} has no gradient in the batch"
            draw = torch.Generator().manual_seed(5)
            weights = torch.rand(own.shape, generator=draw).to(own) + 0.5
            [slope] = torch.autograd.grad(
                (own * weights).sum(), batch[name], retain_graph=True, allow_unused=True
            )
            assert slope is not None, f"{name} has no gradient in the batch"
            ratio = slope / weights
            assert (
                bool((ratio > 0).all()) and difference(ratio, ratio.mean().expand_as(ratio)) < 1e-4
            ), f"the gradient of {name} is not scale times the batch's; use straight_through"

    def test_what_it_returned_does_not_change(self) -> None:
        """What was returned stays as it was when the next batch comes: a copy of the state."""
        estimator, data = self.started(), self.statistics(100)
        first = estimator(self.statistics(0), data)
        kept = {name: value.clone() for name, value in first.items()}
        estimator(self.statistics(1), data)
        for name, value in kept.items():
            assert same(first[name], value), f"{name} changes afterwards; return a copy"

    def test_inputs_are_left_alone(self) -> None:
        """The statistics it is given are not changed in place."""
        estimator, model, data = self.started(), self.statistics(0), self.statistics(100)
        kept: list[tuple[Tensor, Tensor]] = [
            (value, value.clone()) for row in (model, data) for value in row.values()
        ]
        estimator(model, data)
        assert all(same(value, old) for value, old in kept), "it changes its input in place"

    def test_it_returns_what_it_was_given(self) -> None:
        """The same statistics by name, finite, in the same sizes and types; sets may have grown."""
        model = self.statistics(0)
        [tracked] = self.fed(self.started(), 0)
        missing = model.keys() - tracked.keys()
        assert not missing, f"it does not return {', '.join(missing)}"
        for name, value in model.items():
            like = tracked[name]
            assert like.isfinite().all(), f"{name} is not finite"
            assert like.dtype == value.dtype, f"{name} is {like.dtype}, given {value.dtype}"
            grown = name == "samples" and len(like) >= len(value)
            sizes = like.shape[1:] == value.shape[1:] if grown else like.shape == value.shape
            assert sizes, f"{name} is {tuple(like.shape)}, given {tuple(value.shape)}"

    def test_statistics_have_any_names(self) -> None:
        """Statistics are tracked by whatever names a loss gives them."""
        plain = self.fed(self.started(), 0, 1)

        def renamed(seed: int) -> Statistics:
            return {f"its_{name}": value for name, value in self.statistics(seed).items()}

        other: Estimator = self.make()
        seed = renamed(99) if other.seeding else None
        torch.manual_seed(0)
        try:
            other.start(renamed(100), seed)
            rows = [
                {name: value.clone() for name, value in other(renamed(each), renamed(100)).items()}
                for each in (0, 1)
            ]
        except KeyError as error:
            raise AssertionError(
                f"it asks for {error} by name; take the names of `start`"
            ) from error
        for mine, theirs in zip(rows, plain, strict=True):
            for name in theirs.keys() & self.statistics().keys():
                assert same(mine[f"its_{name}"], theirs[name]), f"{name} by another name is another"

    def test_nothing_waits_for_the_device(self) -> None:
        """No `.item()`, `float()` or condition on a tensor: a step never waits for the device."""
        estimator, model, data = self.started(), self.statistics(0), self.statistics(100)
        with waits() as calls:
            estimator(model, data)
        assert not calls, f"it makes the device wait: {', '.join(calls)}; keep values as tensors"

    def test_tensors_are_made_where_they_are_used(self) -> None:
        """On another device it makes no tensor on the CPU, and reads no values: tried on `meta`."""
        model, data, seed = (
            {name: value.to(META) for name, value in self.statistics(own).items()}
            for own in (0, 100, 99)
        )
        estimator: Estimator = self.make()
        with imagined():
            estimator.start(data, seed if estimator.seeding else None)
        for value in model.values():
            value.requires_grad_()

        def step() -> None:
            tracked = [v for v in estimator(model, data).values() if v.requires_grad]
            torch.autograd.backward([v.sum() for v in tracked])

        elsewhere(step)

    def test_a_run_uses_it(self) -> None:
        """A run of a few steps with it ends well."""
        loss = SAMPLES if "samples" in self.statistics() else NAME
        with composed(self.names, estimator=self.spec, loss=loss) as composition:
            trained(composition)
