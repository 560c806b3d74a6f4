"""gentk-timm: the networks of timm as frozen feature extractors."""

from __future__ import annotations

import gentk.spec as gentk


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the extractor `timm:MODEL`."""
    return [
        gentk.Component(
            kind="extractor",
            name="timm",
            target="gentk_timm.extractor:TimmExtractor",
            summary="activations of a network of timm, pretrained and frozen",
            argument="MODEL",
            variants="gentk_timm.model:variants",
            hint="pip install gentk-timm",
            ready="gentk_timm.ready:ready",
        )
    ]
