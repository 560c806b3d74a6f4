"""gentk's own components pass the suites that everybody's are measured by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gentk.first_party import FIRST_PARTY
from gentk.interfaces import ImageShape
from gentk.selection import Selection
from gentk.testing import SUITES, examine

ROOT = Path(__file__).parents[2]
SMALL = {"image": ImageShape(1, 16, 16)}
COMPONENTS = [
    ("extractor", "pixels", {}),
    ("extractor", "pixels,range=signed", {}),
    ("extractor", "identity", {}),
    ("extractor", "timm:resnet10t,weights=none,last=3", {"image": ImageShape(3, 32, 32)}),
    ("generator", "mlp,widths=16", SMALL),
    ("generator", "dcgan", {}),
    ("generator", "resnet,width=8", SMALL),
    ("encoder", "mlp,widths=16", SMALL),
    ("encoder", "dcgan", {}),
    ("encoder", "vgg", {}),
    ("loss", "moments", {}),
    ("loss", "moments,covariance=full,normalise=layer", {}),
    ("loss", "reconstruction", {}),
    ("loss", "reconstruction,distance=laplacian", {}),
    ("loss", "mmd", {}),
    ("loss", "mmd,features=rff+64", {}),
    ("loss", "mmd,bandwidths=median,layers=each", {}),
    ("loss", "fd", {}),
    ("loss", "fd,layers=each,project=4", {}),
    ("loss", "sliced,projections=16", {}),
    ("loss", "mmd,kernel=energy,pairs=linear", {}),
    ("loss", "mmd,features=nystrom+16,hybrid=true,bandwidths=median", {}),
    ("loss", "gaussian-kl", {}),
    ("loss", "gaussian-kl,covariance=layers", {}),
    ("loss", "gaussian-kl,covariance=diagonal,pool=none", {}),
    ("loss", "gaussian-kl,components=2", {}),
    ("loss", "gaussian-kl,components=2,covariance=layers", {}),
    ("loss", "drift", {}),
    ("loss", "drift,per-class=true,guidance=2", {}),
    ("loss", "coupling,iterations=0,pairs=halves", {}),
    ("loss", "coupling,iterations=0.5,cost=quadratic", {}),
    ("estimator", "batch", {}),
    ("estimator", "ma", {}),
    ("estimator", "ama", {}),
    ("estimator", "ama,seeding=8", {}),
    ("estimator", "ma,exclude=true", {}),
    ("estimator", "ema,seeding=8,decay=0.9+0.99,between=2+5", {}),
    ("estimator", "window,batches=3", {}),
    ("estimator", "denoiser", {}),
    ("estimator", "queue,size=8", {}),
    ("generator", "bigan,widths=16", SMALL),
    ("generator", "ali", {"image": ImageShape(3, 32, 32)}),
    ("generator", "biggan,width=4,latent=8,attention=16", {"image": ImageShape(3, 32, 32)}),
    ("generator", "biggan,width=4,latent=8,embed=4,classes=3", {"image": ImageShape(3, 32, 32)}),
    ("generator", "sngan-cnn,width=4,latent=8", {"image": ImageShape(3, 32, 32)}),
    ("generator", "sngan-resnet,width=8,latent=8", {"image": ImageShape(3, 32, 32)}),
    ("critic", "sngan-cnn,width=4", {"image": ImageShape(3, 32, 32)}),
    ("critic", "sngan-resnet,width=8", {"image": ImageShape(3, 32, 32)}),
    ("critic", "sngan-cnn,width=4,outputs=3", {"image": ImageShape(3, 32, 32)}),
    ("critic", "mmdgan-autoencoder,width=4,code=6", {"image": ImageShape(3, 32, 32)}),
    ("critic", "mmdgan-dcgan,width=4", {"image": ImageShape(3, 32, 32)}),
    ("critic", "molm,width=2", {"image": ImageShape(3, 16, 16)}),
    ("encoder", "bigan,widths=16", SMALL),
    ("encoder", "ali", {"image": ImageShape(3, 32, 32)}),
    ("encoder", "resnet,depth=10,width=0.25,hidden=16", SMALL),
    ("encoder", "revnet,depth=18,width=0.25,hidden=16", SMALL),
    ("critic", "bigan,widths=16+16", SMALL),
    ("critic", "bigan,widths=16,injected=false", SMALL),
    ("critic", "dcgan,width=4,extra=1,decay=1e-3", {"image": ImageShape(3, 32, 32)}),
    ("critic", "mlp,widths=16+8", SMALL),
    ("critic", "mlp,widths=16,spectral=true", SMALL),
    ("critic", "ali", {"image": ImageShape(3, 32, 32)}),
    ("critic", "biggan,width=4", {"image": ImageShape(3, 32, 32)}),
    ("critic", "fhj,width=4,hidden=16,blocks=1", {"image": ImageShape(3, 32, 32)}),
    ("loss", "hinge", {}),
    ("loss", "logistic", {}),
    ("loss", "latent-regressor", {}),
    ("loss", "wasserstein", {}),
    ("loss", "repulsive,layers=hidden", {}),
    ("loss", "fisher,rho=1e-3", {}),
    ("loss", "denoising,widths=16+16", {"critic": "mlp,widths=16+16"}),
    ("loss", "denoising,widths=16,norm=false", {"critic": "mlp,widths=16"}),
    ("loss", "classifier,classes=6", {"critic": "mlp,widths=6"}),
    ("penalty", "gradient", {}),
    ("penalty", "activations", {}),
    ("penalty", "weight-gradient", {}),
    ("penalty", "gradient,at=data,target=0", {}),
    ("penalty", "gradient,at=model,sided=above", {"scores": ("x", "xz")}),
    ("family", "matching", {}),
    ("family", "matching", {"loss": "gentk-partner-samples"}),
    ("family", "autoencoding", {}),
    ("family", "adversarial", {"loss": "denoising"}),
    ("family", "adversarial", {"loss": "hinge"}),
    ("family", "adversarial", {"loss": "latent-regressor"}),
    ("data", "digits", {}),
    ("metric", "fd", {}),
    ("metric", "kid,subset_size=20,subsets=3", {}),
    ("metric", "mmd", {}),
    ("metric", "prdc,k=3", {}),
    ("metric", "mind", {}),
    ("metric", "is,splits=2", {}),
    ("metric", "memorised", {}),
    ("metric", "probe", {}),
    ("metric", "probe,features=crelu,classifier=neighbours,k=3", {}),
    ("metric", "parzen", {}),
    ("observer", "progress", {}),
    ("observer", "metrics", {}),
    ("observer", "grids", {}),
]


STEPS = ("extractor", "generator", "encoder", "critic", "loss", "penalty", "estimator", "family")
"""Kinds that have a part in steps."""

APART = {
    ("extractor", "critic"): "tests/turns.py",
    ("extractor", "inception"): "plugins/gentk-metrics/tests/test_inception.py",
    ("extractor", "run"): "tests/runs",
    ("critic", "augmented"): "plugins/gentk-games/tests/test_augmented.py",
    ("loss", "feasible-set"): "tests/turns.py",
    ("penalty", "autoencoder"): "tests/turns.py",
}
"""What needs more than a suite gives, and where it is tried."""


def failures(kind: str, spec: str, **attributes: object) -> dict[str, str]:
    """The checks that a component fails, with the reasons."""
    suite = type("Suite", (SUITES[kind],), {"spec": spec, **attributes})
    verdicts = list(examine(suite))
    assert sum(v.outcome == "passed" for v in verdicts) >= 12
    return {v.name: v.reason for v in verdicts if v.outcome == "failed"}


@pytest.mark.parametrize(
    ("kind", "spec", "attributes"), COMPONENTS, ids=[f"{k}-{s}" for k, s, _ in COMPONENTS]
)
def test_own_components_pass(kind, spec, attributes):
    """No check fails."""
    assert failures(kind, spec, **attributes) == {}


def test_every_component_of_steps_is_tried():
    """None is left out: each passes a suite here, or is tried where `APART` says."""
    tried = {(kind, Selection.parse(spec).name) for kind, spec, _ in COMPONENTS}
    own = {
        (kind, name)
        for kinds in FIRST_PARTY.values()
        for kind in STEPS
        for name in kinds.get(kind, ())
    }

    assert own - tried == APART.keys()
    assert all((ROOT / place).exists() for place in APART.values())


def test_own_sources_of_files_pass(tmp_path):
    """So it is with data that are read from files."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (30, 9, 9, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels, labels=np.arange(30) % 3)
    for index, image in enumerate(pixels):
        path = tmp_path / "folder" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)

    assert failures("data", f"npz:{tmp_path / 'images.npz'}") == {}
    assert failures("data", f"folder:{tmp_path / 'folder'}") == {}
