"""Settled: what a run's record already answers, and what it no longer does."""

from __future__ import annotations

import pytest

import gentk
from gentk.evaluation.plan import Context, Plan
from gentk.evaluation.settled import judge
from gentk.registry import Registry

COMMON = {"data": "digits,limit=200", "batch": 16, "device": "cpu", "observer": []}


def test_a_value_in_features_of_weights_that_are_gone_is_measured_again(tmp_path):
    """An encoder that was trained on is another judge; as long as it stays, nothing is judged twice."""
    nets = {"generator": "mlp,widths=16,latent=8"}

    def encoder(steps):
        own = {"loss": "reconstruction", "encoder": "mlp,widths=16", "steps": steps}
        gentk.run(**COMMON, **nets, **own, out=tmp_path / "encoder")

    encoder(2)
    run = gentk.run(**COMMON, **nets, extractor="pixels", steps=2, out=tmp_path / "run")
    plan = Plan("digits,split=test", ("fd",), (f"run:{tmp_path / 'encoder'},layers=code",), 50)

    def asked():
        return judge(run.folder.path, 2, plan, Context(Registry(), "cpu"))

    first, second = asked(), asked()
    assert first.evaluation is not None
    assert second.evaluation is None
    assert second.measurements == first.measurements
    encoder(60)
    third = asked()
    assert third.evaluation is not None
    assert third.measurements[0].value != pytest.approx(first.measurements[0].value, rel=1e-3)
    assert asked().measurements == third.measurements
