"""docs/python.md: its examples run, and its parts answer wrong arguments in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import gentk
from gentk.errors import GentkError
from gentk.summary import MomentSums, Samples
from gentk_averages.ama import AdamMovingAverage
from gentk_mmd.discrepancy import mmd2
from gentk_mmd.kernels import Gaussian, Laplacian
from gentk_mmd.kid import KernelDistance
from gentk_moments.frechet import FrechetDistance
from gentk_timm.extractor import TimmExtractor

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
BLOCKS = re.findall(r"^## (.+?)$.*?^```python\n(.+?)^```", PAGE.read_text(), re.M | re.S)


def test_the_examples_run_from_top_to_bottom(tmp_path, monkeypatch, own_cache, one_thread):
    """Each within a screen, with what the ones above have imported and trained."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for heading, source in BLOCKS:
        assert len(source.splitlines()) <= 20, heading
        exec(compile(source, heading, "exec"), names)

    assert len(BLOCKS) == 13
    assert names["value"].ndim == 0
    assert (tmp_path / "loss.png").stat().st_size > 0
    assert names["run"].result["steps"] == 20
    assert names["longer"].result["steps"] == 20
    assert len(names["sweep"].rows) == 6
    assert set(names["sweep"].refused) == {"loss=mmd estimator=ama"}


X = torch.zeros(4, 3)
SUMS = FrechetDistance().summarise({"x": torch.randn(9, 3)})
OTHERS = FrechetDistance().summarise({"y": torch.randn(9, 2)})
EXTRACTOR = TimmExtractor("test_resnet.r160_in1k", weights="none", last=1)


def started():
    """An estimator that follows a mean of three features."""
    estimator = AdamMovingAverage()
    estimator.start({"mean": X[0]})
    return estimator


WRONG = {
    "kernel": lambda: mmd2(X, X, "gaussian"),
    "Gaussian": lambda: mmd2(X, X, Gaussian),
    "x is": lambda: mmd2(X.tolist(), X, Gaussian([1.0])),
    "y is": lambda: mmd2(X, X.numpy(), Gaussian([1.0])),
    "x_weights": lambda: mmd2(X, X, Gaussian([1.0]), x_weights=torch.ones(3)),
    "y_weights": lambda: mmd2(X, X, Gaussian([1.0]), y_weights=torch.ones(4, 1)),
    "bandwidths.*1.5": lambda: Gaussian(1.5),
    "bandwidths.*\\[\\]": lambda: Laplacian([]),
    "bandwidths.*-1": lambda: Gaussian([2.0, -1.0]),
    "dict.*tensor \\(4, 3\\)": lambda: FrechetDistance().summarise(X),
    "dict": lambda: KernelDistance().summarise([X]),
    "layer 'a'": lambda: Samples.of({"a": torch.zeros(4)}),
    "layer 'b'": lambda: MomentSums.of({"b": [1.0, 2.0]}),
    "a 4, b 5": lambda: Samples.of({"a": X, "b": torch.zeros(5, 3)}),
    "x \\(3\\).*y \\(3\\)": lambda: Samples.of({"x": X}) + Samples.of({"y": X}),
    "sample is a summary": lambda: FrechetDistance().values(SUMS, X),
    "x \\(3\\).*y \\(2\\)": lambda: FrechetDistance().values(SUMS, OTHERS),
    "reference is a summary": lambda: KernelDistance().values(X, X),
    "statistics": lambda: AdamMovingAverage().start(X),
    "\\(4, 3\\) of the model": lambda: started()({"mean": X}, {"mean": X[0]}),
    "images are a tensor": lambda: gentk.tile(X.numpy()),
    "takes a tensor": lambda: EXTRACTOR(X.numpy()),
    "Tensor cannot be evaluated": lambda: gentk.evaluate(X, against="digits"),
    "int is no run": lambda: gentk.compare(3),
    "start": lambda: AdamMovingAverage()({"mean": X[0]}, {"mean": X[0]}),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_argument_is_answered_in_a_sentence(words):
    """What is wrong and what to write, as an error of gentk's."""
    with pytest.raises(GentkError, match=words) as caught:
        WRONG[words]()

    assert ";" in str(caught.value)
    assert "\n" not in str(caught.value)
