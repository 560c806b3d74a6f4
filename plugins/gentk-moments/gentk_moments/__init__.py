"""gentk-moments: what is said by the first two moments of features."""

from __future__ import annotations

import gentk.spec as gentk

HINT = "pip install gentk-moments"


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the losses `moments` and `fd`, and the metric `fd`."""
    return [
        gentk.Component(
            kind="loss",
            name="moments",
            target="gentk_moments.loss:MomentsLoss",
            summary="squared distance of the means and variances of features (GFMN)",
            hint=HINT,
        ),
        gentk.Component(
            kind="loss",
            name="fd",
            target="gentk_moments.distance:FrechetLoss",
            summary="Frechet distance of Gaussians fitted to features (FD-loss)",
            hint=HINT,
        ),
        gentk.Component(
            kind="metric",
            name="fd",
            target="gentk_moments.frechet:FrechetDistance",
            summary="Frechet distance of Gaussians fitted to pooled features (FID in any features)",
            hint=HINT,
        ),
    ]
