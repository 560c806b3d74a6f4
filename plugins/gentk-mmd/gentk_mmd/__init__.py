"""gentk-mmd: what kernels say of two sets of samples."""

from __future__ import annotations

import gentk.spec as gentk

HINT = "pip install gentk-mmd"


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the losses on kernels and the metrics `kid`, `mmd` and `parzen`."""
    return [
        gentk.Component(
            kind="loss",
            name="mmd",
            target="gentk_mmd.loss:MMDLoss",
            summary="maximum mean discrepancy of features, exact or by explicit features (GMMN)",
            hint=HINT,
        ),
        gentk.Component(
            kind="loss",
            name="feasible-set",
            target="gentk_mmd.feasible:FeasibleSetLoss",
            summary="a hinge on the gap of mean features, beside an MMD on a critic's (MMD GAN)",
            hint=HINT,
        ),
        gentk.Component(
            kind="loss",
            name="repulsive",
            target="gentk_mmd.repulsive:RepulsiveLoss",
            summary="a game of kernel means in which the critic drives real codes apart",
            hint=HINT,
        ),
        gentk.Component(
            kind="metric",
            name="kid",
            target="gentk_mmd.kid:KernelDistance",
            summary="unbiased MMD^2 of pooled features, cubic kernel (KID in any features)",
            hint=HINT,
        ),
        gentk.Component(
            kind="metric",
            name="mmd",
            target="gentk_mmd.metric:Discrepancy",
            summary="MMD^2 of pooled features under a kernel of choice",
            hint=HINT,
        ),
        gentk.Component(
            kind="metric",
            name="parzen",
            target="gentk_mmd.parzen:Parzen",
            summary="log-likelihood of test images under a Parzen window on samples (GMMN)",
            hint=HINT,
        ),
    ]
