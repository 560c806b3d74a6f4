"""The extractor `run:FOLDER`: the encoder of a finished run, or its critic, frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ..digest import state_digest
from ..errors import Incompatible, UnknownName
from ..interfaces import Critic, Encoder, Extractor, Features
from ..ranges import resized, to_range
from ..registry import Registry
from .earlier import finished
from .trained import Run

__all__ = ["RunExtractor"]


class RunExtractor(Extractor):
    """phi(x) = the layers of the encoder of an auto-encoder (or BigBiGAN) run, or of a game's critic.

    The first extractor of GFMN was such an encoder, its code included: dos Santos et al., Learning
    Implicit Generative Models by Matching Perceptual Features, 2019, arXiv:1904.02762, section 3.

    Args:
        folder: The run's folder.
        layers: `all`, or names of layers, joined with `+`; `code` is the latent.
        of: Which of the run's networks: its `encoder`, or the `critic` of images that it played against.

    Raises:
        RunError: It is not the folder of a run, or the run is not finished.
        Incompatible: The run has no such network, or its critic is of more than images.
        UnknownName: The network has no such layer.
    """

    def __init__(
        self,
        folder: Path,
        *,
        layers: tuple[str, ...] = ("all",),
        of: Literal["encoder", "critic"] = "encoder",
    ) -> None:
        super().__init__()
        run = finished(str(folder), Registry(), "cpu")
        self.network = _critic(run) if of == "critic" else _encoder(run)
        self.image = run.image
        self.channels = run.image.channels
        self.inner = run.codec
        self.freeze()
        with torch.no_grad():
            known = list(self._features(torch.zeros(2, *run.image)))
        wanted = known if tuple(layers) == ("all",) else list(layers)
        for name in wanted:
            if name not in known:
                raise UnknownName(
                    f"the {of} of {folder} has no layer {name!r}; type layers={'+'.join(known)}"
                )
        self.layers = tuple(wanted)
        weights = run.fingerprint()
        if of == "critic":
            weights += f" critic {state_digest(self.network.state_dict().items())}"
        self._digest = f"run-1 {weights} {'+'.join(self.layers)}"

    def forward(self, images: Tensor) -> Features:
        """Return the layers' outputs of `images`, (N, C, H, W) in [0, 1]."""
        features = self._features(images)
        return {name: features[name] for name in self.layers}

    def fingerprint(self) -> str:
        """Return a digest of the run's weights and the layers."""
        return self._digest

    def _features(self, images: Tensor) -> Features:
        if self.inner is None:
            fitting = resized(images, self.network.image)
            return self.network.features(to_range(fitting, "unit", self.network.range))
        codes = self.inner.encode(images)
        return self.network.features(to_range(codes, self.inner.range, self.network.range))


def _encoder(run: Run) -> Encoder:
    """Return a run's encoder; raise `Incompatible` if it has none."""
    if run.encoder is None:
        raise Incompatible(
            f"the run {run.folder.path} (loss {run.recipe.loss!r}) has no encoder, so it extracts "
            "nothing; name a run of the recipe ae, which you get by typing: gentk run ae"
        )
    return run.encoder


def _critic(run: Run) -> Critic:
    """Return a run's critic; raise `Incompatible` if it has none whose features are of images."""
    critic = run.critic
    if critic is None:
        raise Incompatible(
            f"the run {run.folder.path} (loss {run.recipe.loss!r}) has no critic; name a run of the "
            "recipe sn-gan-cpu, which you get by typing: gentk run sn-gan-cpu"
        )
    if critic.pairs or critic.classes:
        more = "latents" if critic.pairs else "classes"
        raise Incompatible(
            f"the critic {run.recipe.critic!r} of {run.folder.path} looks at {more} besides images, so "
            "it extracts nothing of images alone; name a run whose critic does not"
        )
    return critic
