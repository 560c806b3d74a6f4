"""Penalties that are wrong in one way each."""

from __future__ import annotations

import torch

from gentk.interfaces import Penalty


class Right(Penalty):
    """Mean square of the gradient at the data: nothing is wrong with it."""

    graphs = frozenset({"data"})

    def forward(self, play):
        [slope] = torch.autograd.grad(
            play.data.scores["x"].sum(), [play.data.images], create_graph=True
        )
        return {"data": slope.flatten(1).square().sum(1).mean()}


class Detached(Right):
    """Its gradient is a number: the critic is not moved."""

    def forward(self, play):
        return {
            k: v.detach() + 0 * play.data.images.sum() for k, v in super().forward(play).items()
        }


class Undeclared(Right):
    """It names a side that there is not."""

    graphs = frozenset({"data", "images"})


class Summed(Right):
    """It is a sum over samples."""

    def forward(self, play):
        return {"data": super().forward(play)["data"] * len(play.data.images)}


class Counting(Right):
    """Its terms grow from call to call."""

    calls = 0

    def forward(self, play):
        self.calls += 1
        return {"data": super().forward(play)["data"] * (1 + self.calls / 1e5)}


class Waiting(Right):
    """It reads a value off the device."""

    def forward(self, play):
        terms = super().forward(play)
        return terms if terms["data"].item() >= 0 else {}


class Stepping(Right):
    """It has an optimiser of its own."""

    def forward(self, play):
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0).step()
        return super().forward(play)


class Small(Right):
    """It takes no images but those of the other checks."""

    def forward(self, play):
        if play.data.images.shape[-1] > 4:
            raise RuntimeError("too large")
        return super().forward(play)


class Drawing(Right):
    """It draws a number, and does nothing with it."""

    def forward(self, play):
        torch.rand(1)
        return super().forward(play)


class Elsewhere(Right):
    """It makes a tensor on the CPU."""

    def forward(self, play):
        return {"data": (super().forward(play)["data"] * torch.ones(2)).mean()}


WRONG = {
    "test_it_leaves_the_random_state_alone": Drawing,
    "test_tensors_are_made_where_they_are_used": Elsewhere,
    "test_terms_are_scalars": Detached,
    "test_it_says_where_it_differentiates": Undeclared,
    "test_terms_are_means": Summed,
    "test_it_keeps_no_state": Counting,
    "test_nothing_waits_for_the_device": Waiting,
    "test_steps_are_left_to_the_engine": Stepping,
    "test_a_run_uses_it": Small,
}
