"""Parts of one's own that are not what they have to be, and those that come after a run."""

from __future__ import annotations

import pytest
import torch

import gentk
from gentk.errors import Incompatible
from gentk.field import Field, FieldLoss
from gentk.interfaces import Metric, MetricValue
from gentk.summary import MomentSums, pooled

SHAPES = {
    "pairs": lambda z, real: real[None] - z[:, None],
    "one for all": lambda z, real: real.mean(0),
    "a field of pairs": lambda z, real: Field(real[None] - z[:, None]),
    "nothing": lambda z, real: None,
    "a scalar": lambda z, real: (real - z).mean(),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_field_that_is_no_direction_of_each_feature_is_refused(name):
    """Broadcast, the gradient would be the sum over others' directions, and nothing would tell."""

    class Wrong(FieldLoss):
        def field(self, z, data, model):
            return SHAPES[name](z, data["samples"])

    loss = Wrong()
    z = torch.randn(5, 3, requires_grad=True)
    data = loss.reference(loss.summarise({"x": torch.randn(5, 3)}))
    with pytest.raises(Incompatible, match=r"loss Wrong returns .*field\(\);.*\(5, 3\)"):
        loss.compare(data, {"samples": z})


def test_a_metric_that_comes_after_a_run_is_known_to_it(tmp_path):
    """As in a notebook: train, write a metric, judge; with the objects that the run was made with."""
    network = torch.nn.Sequential(
        torch.nn.Linear(4, 64), torch.nn.Unflatten(1, (1, 8, 8)), torch.nn.Tanh()
    )
    run = gentk.run(
        data="digits,limit=64",
        extractor="pixels",
        generator=network,
        batch=8,
        steps=1,
        device="cpu",
        observer=[],
        out=tmp_path / "run",
    )

    @gentk.register("metric", "came-later")
    class Later(Metric):
        """Is its option, whatever samples are."""

        summary = MomentSums

        def __init__(self, *, number: float = 7.0):
            self.number = number

        def summarise(self, features, like=None):
            return MomentSums.of(pooled(features), "diagonal", like)

        def values(self, reference, sample, **also):
            return [MetricValue("seven", self.number, direction="higher")]

        def fingerprint(self):
            return "came-later-1"

    assert run.evaluate(metrics="came-later", extractors="pixels", count=8)["seven"].value == 7
    run.evaluate(metrics="came-later,number=nan", extractors="pixels", count=8)
    assert "nan" in str(gentk.compare([run]))
