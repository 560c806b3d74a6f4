"""gentk-example-extractor: what gentk reads to find the extractor; it must not import torch."""

from __future__ import annotations

import gentk.spec as gentk

__all__ = ["gentk_components"]


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the components of this distribution."""
    return [
        gentk.Component(
            kind="extractor",
            name="scattering-lite",
            target="gentk_example_extractor.scattering:ScatteringLite",
            summary="Moduli of wavelet responses, twice; fixed filters, so no weights to fetch",
        )
    ]
