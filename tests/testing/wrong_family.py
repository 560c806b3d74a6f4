"""Families that are wrong in one way each; the registry of each holds it and the loss they share."""

from __future__ import annotations

from dataclasses import replace

import torch

from gentk.errors import Incompatible
from gentk.families import Family, Phase, Program, minibatches, samples
from gentk.interfaces import Loss, MatchingLoss


class Pairs(Loss):
    """Mean squared distance of images and samples, pair by pair; the tests' own."""

    def __call__(self, images, drawn):
        return (images - drawn).square().mean()


class Right(Family):
    """Each sample is drawn to an image: nothing is wrong with it."""

    loss = Pairs
    phases = {"generator": ("generator",)}  # noqa: RUF012

    def check(self, r, loss, registry):
        if r.chunk is not None:
            raise Incompatible("drop --chunk")

    def program(self, c, advance):
        batches = minibatches(c)

        def step():
            images = next(batches)
            drawn = c.generator(c.generator.prior.draw(len(images), images.device))
            loss = c.loss(images, drawn)
            loss.backward()
            return {"loss": loss.detach()}

        phase = Phase("generator", {"generator": c.generator}, step, c.recipe.batch)
        return Program([phase], samples(c), {"data": batches})


class Changed(Right):
    """A family whose steps are changed in one place."""

    def step(self, c, objective):
        return objective()

    def program(self, c, advance):
        program = super().program(c, advance)
        [phase] = program.phases
        return replace(
            program, phases=[replace(phase, objective=lambda: self.step(c, phase.objective))]
        )


class Choosy(Right):
    """It has an option, and nobody can set it.

    Args:
        factor: Whatever.
    """

    def __init__(self, *, factor: int = 2):
        self.factor = factor


class Grasping(Right):
    """It trains what others train."""

    loss = MatchingLoss


class Inventive(Right):
    """It uses a key that no recipe has."""

    uses = frozenset({"temperature"})


class Misnamed(Right):
    """Its phase is not called what it says."""

    phases = {"painter": ("generator",)}  # noqa: RUF012


class Idle(Changed):
    """Its generator has no gradient."""

    def step(self, c, objective):
        shown = objective()
        for parameter in c.generator.parameters():
            parameter.grad = None
        return shown


class Forgetful(Right):
    """Its checkpoints do not know where in the data it was."""

    def program(self, c, advance):
        return replace(super().program(c, advance), state={})


class Dark(Right):
    """Its samples are not in [0, 1]."""

    def program(self, c, advance):
        program = super().program(c, advance)
        return replace(program, draw=lambda modules: program.draw(modules) - 1)


class Restless(Right):
    """Its grids show other latents each time."""

    def program(self, c, advance):
        program = super().program(c, advance)
        return replace(program, draw=lambda modules: samples_anew(c, modules))


def samples_anew(c, modules):
    """Images of fresh latents."""
    return modules["generator"](c.generator.prior.draw(8)).detach().contiguous()


class Silent(Changed):
    """It logs a loss under another name."""

    def step(self, c, objective):
        return {"distance": objective()["loss"]}


class Hasty(Changed):
    """It takes steps of its own."""

    def step(self, c, objective):
        shown = objective()
        with torch.no_grad():
            for parameter in c.generator.parameters():
                parameter.sub_(0.01 * parameter.grad)
        return shown


class Impatient(Changed):
    """It reads its loss at each step."""

    def step(self, c, objective):
        shown = objective()
        return shown if shown["loss"].item() >= 0 else {}


class Homebound(Changed):
    """It makes noise on the CPU and moves it."""

    def step(self, c, objective):
        shown = objective()
        noise = torch.zeros(8, 4).to(shown["loss"])
        return shown | {"noise": noise.sum()}


class Presuming(Right):
    """It takes for granted that there is an encoder."""

    uses = frozenset({"encoder"})

    def program(self, c, advance):
        c.encoder.train()
        return super().program(c, advance)


class Whole(Right):
    """It does not look at chunk."""

    def check(self, r, loss, registry):
        pass


class Lonely(Right):
    """It takes the chunks of its process, and keeps their gradient to itself."""

    def check(self, r, loss, registry):
        pass

    def program(self, c, advance):
        batches = minibatches(c)
        chunk = c.recipe.chunk or c.recipe.batch

        def step():
            images = next(batches)
            latents = c.generator.prior.draw(len(images), images.device)
            losses = []
            chunks = list(zip(images.split(chunk), latents.split(chunk), strict=True))
            for x, z in chunks[c.world.rank :: c.world.size]:
                losses.append(c.loss(x, c.generator(z)) * len(x) / len(images))
                losses[-1].backward()
            return {"loss": torch.stack(losses).sum().detach()}

        phase = Phase("generator", {"generator": c.generator}, step, c.recipe.batch)
        return Program([phase], samples(c), {"data": batches})


WRONG = {
    "test_it_takes_no_options": Choosy,
    "test_it_trains_a_class_of_losses_of_its_own": Grasping,
    "test_it_uses_what_a_recipe_has": Inventive,
    "test_its_phases_are_those_it_names": Misnamed,
    "test_a_run_trains_every_network": Idle,
    "test_it_goes_on_with_the_same_bits": Forgetful,
    "test_samples_are_images": Dark,
    "test_grids_show_the_same_latents": Restless,
    "test_a_step_says_its_loss": Silent,
    "test_steps_are_left_to_the_engine": Hasty,
    "test_a_step_does_not_wait_for_the_device": Impatient,
    "test_tensors_are_made_where_they_are_used": Homebound,
    "test_what_is_missing_is_refused_beforehand": Presuming,
    "test_chunks_are_kept_or_refused": Whole,
    "test_processes_take_its_steps": Lonely,
}
