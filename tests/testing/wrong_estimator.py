"""Estimators that are wrong in one way each."""

from __future__ import annotations

import torch
from torch import nn

from gentk.interfaces import Estimator


class Right(Estimator):
    """A moving average: nothing is wrong with it."""

    def start(self, data, seed=None):
        for name, value in data.items():
            self.register_buffer(f"mean_{name}", value.clone())

    def forward(self, model, data):
        return {name: self.track(name, batch) for name, batch in model.items()}

    def track(self, name, batch):
        mean = getattr(self, f"mean_{name}")
        if self.training:
            self.move(mean, batch.detach())
        return self.give(mean, batch)

    def move(self, mean, batch):
        mean.lerp_(batch, 0.1)

    def give(self, mean, batch):
        return self.straight_through(mean.clone(), batch, 0.5)


class Undeclared(Right):
    """It accepts a kind that there is not."""

    accepts = frozenset({"real", "imaginary"})


class Parametric(Right):
    """Its state is in parameters."""

    def start(self, data, seed=None):
        for name, value in data.items():
            setattr(self, f"mean_{name}", nn.Parameter(value.clone(), requires_grad=False))


class Counting(Right):
    """Part of its state is a number that is not kept."""

    steps = 0

    def move(self, mean, batch):
        self.steps += 1
        mean.lerp_(batch, 1 / self.steps)


class Restless(Right):
    """It moves in eval mode."""

    def track(self, name, batch):
        mean = getattr(self, f"mean_{name}")
        self.move(mean, batch.detach())
        return self.give(mean, batch)


class Crooked(Right):
    """Its gradient has another factor for each feature."""

    def give(self, mean, batch):
        weights = torch.linspace(0.1, 1, len(batch), device=batch.device).to(batch)
        return mean.clone() + (weights * batch - weights * batch.detach())


class Shared(Right):
    """It hands out its state itself."""

    def give(self, mean, batch):
        return self.straight_through(mean, batch, 0.5)


class Grabbing(Right):
    """It changes what it is given."""

    def track(self, name, batch):
        batch.detach().clamp_(max=0.5)
        return super().track(name, batch)


class Dropping(Right):
    """It loses a statistic."""

    def forward(self, model, data):
        tracked = super().forward(model, data)
        return dict(list(tracked.items())[:1])


class ByHeart(Right):
    """It tracks the statistics that it has heard of."""

    def forward(self, model, data):
        return {name: self.track(name, model[name]) for name in ("mean", "covariance")}


class Waiting(Right):
    """It reads a value off the device."""

    def move(self, mean, batch):
        mean.lerp_(batch, 0.1 if batch.sum().item() else 0.2)


class Homebound(Right):
    """It makes a buffer on the CPU, wherever the statistics are."""

    def start(self, data, seed=None):
        super().start(data, seed)
        size = len(next(iter(data.values())))
        self.register_buffer("rates", torch.full((size,), 0.1, dtype=torch.float64))

    def move(self, mean, batch):
        mean.lerp_(batch, self.rates)


class Small(Right):
    """It cannot do with as many features as images have."""

    def start(self, data, seed=None):
        if len(next(iter(data.values()))) > 100:
            raise RuntimeError("too many")
        super().start(data, seed)


WRONG = {
    "test_it_accepts_known_kinds": Undeclared,
    "test_its_state_is_in_buffers": Parametric,
    "test_a_reload_is_exact": Counting,
    "test_it_does_not_move_in_eval_mode": Restless,
    "test_gradient_goes_straight_through": Crooked,
    "test_what_it_returned_does_not_change": Shared,
    "test_inputs_are_left_alone": Grabbing,
    "test_it_returns_what_it_was_given": Dropping,
    "test_statistics_have_any_names": ByHeart,
    "test_nothing_waits_for_the_device": Waiting,
    "test_tensors_are_made_where_they_are_used": Homebound,
    "test_a_run_uses_it": Small,
}
REFUSED = (Dropping,)
