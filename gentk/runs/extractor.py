"""The extractor `run:FOLDER`: the encoder of a finished run, frozen."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..errors import Incompatible, UnknownName
from ..interfaces import Extractor, Features
from ..ranges import resized, to_range
from ..registry import Registry
from .earlier import finished

__all__ = ["RunExtractor"]


class RunExtractor(Extractor):
    """phi(x) = the layers of the encoder of an auto-encoder (or BigBiGAN) run.

    The first extractor of GFMN was such an encoder, its code included: dos Santos et al., Learning
    Implicit Generative Models by Matching Perceptual Features, 2019, arXiv:1904.02762, section 3.

    Args:
        folder: The run's folder.
        layers: `all`, or names of layers, joined with `+`; `code` is the latent.

    Raises:
        RunError: It is not the folder of a run, or the run is not finished.
        Incompatible: The run has no encoder.
        UnknownName: The encoder has no such layer.
    """

    def __init__(self, folder: Path, *, layers: tuple[str, ...] = ("all",)) -> None:
        super().__init__()
        run = finished(str(folder), Registry(), "cpu")
        if run.encoder is None:
            raise Incompatible(
                f"the run {folder} (loss {run.recipe.loss!r}) has no encoder, so it extracts "
                "nothing; name a run of the recipe ae, which you get by typing: gentk run ae"
            )
        self.image = run.image
        self.channels = run.image.channels
        self.encoder = run.encoder
        self.inner = run.codec
        self.freeze()
        with torch.no_grad():
            known = list(self._features(torch.zeros(2, *run.image)))
        wanted = known if tuple(layers) == ("all",) else list(layers)
        for name in wanted:
            if name not in known:
                raise UnknownName(
                    f"the encoder of {folder} has no layer {name!r}; type layers={'+'.join(known)}"
                )
        self.layers = tuple(wanted)
        self._digest = f"run-1 {run.fingerprint()} {'+'.join(self.layers)}"

    def forward(self, images: Tensor) -> Features:
        """Return the layers' outputs of `images`, (N, C, H, W) in [0, 1]."""
        features = self._features(images)
        return {name: features[name] for name in self.layers}

    def fingerprint(self) -> str:
        """Return a digest of the run's weights and the layers."""
        return self._digest

    def _features(self, images: Tensor) -> Features:
        if self.inner is None:
            fitting = resized(images, self.encoder.image)
            return self.encoder.features(to_range(fitting, "unit", self.encoder.range))
        codes = self.inner.encode(images)
        return self.encoder.features(to_range(codes, self.inner.range, self.encoder.range))
