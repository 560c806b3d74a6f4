"""gentk-metrics: how near, how varied and how new samples are."""

from __future__ import annotations

import gentk.spec as gentk

HINT = "pip install gentk-metrics"


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the metrics `prdc`, `mind`, `is` and `memorised`, and the extractor `inception`."""
    return [
        gentk.Component(
            kind="metric",
            name="prdc",
            target="gentk_metrics.prdc:PRDC",
            summary="precision, recall, density and coverage by nearest neighbours",
            hint=HINT,
        ),
        gentk.Component(
            kind="metric",
            name="mind",
            target="gentk_metrics.sliced:SlicedDistance",
            summary="sliced Wasserstein distance of pooled features (MIND in any features)",
            hint=HINT,
        ),
        gentk.Component(
            kind="metric",
            name="is",
            target="gentk_metrics.score:InceptionScore",
            summary="Inception Score of a classifier's logits",
            hint=HINT,
        ),
        gentk.Component(
            kind="metric",
            name="memorised",
            target="gentk_metrics.memorised:Memorised",
            summary="share of samples closer to the training set than held-out data are",
            hint=HINT,
        ),
        gentk.Component(
            kind="extractor",
            name="inception",
            target="gentk_metrics.inception:Inception",
            summary="the Inception network of published FID, KID and IS, by torch-fidelity",
            hint="pip install 'gentk-metrics[fidelity]'",
            ready="gentk_metrics.ready:ready",
        ),
    ]
