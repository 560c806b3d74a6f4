"""Networks of one's own: modules of torch, and functions, as the parts of a run."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from ...engine import randomness
from ...errors import GentkError, Incompatible, UsageError
from ...interfaces import (
    BOUNDS,
    Critic,
    Encoder,
    Extractor,
    Features,
    Generator,
    ImageShape,
    Range,
    Scores,
)
from ...interfaces.promise import described
from ...options import Option, convert
from ...prior import Prior
from .identity import qualname

__all__ = ["OwnCritic", "OwnEncoder", "OwnExtractor", "OwnGenerator", "latents_of", "range_of"]

CPU = torch.device("cpu")
SAID = ("latent", "latent_dim", "latent_size", "z_dim", "nz")
"""Attributes by which networks say how long their latents are."""

LAYERS = {nn.Linear: "in_features", nn.Conv2d: "in_channels", nn.ConvTranspose2d: "in_channels"}
FAR = 1e3
"""The deviation of latents that tell whether a network's images are bounded."""


class _Dense(nn.Module):
    """A network whose weights and inputs stay contiguous, so that `view` goes on working in it.

    Sentences call it what was given is called.
    """

    @property
    def _title(self) -> str:
        return f"{self._kind} {qualname(getattr(self, 'module', None) or self.subject)}"

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.dim() == 4:
                tensor.data = tensor.data.contiguous()
        return self


class OwnGenerator(_Dense, Generator):
    """A module of torch as a generator; z is standard normal.

    Args:
        module: Latents (N, d), or (N, d, 1, 1) where its first layer is a convolution, -> images.
        image: The shape of the images.
        latent: d.
        range: The range of the images.

    Raises:
        Incompatible: It makes images of another shape.
    """

    def __init__(self, module: nn.Module, image: ImageShape, latent: int, range: Range) -> None:
        super().__init__()
        self.module, self.image, self.range = module, image, range
        self.prior = Prior(dimension=latent)
        self._maps = takes_maps(module)
        _once(self, torch.zeros(2, latent, device=CPU))

    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, H, W) in `range`."""
        result = self.module(latents[..., None, None] if self._maps else latents)
        return _tensor(self.module, result, "the images alone")


class OwnEncoder(_Dense, Encoder):
    """A module of torch as an encoder: images -> (N, d).

    Raises:
        Incompatible: It does not return latents of the generator's length.
    """

    def __init__(self, module: nn.Module, image: ImageShape, latent: int, range: Range) -> None:
        super().__init__()
        self.module, self.image, self.latent, self.range = module, image, latent, range
        _once(self, torch.zeros(2, *image, device=CPU))

    def forward(self, images: Tensor) -> Tensor:
        """Return latents (N, latent)."""
        result = self.module(images.contiguous())
        return _tensor(self.module, result, "the latents alone").flatten(1)


class OwnCritic(_Dense, Critic):
    """A module of torch as a critic: images, and latents with `pairs`, -> scores (N,) or (N, 1).

    Raises:
        Incompatible: It does not return one score an image.
    """

    def __init__(
        self, module: nn.Module, image: ImageShape, latent: int, range: Range, pairs: bool
    ) -> None:
        super().__init__()
        self.module, self.image, self.range, self.pairs = module, image, range, pairs
        pair = [torch.zeros(2, latent, device=CPU)] if pairs else []
        _once(self, torch.zeros(2, *image, device=CPU), *pair)

    def forward(self, images: Tensor, latents: Tensor | None = None) -> Scores:
        """Return the scores, `x` of images or `xz` of pairs; those of a dict by their names."""
        given = (images.contiguous(), *([latents] if self.pairs else []))
        result = self.module(*given)
        ask = "the scores, or a dict of them"
        if isinstance(result, dict):
            return {name: _tensor(self.module, score, ask) for name, score in result.items()}
        scores = _tensor(self.module, result, ask)
        scores = scores.squeeze(1) if scores.dim() == 2 else scores
        if scores.dim() != 1:
            raise Incompatible(
                f"{self._title} returns {described(result)} of {len(images)} images; return (N,) or "
                "(N, 1), a score an image"
            )
        return {"xz" if self.pairs else "x": scores}


class OwnExtractor(_Dense, Extractor):
    """A module of torch, or a function, as an extractor, frozen.

    Args:
        subject: Images (N, C, H, W) -> features: a tensor (N, ...), a list of them, or a dict.
        key: What it goes by; its weights are part of that.
        layer: What a single tensor of features is called.
        range: The range of the images that it is given.
    """

    def __init__(
        self, subject: Callable[[Tensor], Any], key: str, layer: str, range: Range
    ) -> None:
        super().__init__()
        self.layer = layer
        self.subject, self.range, self.channels = subject, range, None
        self._digest = f"object-1 {key} range={range}"
        self.freeze()

    def forward(self, images: Tensor) -> Features:
        """Return the features by name: `layer` of a single tensor, `0`, `1`, ... of a list."""
        result = self.subject(images.contiguous())
        ask = "its features (N, ...), a list of such tensors, or a dict of them"
        if isinstance(result, list | tuple):
            result = {str(index): value for index, value in enumerate(result)}
        if not isinstance(result, dict):
            return {self.layer: _tensor(self.subject, result, ask)}
        if not result:
            raise Incompatible(f"{qualname(self.subject)} returns no features; let it return {ask}")
        return {name: _tensor(self.subject, value, ask) for name, value in result.items()}

    def fingerprint(self) -> str:
        """Return the key, which holds a digest of the weights, and the range."""
        return self._digest


def takes_maps(module: nn.Module) -> bool:
    """Say whether a network's first layer is a convolution, so that latents are (N, d, 1, 1)."""
    first = _first(module)
    return first is not None and not isinstance(first, nn.Linear)


def latents_of(module: nn.Module, written: str | None = None) -> int:
    """Return how long a network's latents are: as written, what it says, or what its first layer takes.

    Raises:
        UsageError: None tells, or what is written is no length.
    """
    if written is not None:
        owner = f"generator {qualname(module)}"
        length = int(convert({"latent": written}, [Option("latent", int)], owner)["latent"])
        if length < 1:
            raise UsageError(
                f"{owner} has latents of length 1 or more, not {length}; write "
                "generator=gentk.own(G, latent=64)"
            )
        return length
    for name in SAID:
        value = getattr(module, name, None)
        if isinstance(value, int) and value > 0:
            return value
    first = _first(module)
    if first is None:
        raise UsageError(
            f"generator {qualname(module)} does not say how long its latents are; write "
            "generator=gentk.own(G, latent=64)"
        )
    return int(getattr(first, LAYERS[type(first)]))


def range_of(module: nn.Module, latent: int) -> Range:
    """Return the range that a generator's images keep to, whatever its latents are.

    Raises:
        UsageError: They are in neither, or do not depend on the latents.
        Incompatible: The network takes no such latents, or returns something else than images.
    """
    with randomness.lent(CPU, seed=0):
        far = torch.randn(64, latent) * FAR
    result = _once(module, far[..., None, None] if takes_maps(module) else far)
    images = _tensor(module, result, "the images alone")
    low, high = float(images.min()), float(images.max())
    if low == high or torch.equal(images, images[:1].expand_as(images)):
        raise UsageError(
            f"the images of generator {qualname(module)} are all alike (they reach {low:.3g} and "
            f"{high:.3g}), as where a last layer starts at zero, so nothing tells their range; write "
            'generator=gentk.own(G, range="signed") for [-1, 1], or range="unit" for [0, 1]'
        )
    for name, (least, most) in BOUNDS.items():
        if least <= low and high <= most:
            return name
    raise UsageError(
        f"the images of generator {qualname(module)} are neither in [0, 1] nor in [-1, 1] (they reach "
        f"{low:.3g} and {high:.3g}); end it in a sigmoid or a tanh, or write "
        'generator=gentk.own(G, range="signed"): what is outside of [-1, 1] is cut off'
    )


def _first(module: nn.Module) -> nn.Module | None:
    return next((part for part in module.modules() if type(part) in LAYERS), None)


def _once(network: nn.Module, *inputs: Tensor) -> Any:
    """Return what a network makes of inputs, in eval mode, without a trace of it left."""
    own = next(network.parameters(), torch.zeros(0, device=CPU))
    trial = copy.deepcopy(network).eval()
    try:
        with torch.no_grad(), randomness.lent(CPU, seed=0):
            return trial(*(value.to(own.device) for value in inputs))
    except GentkError:
        raise
    except Exception as error:  # Of others' code: anything, asserts without a word too.
        sizes = " and ".join(str(tuple(value.shape)) for value in inputs)
        inner = getattr(network, "module", network)
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise Incompatible(f"{qualname(inner)} takes no input of {sizes}: {reason}") from error


def _tensor(network: object, result: object, wanted: str) -> Tensor:
    """Return what a network returns; raise `Incompatible` if that is no tensor."""
    if isinstance(result, Tensor):
        return result
    raise Incompatible(
        f"{qualname(network)} returns {type(result).__name__} and not a tensor; let its forward return "
        f"{wanted}, or give a module that calls it and returns them"
    )
