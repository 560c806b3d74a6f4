"""Finished (or interrupted) runs: opened again, to sample from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..codec import Codec
from ..digest import state_digest
from ..engine import randomness
from ..engine.caller import undisturbed, undisturbed_steps
from ..engine.device import choose_device
from ..engine.sampling import generate, stand
from ..errors import CheckpointError, Incompatible, RunError, UsageError
from ..interfaces import Critic, Encoder, Generator, ImageShape, Range
from ..ranges import resized, to_range
from ..recipe import Recipe
from ..registry import Registry
from ..seed import check_seed
from ..selection import unquoted
from . import history
from .folder import RunFolder
from .model import folder_of
from .record import recorded_versions

__all__ = ["Run", "load"]


class Run:
    """A run's folder, opened.

    Args:
        folder: The folder.
        registry: Where the generator's name is looked up.
        device: Where to compute; as `Recipe.device`.
    """

    def __init__(
        self, folder: RunFolder, registry: Registry | None = None, device: str = "auto"
    ) -> None:
        self.folder = folder
        self.record = folder.read()
        self.recipe = Recipe.model_validate(self.record["recipe"])
        self.registry = Registry.of(registry)
        self.device = choose_device(device)

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.folder.path.resolve().name

    @property
    def result(self) -> dict[str, Any] | None:
        """What the finished run recorded, or None if it is not finished."""
        return self.record.get("result")

    @property
    def metrics(self) -> history.History:
        """What it logged while it trained: a column a quantity, a row a step."""
        return history.read(self.folder.metrics)

    def __repr__(self) -> str:
        """Say which run it is, and how far it is."""
        counts = self.folder.checkpoints.steps()
        steps = f"{counts[-1]:,} steps" if counts else "no checkpoint yet"
        state = "finished" if self.result else "not finished"
        name = self.record["recipe_name"]
        return f"<Run {str(self.folder.path)!r} of recipe {name!r}: {steps}, {state}>"

    @property
    def image(self) -> ImageShape:
        """The shape of the images it makes."""
        return ImageShape(*self.record["data"]["shape"])

    @cached_property
    @undisturbed()
    def inner(self) -> Run | None:
        """The run in whose code space it generates, if it does not make images."""
        if self.recipe.codec is None:
            return None
        place = unquoted(self.folder.locate(self.recipe.codec).removeprefix("run:"))
        return load(Path(place).expanduser(), registry=self.registry, device=str(self.device))

    @cached_property
    @undisturbed()
    def codec(self) -> Codec | None:
        """What makes images of the codes that its generator makes, if it does not make images."""
        return None if self.inner is None else self.inner.as_codec().to(self.device)

    @property
    def shape(self) -> ImageShape:
        """The shape of what its generator makes: images or codes."""
        return self.codec.shape if self.codec else self.image

    @cached_property
    @undisturbed()
    def generator(self) -> Generator:
        """The generator in eval mode: averaged weights where the run averaged them.

        What it makes is in its `range`, `signed` for [-1, 1]; `images` and `sample` return [0, 1].
        """
        with randomness.lent(self.device):
            built = self.registry.build("generator", self.recipe.generator, image=self.shape)[0]
        filled = cast(Generator, self._filled(built, "generator", self.recipe.generator))
        if filled.standing:
            with randomness.lent(self.device, seed=randomness.derive(0, "standing")):
                stand(filled, self.recipe.batch, self.device)
        return filled

    @cached_property
    @undisturbed()
    def encoder(self) -> Encoder | None:
        """The encoder in eval mode, if the run trained one."""
        return cast("Encoder | None", self._beside("encoder", self.recipe.encoder))

    @cached_property
    @undisturbed()
    def critic(self) -> Critic | None:
        """The critic in eval mode, as training left it, if the run trained one."""
        return cast("Critic | None", self._beside("critic", self.recipe.critic))

    def _beside(self, kind: str, text: str | None) -> nn.Module | None:
        """Return a network that a generator is trained with, if the run trained one."""
        if text is None or kind not in self._state:
            return None
        latent = self.generator.prior.dimension
        with randomness.lent(self.device):
            built = self.registry.build(kind, text, image=self.shape, latent=latent)[0]
        return self._filled(built, kind, text)

    @property
    def steps(self) -> int:
        """The steps of the checkpoint that its weights are of: the newest that is not damaged."""
        return self._latest[0]

    @cached_property
    def _latest(self) -> tuple[int, dict[str, Any]]:
        return self.folder.checkpoints.latest()

    @property
    def _state(self) -> dict[str, Any]:
        return self._latest[1]

    def _filled(self, network: nn.Module, name: str, text: str) -> nn.Module:
        """Give a network its trained weights."""
        try:
            weights = self._state[name]
            if "average" in self._state:
                averaged = self._state["average"]["weights"].items()
                # Averages are of what draws samples: not of the critic.
                weights = {
                    k.removeprefix(f"{name}."): v for k, v in averaged if k.startswith(f"{name}.")
                } or weights
            network.load_state_dict(weights)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"the weights in {self.folder.path} do not fit {name} {text!r}: it was made with "
                f"{recorded_versions(self.record)}; install those versions"
            ) from error
        return network.to(self.device).eval().requires_grad_(False)

    def as_codec(self) -> Codec:
        """Return the run's encoder and generator as a codec; raise `Incompatible` without encoder."""
        encoder = self._inverse("be a codec")
        return Codec(encoder, self.generator, self.codec, f"run:{self.folder.path}")

    @undisturbed()
    @torch.no_grad()
    def reconstruct(self, images: Tensor) -> Tensor:
        """Return G(E(x)), (N, C, H, W) in [0, 1] on the CPU, of images in [0, 1]."""
        encoder = self._inverse("reconstruct")
        have: Range = "unit"
        samples = images.to(self.device)
        if self.codec is not None:
            samples, have = self.codec.encode(samples), self.codec.range
        codes = encoder(to_range(resized(samples, encoder.image), have, encoder.range))
        return torch.cat(list(self.images(codes)))

    def _class(self, label: int | str) -> int:
        """Return the index of a class; raise `UsageError` if there is none of that name."""
        count = self.generator.prior.classes
        if not count:
            raise UsageError(f"the generator of {self.folder.path} knows no classes; drop --label")
        names = list(self.record["data"].get("classes") or {})[:count]
        if label in names:
            return names.index(str(label))
        if str(label).isdecimal() and int(label) < count:
            return int(label)
        known = ", ".join(names) or f"0 to {count - 1}"
        raise UsageError(f"there is no class {label!r}; type --label with one of {known}")

    def _inverse(self, purpose: str) -> Encoder:
        """Return the encoder, or raise `Incompatible`."""
        if self.encoder is None:
            raise Incompatible(
                f"the run {self.folder.path} (recipe {self.record['recipe_name']!r}, loss "
                f"{self.recipe.loss!r}) has no encoder, so it cannot {purpose}; name a run of the "
                "recipe ae, which you get by typing: gentk run ae"
            )
        if self.generator.prior.classes:
            raise Incompatible(
                f"the generator of {self.folder.path} makes images of a class, which its encoder does "
                f"not tell, so it cannot {purpose}; name a run without classes"
            )
        return self.encoder

    @undisturbed()
    def fingerprint(self) -> str:
        """Return a digest of the trained weights."""
        modules = [self.generator, self.encoder, self.codec]
        return state_digest(
            row for module in modules if module is not None for row in module.state_dict().items()
        )

    def sample(
        self,
        count: int,
        *,
        seed: int = 0,
        truncation: float | None = None,
        label: int | str | None = None,
    ) -> Tensor:
        """Return `count` images, (count, C, H, W) float32 in [0, 1] on the CPU; same seed, same."""
        return torch.cat(list(self.stream(count, seed=seed, truncation=truncation, label=label)))

    def stream(
        self,
        count: int,
        *,
        seed: int = 0,
        truncation: float | None = None,
        label: int | str | None = None,
    ) -> Iterator[Tensor]:
        """Yield `count` images in chunks, as `sample` would return them."""
        latents = self.latents(count, seed=seed, truncation=truncation, label=label)
        yield from self.images(latents)

    def images(self, latents: Tensor) -> Iterator[Tensor]:
        """Return the images of latents (N, latent) in chunks, as `stream` yields them.

        Raises:
            Incompatible: They are no latents of its generator's prior.
        """
        self.generator.prior.check(latents)
        latents = latents.to(self.device, torch.float32)
        return undisturbed_steps(generate(self.generator, latents, self.codec))

    @undisturbed()
    def latents(
        self,
        count: int,
        *,
        seed: int = 0,
        truncation: float | None = None,
        label: int | str | None = None,
    ) -> Tensor:
        """Return `count` latents of the generator's prior; same seed, same latents.

        Args:
            count: How many.
            seed: The seed.
            truncation: The largest |z|: smaller ones give up variety for typical samples.
            label: Of a conditional generator: the class of all, by index or name; drawn without it.

        Raises:
            BadOption: A truncation that is not above 0, or of a prior without tails.
            UsageError: A class that there is not.
        """
        check_seed(seed)
        if not isinstance(count, int) or count < 0:
            raise UsageError(
                f"a number of samples is a whole one, 0 or more, not {count!r}; type -n 64"
            )
        # Before the seed is set: building the generator draws its initial weights.
        prior = self.generator.prior
        if truncation is not None:
            prior = prior.truncated(truncation)
        index = None if label is None else self._class(label)
        with randomness.lent(self.device, seed=randomness.derive(seed, "sample")):
            return prior.draw(count, self.device, index)


@undisturbed()
def load(folder: str | Path, *, registry: Registry | None = None, device: str = "auto") -> Run:
    """Open the folder of a run or a model, or `model:NAME`.

    Raises:
        RunError: It is none of these, or has no checkpoint yet.
        UnknownName: No distribution ships a model of that name.
    """
    registry = Registry.of(registry)
    run = Run(folder_of(folder, registry), registry, device)
    if not run.folder.checkpoints.steps():
        raise RunError(
            f"the run {folder} has no checkpoint yet; type its command again to train it"
        )
    return run
