"""Auto-encoding: the step is the gradient of the mean reconstruction loss, chunked or not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gentk.builtin.sources.digits import Digits
from gentk.data import Minibatches, View, open_images
from gentk.engine import Autoencoding
from gentk.interfaces import Encoder, Generator, ImageShape, ReconstructionLoss
from gentk.prior import Prior

IMAGE = ImageShape(1, 8, 8)


class Linear(Encoder):
    """E(x) = sigmoid(W x), in signed range."""

    code_range = "unit"

    def __init__(self) -> None:
        super().__init__()
        self.image, self.latent = IMAGE, 3
        self.map = nn.Linear(64, 3)

    def forward(self, images):
        return torch.sigmoid(self.map(images.flatten(1)))


class Decoder(Generator):
    """G(h) = tanh(V h)."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.prior = IMAGE, Prior("normal", 3)
        self.map = nn.Linear(3, 64)

    def forward(self, latents):
        return torch.tanh(self.map(latents)).unflatten(1, IMAGE)


class Square(ReconstructionLoss):
    """Mean over samples of the squared distance, and the size of what was made."""

    def forward(self, images, reconstruction):
        assert images.min() >= 0 and reconstruction.min() >= 0
        gap = (images - reconstruction).square().flatten(1).sum(1).mean()
        return {"square": gap, "size": 0.1 * reconstruction.square().flatten(1).sum(1).mean()}


def parts(chunk=None):
    torch.manual_seed(0)
    images = open_images(Digits(), "digits", View(limit=50))
    batches = Minibatches(images, 21, seed=3)
    encoder, decoder = Linear(), Decoder()
    return Autoencoding(encoder, decoder, [("", Square(), 1.0)], batches, chunk=chunk), batches


@pytest.mark.parametrize("chunk", [None, 21, 8, 1])
def test_the_step_is_the_gradient_of_the_mean_loss(chunk):
    """Whatever the chunks, gradients and logged terms are those of the formula written out."""
    step, batches = parts(chunk)
    shown = step()
    found = [p.grad.clone() for m in (step.encoder, step.generator) for p in m.parameters()]

    again, batches = parts()
    x = next(batches)
    made = (again.generator(again.encoder(2 * x - 1)) + 1) / 2
    square = (x - made).square().sum((1, 2, 3)).mean()
    size = 0.1 * made.square().sum((1, 2, 3)).mean()
    (square + size).backward()
    expected = [p.grad for m in (again.encoder, again.generator) for p in m.parameters()]
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(shown["loss"], (square + size).detach())
    torch.testing.assert_close(shown["loss/size"], size.detach())
    assert set(shown) == {"loss", "loss/square", "loss/size"}


def test_every_step_sees_the_next_minibatch():
    """Two steps differ, and a restored order repeats the second."""
    step, batches = parts()
    step()
    state = batches.state_dict()
    second = step()["loss"]
    other, batches = parts()
    batches.load_state_dict(state)

    assert torch.equal(other()["loss"], second)
