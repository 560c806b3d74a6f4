"""gentk-averages: estimators that follow the model's statistics over steps."""

from __future__ import annotations

import gentk.spec as gentk

HINT = "pip install gentk-averages"


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the estimators of this distribution."""
    return [
        gentk.Component(
            kind="estimator",
            name="ma",
            target="gentk_averages.ma:MovingAverage",
            summary="moving average of the batch statistics",
            hint=HINT,
        ),
        gentk.Component(
            kind="estimator",
            name="ema",
            target="gentk_averages.ema:ExponentialAverage",
            summary="moving average with a schedule of its decay, from samples of the first generator",
            hint=HINT,
        ),
        gentk.Component(
            kind="estimator",
            name="window",
            target="gentk_averages.window:Window",
            summary="mean of the statistics of the last batches",
            hint=HINT,
        ),
        gentk.Component(
            kind="estimator",
            name="denoiser",
            target="gentk_averages.denoiser:AffineDenoiser",
            summary="covariances that stay positive, learned by Adam as those of an affine denoiser",
            hint=HINT,
        ),
        gentk.Component(
            kind="estimator",
            name="ama",
            target="gentk_averages.ama:AdamMovingAverage",
            summary="Adam moving average of the gap between data and model (GFMN)",
            hint=HINT,
        ),
        gentk.Component(
            kind="estimator",
            name="queue",
            target="gentk_averages.queue:Queue",
            summary="weighted set of the samples of recent batches, for kernels",
            hint=HINT,
        ),
    ]
