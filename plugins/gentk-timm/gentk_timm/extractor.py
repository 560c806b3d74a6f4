"""The extractor `timm:MODEL`: activations of a frozen network of timm."""

from __future__ import annotations

import json
from collections.abc import Sequence

import timm
import torch
from torch import Tensor

from gentk.digest import state_digest
from gentk.errors import BadOption, Incompatible
from gentk.interfaces import Extractor, Features, WeightsFile

from . import layers as selection
from . import model as models
from .fold import FORMAT
from .fold import fold as fold_norms
from .pooling import Pool, Pooling
from .preparation import Preparation
from .size import accepts, dry_images
from .taps import Tap, collect, free_unused, overwritten
from .weights import fill, find, weights_file, weights_here

__all__ = ["TimmExtractor"]


class TimmExtractor(Extractor):
    """Activations of a network of timm, pretrained and frozen: the features of GFMN.

    phi(x) = (f_1(x), ..., f_L(x)), where f_l is the output of layer l for the resized and
    normalised x, and f_1 runs first.

    Nothing after the last layer runs, and the classifier is not even kept. Maps come out in the
    channels-last memory format, which is the faster one.

    Source: dos Santos et al., Learning Implicit Generative Models by Matching Perceptual Features,
    ICCV 2019, arXiv:1904.02762.

    Args:
        model: A name of timm, with or without the tag of its weights: `vgg19`, `vgg19.tv_in1k`.
        layers: `all`, every non-linearity in the order they run, gates excepted, where a block of a
            transformer counts as one; `stages`, the ends of the stages by timm's list; or names of
            modules. Several are joined.
        first: Keep the first N of these layers.
        last: Keep the last N of these layers.
        weights: `pretrained`; `none` for random ones, drawn from torch's global random state; or
            the path of a .safetensors, .pth, .pt or .bin file. Nothing is unpickled.
        resize: Height and width in pixels that images are resized to. By default they keep their
            size, except for networks that take one size only.
        fold: Fold batch norms into the convolutions before them: the same features, faster.
        pool: `none` keeps all positions, and metrics that pool average all tokens; `mean` averages
            patches, without class, distillation and register tokens, and maps over space; `cls`
            takes the class token.

    Raises:
        UnknownName: timm has no such model, or the model no such layer.
        BadOption: `first`, `last` or `resize` is out of bounds.
        Incompatible: The layers or the size do not fit the network.
        WeightsError: The weights are not there, cannot be fetched or do not fit.
    """

    def __init__(
        self,
        model: str,
        *,
        layers: tuple[str, ...] = ("all",),
        first: int | None = None,
        last: int | None = None,
        weights: str = "pretrained",
        resize: int | None = None,
        fold: bool = True,
        pool: Pool = "none",
    ) -> None:
        super().__init__()
        config = models.config(model)
        source = find(config, weights)
        self.model = models.full_name(config)
        self.channels = config.input_size[0]
        self.network = models.build(model, seeded=source is None)
        self.freeze()
        layout = {name: tensor.shape for name, tensor in self.network.state_dict().items()}
        images, only = dry_images(self.network, config)
        self._example = tuple(images[:1].shape)
        self._choose((layers,) if isinstance(layers, str) else layers, first, last, images)
        self.pooling = Pooling(pool, self.network, [tap.call for tap in self._taps])
        self.notes = tuple(f"timm:{self.model}: {note}" for note in self.pooling.notes())
        if source is not None:
            chosen = fill(self.network, layout, self.model, source)
            if chosen:
                self.notes += (f"timm:{self.model}: of {source.origin} {chosen}",)
        self._folded = fold_norms(self.network, lambda: self._run(images).values()) if fold else 0
        self._protect(images)
        self.preparation = Preparation(
            mean=config.mean,
            std=config.std,
            size=only if resize is None else self._checked(resize, only),
            interpolation=config.interpolation,
        )
        self.input_size = self.preparation.size
        self._digest: str | None = None
        # Depthwise convolutions are twice as fast on a CPU with weights in this format.
        self.network.to(memory_format=torch.channels_last)
        self.freeze()

    @classmethod
    def weights_file(cls, argument: str | None) -> WeightsFile:
        """Return the file of a model's pretrained weights."""
        return weights_file(models.config(argument or ""))

    @classmethod
    def weights_here(cls) -> list[str]:
        """Return the models whose pretrained weights are here."""
        return weights_here()

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers, in the order they run."""
        return tuple(tap.call.name for tap in self._taps)

    def forward(self, images: Tensor) -> Features:
        """Return the features of `images`, (N, C, H, W) in [0, 1], by the names of the layers.

        Raises:
            Incompatible: The network cannot take images of this size or number of channels.
        """
        if not isinstance(images, Tensor):
            raise Incompatible(
                f"timm:{self.model} takes a tensor (N, {self.channels}, H, W), not "
                f"{type(images).__name__}; give torch.as_tensor(images)"
            )
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise Incompatible(
                f"timm:{self.model} takes images (N, {self.channels}, H, W), not "
                f"{tuple(images.shape)}; add channels={self.channels} to the data"
            )
        prepared = self.preparation(images)
        try:
            return self.pooling(self._run(prepared))
        except (RuntimeError, ValueError, AssertionError) as error:
            # Is it the size, or something else that a known size would not mend?
            one = prepared[:1].detach()
            if accepts(self._run, one) or not accepts(self._run, one.new_zeros(self._example)):
                raise
            height, width = prepared.shape[-2:]
            raise Incompatible(
                f"timm:{self.model} cannot take {height}x{width} images up to the layer "
                f"{self.layers[-1]!r}; type resize={self._example[-1]}, or choose earlier layers"
            ) from error

    def describe(self) -> dict[str, object]:
        """Return what decides pooled features besides the network, as plain values."""
        return {**self.preparation.describe(), **self.pooling.describe()}

    def fingerprint(self) -> str:
        """Return a digest of the network, its weights, layers, preparation, folding and timm."""
        if self._digest is None:
            facts = {
                "timm": timm.__version__,
                "model": self.model,
                "layers": self.layers,
                "preparation": self.preparation.describe(),
                "fold": FORMAT if self._folded else None,
                **({} if self.pooling.pool == "none" else self.pooling.describe()),
            }
            self._digest = state_digest(
                sorted(self.network.state_dict().items()),
                head=json.dumps(facts, sort_keys=True),
                label="{name} {dtype} {shape}",
            )
        return self._digest

    def _run(self, prepared: Tensor) -> Features:
        return collect(self.network, self._entry, self._taps, prepared)

    def _choose(
        self, layers: Sequence[str], first: int | None, last: int | None, images: Tensor
    ) -> None:
        """Set the taps and drop what is not needed for them."""
        self._entry, calls = selection.select(self.network, layers, images)
        kept = selection.bounded(calls, first, last)
        self._taps: list[Tap] = [selection.tap(self.network, call) for call in kept]
        free_unused(self.network, self._entry, self._taps, images[:1])

    def _protect(self, images: Tensor) -> None:
        """Have those features copied that the network would overwrite."""
        names = overwritten(self.network, self._entry, self._taps, images[:1])
        self._taps = [tap._replace(copied=tap.call.name in names) for tap in self._taps]

    def _checked(self, resize: int, only: tuple[int, int] | None) -> tuple[int, int]:
        """Return the size to resize to; refuse one that the network does not take."""
        if resize < 1 or not accepts(self._run, torch.zeros(1, self._example[1], resize, resize)):
            advice = "leave resize out" if only else f"type resize={self._example[-1]}"
            raise BadOption(f"timm:{self.model} cannot take resize={resize}; {advice}")
        return resize, resize
