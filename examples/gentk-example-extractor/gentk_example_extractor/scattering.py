"""A small scattering transform: features that know textures without having seen an image."""

from __future__ import annotations

import hashlib
from math import pi

import torch
from torch import Tensor
from torch.nn import functional

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import Extractor, Features

__all__ = ["ScatteringLite"]

RADIUS = 3
"""Half the side of a filter, in pixels: filters are 7x7."""


class ScatteringLite(Extractor):
    """Moduli of oriented wavelet responses on a pyramid, and the same once more on these moduli.

    With P halving the side by averages and psi_k the wavelet of orientation k, channels x give::

        low        P^scales x                   brightness and colour
        first{s}   |P^s x * psi_k|              (N, C K, ...)     edges
        second{s}  |P(first{s}) * psi_l|        (N, C K K, ...)   arrangements of edges

    Args:
        orientations: Number of orientations K, equally spaced over half a turn.
        scales: Number of scales s = 0, 1, ...; images need 2^scales pixels a side.

    Raises:
        BadOption: If an option is below 1.

    Source: Bruna and Mallat, Invariant Scattering Convolution Networks, 2013, arXiv 1203.1513.
    """

    range = "unit"
    channels = None  # each channel by itself, so any number will do

    bank: Tensor

    def __init__(self, *, orientations: int = 8, scales: int = 3) -> None:
        super().__init__()
        for name, value in {"orientations": orientations, "scales": scales}.items():
            if value < 1:
                raise BadOption(f"extractor 'scattering-lite' needs {name}=1 or more, not {value}")
        self.orientations = orientations
        self.scales = scales
        # Made from the options, so not kept with weights, and not in the fingerprint either.
        self.register_buffer("bank", _morlets(orientations), persistent=False)
        self.freeze()

    def forward(self, images: Tensor) -> Features:
        """Return the features of `images`, (N, C, H, W) in [0, 1]."""
        height, width = images.shape[-2:]
        if min(height, width) < 2**self.scales:
            raise Incompatible(
                f"extractor 'scattering-lite' with scales={self.scales} needs images of "
                f"{2**self.scales} px or more, not {height}x{width}; "
                f"add size={2**self.scales} to the data, or lower scales"
            )
        features: Features = {}
        low = images
        for scale in range(self.scales):
            first = self._moduli(low)
            features[f"first{scale}"] = first
            features[f"second{scale}"] = self._moduli(functional.avg_pool2d(first, 2))
            low = functional.avg_pool2d(low, 2)
        return features | {"low": low}

    def fingerprint(self) -> str:
        """Return a digest of the definition; its number grows when the features change."""
        definition = f"scattering-lite 1 {self.orientations} {self.scales}"
        return hashlib.sha256(definition.encode()).hexdigest()

    def _moduli(self, maps: Tensor) -> Tensor:
        count, channels, height, width = maps.shape
        single = maps.reshape(-1, 1, height, width)
        # Replicated borders: with zeros, the frame of a flat image would be an edge.
        waves = functional.conv2d(functional.pad(single, [RADIUS] * 4, mode="replicate"), self.bank)
        # vector_norm, and not sqrt, because its gradient is finite where the response is zero.
        moduli: Tensor = torch.linalg.vector_norm(
            waves.reshape(len(single), 2, -1, height, width), dim=1
        )
        return moduli.reshape(count, channels * self.orientations, height, width)


def _morlets(orientations: int) -> Tensor:
    """Return the real parts, then the imaginary parts of the wavelets, (2 K, 1, 7, 7).

    psi(u) = exp(-|u|^2 / 2 sigma^2) (exp(i pi u_1 / 2) - c), turned, where c makes the mean zero;
    scaled so that its absolute values sum to one.
    """
    sigma = 1.5
    offsets = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64)
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    envelope = torch.exp(-(x**2 + y**2) / (2 * sigma**2))
    angles = (torch.arange(orientations, dtype=torch.float64) * pi / orientations)[:, None, None]
    waves = torch.exp(0.5j * pi * (x * angles.cos() + y * angles.sin()))
    mean = (envelope * waves).sum((1, 2), keepdim=True) / envelope.sum()
    filters = envelope * (waves - mean)
    filters = filters / filters.abs().sum((1, 2), keepdim=True)
    return torch.cat([filters.real, filters.imag])[:, None].float()
