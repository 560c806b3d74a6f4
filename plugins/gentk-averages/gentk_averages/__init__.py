"""gentk-averages: estimators that follow the model's statistics over steps."""

from __future__ import annotations

import gentk.spec as gentk

HINT = "pip install gentk-averages"


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the estimators `ma`, `ama` and `queue`."""
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
