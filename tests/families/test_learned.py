"""Runs on features of their own critic: `--extractor critic`."""

from __future__ import annotations

import re

import pytest
import torch

import gentk
from gentk.errors import BadOption, Incompatible, NonFinite, UnknownName
from gentk.evaluation.judges import _beside
from gentk.families.learned import architecture
from gentk.feature_space import FeatureSpace
from gentk.interfaces import ImageShape
from gentk.registry import Registry
from gentk.runs.rehearsal import rehearse
from gentk.runs.resolving import resolve_recipe
from gentk.runs.trained import load
from gentk_gans.cnn import CNNCritic

from .test_several import tensors

NAMES = Registry()

SMALL = {
    "data": "digits,size=32,limit=60",
    "extractor": ["critic"],
    "generator": "mlp,latent=4,widths=8",
    "critic": "sngan-cnn,width=2",
    "loss": "mmd",
    "estimator": "batch",
    "batch": 8,
    "optimizer": "adam,lr=1e-3",
    "decay": "none",
    "ema": "none",
    "device": "cpu",
    "observers": [],
    "steps": 2,
}


def run(**changes):
    return gentk.run("gfmn", **{**SMALL, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"chunk": 3, "extractor": ["critic", "pixels"]},
        {"loss": "moments,covariance=none", "phase": {"critic": {"loss": "logistic"}}},
        {"loss": ["hinge", "moments,factor=0.1"], "penalty": ["gradient"]},
    ],
    ids=str,
)
def test_a_resumed_contest_ends_with_the_same_bits(tmp_path, changes):
    """2 steps and 2 more equal 4 at once; its own critic's weights are no other weights."""
    run(out=str(tmp_path / "a"), **changes)
    resumed = run(out=str(tmp_path / "a"), **{**changes, "steps": 4})
    whole = run(out=str(tmp_path / "b"), **{**changes, "steps": 4})
    mine, theirs = tensors(resumed), tensors(whole)
    assert mine.keys() == theirs.keys() and any(name.startswith("/critic") for name in mine)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert resumed.sample(2).shape == (2, 1, 32, 32)


@pytest.mark.parametrize(
    ("changes", "error", "names"),
    [
        ({"estimator": "ma"}, Incompatible, ["ma", "--estimator batch"]),
        ({"estimator": "queue"}, Incompatible, ["queue", "--estimator batch"]),
        ({"critic": None}, Incompatible, ["mmd", "--critic"]),
        ({"loss": "mmd,bandwidths=median"}, Incompatible, ["median", "bandwidths"]),
        ({"loss": "mmd,features=nystrom+8"}, Incompatible, ["nystrom", "explicit"]),
        ({"extractor": ["critic,layers=no"]}, UnknownName, ["no", "critic,layers=pooled"]),
        ({"extractor": ["critic,layer=a"]}, BadOption, ["layer"]),
        ({"loss": "reconstruction", "encoder": "mlp"}, Incompatible, ["critic"]),
        ({"phase": {"critic": {"loss": "moments"}}}, Incompatible, ["moments", "AdversarialLoss"]),
        (
            {"phase": {"generator": {"loss": "hinge"}}},
            Incompatible,
            ["generator", "leave loss out"],
        ),
        (
            {"loss": ["hinge", "moments"], "phase": {"critic": {"loss": "hinge"}}},
            Incompatible,
            ["leave loss out"],
        ),
        ({"reference": 16}, Incompatible, ["--reference"]),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_before_anything_trains(tmp_path, changes, error, names):
    """By `--dry-run`, in a sentence that names what to type."""
    flags = {k: v for k, v in {**SMALL, **changes}.items() if k != "observers"}
    resolved = resolve_recipe("gfmn", flags, registry=NAMES)
    with pytest.raises(error) as fault:
        rehearse(resolved, NAMES)
    assert all(name in str(fault.value) for name in names)


MOLM = {
    "data": "digits,size=16,limit=60",
    "critic": "molm,width=2",
    "loss": "moments,covariance=none",
    "phase": {"critic": {"loss": "logistic"}},
}
WITNESS = {"penalty": ["gradient,of=witness"]}
GAME = {"loss": "hinge", "extractor": None, "estimator": None}
AUGMENTED = 'augmented:"mmdgan-autoencoder,width=2,code=2"'


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({**WITNESS, "chunk": 3}, r"gradient.* --chunk none"),
        ({**WITNESS, **GAME}, r"witness.* of=witness"),
        ({**WITNESS, "loss": "fd"}, r"witness.* --loss"),
        ({"loss": "moments,balance=floor"}, "balance=equal"),
        ({"loss": "drift"}, r"phase\.critic"),
        ({**MOLM, "loss": "mmd"}, r"MomentSums.* --loss"),
        ({**MOLM, "extractor": ["critic", "pixels"]}, "balance=equal"),
        ({**MOLM, "extractor": ["critic,layers=conv1"]}, "layers=conv1"),
        ({**GAME, "loss": "repulsive,layers=none-such"}, "layers=pooled"),
        ({**GAME, "penalty": ["autoencoder"]}, "mmdgan-autoencoder"),
        ({**MOLM, "loss": "moments"}, "covariance=none"),
        ({**MOLM, "loss": "fd"}, "covariance=none"),
        ({**MOLM, **WITNESS, "phase": {}}, "of=witness"),
        ({**GAME, "critic": AUGMENTED, "penalty": ["autoencoder"]}, "augmented:"),
        ({"loss": "fd,layers=each"}, "leave layers=each"),
        ({**GAME, "phase": {"generator": {"penalty": "weight-gradient"}}}, r"phase\.critic"),
    ],
    ids=str,
)
def test_a_rehearsal_refuses_what_a_step_would(tmp_path, changes, words):
    """Without data or weights: `--dry-run` says what the first step would."""
    flags = {k: v for k, v in {**SMALL, **changes}.items() if k != "observers"}
    with pytest.raises(Incompatible, match=words):
        rehearse(resolve_recipe("gfmn", {**flags, "out": str(tmp_path)}, registry=NAMES), NAMES)


@pytest.mark.parametrize("layers", ["conv1", "conv1+conv2"])
def test_a_run_refuses_layers_of_a_critic_that_summarises_by_itself(tmp_path, layers):
    """They would choose nothing."""
    with pytest.raises(Incompatible, match=re.escape(f"layers={layers}")):
        run(out=str(tmp_path / "run"), **MOLM, extractor=[f"critic,layers={layers}"])


@pytest.mark.parametrize("chunk", [None, 3])
def test_a_run_refuses_variances_of_a_critic_that_summarises_means(tmp_path, chunk):
    """The default of `moments`, in a sentence rather than an error of Python's."""
    with pytest.raises(Incompatible, match=r"covariance='none'|covariance=none"):
        run(out=str(tmp_path / "run"), **{**MOLM, "loss": "moments"}, chunk=chunk)


def test_a_witness_at_the_data_is_that_of_their_classes(tmp_path):
    """A critic that looks at classes is given those of the images whose slope is penalised."""
    run(
        out=str(tmp_path / "run"),
        generator="mlp,latent=4,widths=8,classes=10",
        critic="biggan,width=2,classes=10",
        penalty=["gradient,of=witness,at=data", "gradient,of=witness,at=model"],
    )


@pytest.mark.parametrize("chunk", [None, 3])
def test_a_layer_of_the_critic_that_overflows_is_named(tmp_path, monkeypatch, chunk):
    """Its layer, before the gradients and weights that break by it."""
    judge = CNNCritic.judge

    def overflowing(self, *given):
        scores, features = judge(self, *given)
        return scores, {name: value * torch.inf for name, value in features.items()}

    monkeypatch.setattr(CNNCritic, "judge", overflowing)
    with pytest.raises(NonFinite, match=r"layer pooled of the extractor critic .* step 1"):
        run(out=str(tmp_path / "run"), chunk=chunk)


def test_features_of_a_critic_are_nothing_to_judge_by(tmp_path):
    """There is no critic outside of its run's training."""
    own = {"loss": "mmd,balance=equal", "extractor": ["critic", "pixels,weight=2"]}
    done = run(out=str(tmp_path / "a"), **own)
    with pytest.raises(Incompatible, match="critic"):
        done.evaluate(extractors="critic", count=8)
    beside = _beside(load(tmp_path / "a", registry=NAMES), NAMES)
    assert beside == ["pixels"]


def test_another_architecture_or_layer_is_another_fingerprint():
    """Weights do not count: sizes, class and layers do."""
    image = ImageShape(1, 32, 32)

    def told(text, layers="critic"):
        critic = NAMES.build("critic", text, image=image, latent=4)[0]
        space = FeatureSpace({"critic": NAMES.build("extractor", layers)[0]}, 1)
        space.architecture = architecture(critic)
        return space.fingerprint()

    assert told("sngan-cnn,width=2") == told("sngan-cnn,width=2")
    others = {told("sngan-cnn,width=4"), told("sngan-cnn,width=2", "critic,layers=pooled")}
    assert len({told("sngan-cnn,width=2"), *others}) == 3
