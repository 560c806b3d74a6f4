"""gentk-fields: losses that move a batch's features along a field."""

from __future__ import annotations

import gentk.spec as gentk

__all__ = ["gentk_components"]

HINT = "pip install gentk-fields"


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the losses of this distribution."""
    return [
        gentk.Component(
            kind="loss",
            name="gaussian-kl",
            target="gentk_fields.gaussian:GaussianKL",
            summary="down the KL divergence of a Gaussian fitted to samples from that of the data",
            hint=HINT,
        ),
        gentk.Component(
            kind="loss",
            name="drift",
            target="gentk_fields.drift:Drift",
            summary="towards near data and away from near samples (drifting)",
            hint=HINT,
        ),
        gentk.Component(
            kind="loss",
            name="coupling",
            target="gentk_fields.coupling:Coupling",
            summary="along a plan of transport to the data (MMD flow, mean shift, Sinkhorn)",
            hint=HINT,
        ),
        gentk.Component(
            kind="loss",
            name="sliced",
            target="gentk_fields.sliced:Sliced",
            summary="sliced Wasserstein distance: transport along random directions",
            hint=HINT,
        ),
    ]
