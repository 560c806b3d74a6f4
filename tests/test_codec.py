"""Codecs: frozen auto-encoders, one on top of another, and what sees codes or images."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gentk.builtin.identity import Identity
from gentk.builtin.pixels import Pixels
from gentk.codec import Codec
from gentk.errors import Incompatible
from gentk.feature_space import FeatureSpace
from gentk.interfaces import Encoder, Generator, ImageShape
from gentk.prior import Prior


class Map(Encoder):
    """An encoder of orthogonal rows, so that its transpose decodes what it encodes."""

    code_range = "unit"

    def __init__(self, image, latent, *, signed=False):
        super().__init__()
        self.image, self.latent = image, latent
        self.range = "signed" if signed else "unit"
        size = image.channels * image.height * image.width
        self.weight = nn.Parameter(torch.eye(latent, size))

    def forward(self, images):
        return images.flatten(1) @ self.weight.T


class Transpose(Generator):
    """x = W^T h in unit range."""

    range = "unit"

    def __init__(self, encoder):
        super().__init__()
        self.image, self.prior = encoder.image, Prior("uniform", encoder.latent)
        self.weight = nn.Parameter(encoder.weight.detach().clone())

    def forward(self, latents):
        return (latents @ self.weight).unflatten(1, self.image)


IMAGE = ImageShape(1, 2, 2)


def codec(image=IMAGE, latent=3, inner=None):
    encoder = Map(image, latent)
    return Codec(encoder, Transpose(encoder), inner)


def test_codes_are_images_of_one_pixel():
    """(N, C, H, W) becomes (N, d, 1, 1), and decoding goes the way back."""
    one = codec()
    images = torch.rand(5, 1, 2, 2)
    images[:, :, 1, 1] = 0

    assert one.encode(images).shape == (5, *one.shape) == (5, 3, 1, 1)
    torch.testing.assert_close(one.decode(one.encode(images)), images)


def test_a_codec_on_top_of_another_goes_through_both():
    """The second encoder's images are the first one's codes."""
    first = codec()
    second = codec(first.shape, 2, first)
    images = torch.rand(4, 1, 2, 2)
    codes = second.encode(images)

    assert codes.shape == (4, 2, 1, 1) and second.image == (1, 2, 2)
    torch.testing.assert_close(codes.flatten(1), images.flatten(1)[:, :2])
    torch.testing.assert_close(second.decode(codes).flatten(1)[:, :2], images.flatten(1)[:, :2])
    assert second.fingerprint() != first.fingerprint()


def test_a_codec_is_frozen_and_differentiable():
    """Weights receive nothing, codes do, and train() changes nothing."""
    one = codec().train()
    codes = torch.rand(2, 3, 1, 1, requires_grad=True)
    one.decode(codes).sum().backward()

    assert not one.training and codes.grad is not None
    assert all(p.grad is None and not p.requires_grad for p in one.parameters())


def test_unbounded_codes_are_refused():
    """A generator has a range; codes without one fit none."""
    encoder = Map(ImageShape(1, 2, 2), 3)
    encoder.code_range = None

    with pytest.raises(Incompatible, match=r"codes of ae are unbounded.*output=sigmoid"):
        Codec(encoder, Transpose(encoder), name="ae")


def test_identity_sees_codes_and_other_extractors_images():
    """On the model's side codes are decoded for those that see images; on the data's, encoded."""
    one = codec()
    space = FeatureSpace({"identity": Identity(), "pixels": Pixels()}, 1, codec=one)
    codes = torch.rand(4, 3, 1, 1, requires_grad=True)
    model = space(codes, "unit")
    images = torch.rand(4, 1, 2, 2)
    data = space.of_images(images)

    torch.testing.assert_close(model["identity/samples"], codes)
    torch.testing.assert_close(model["pixels/pixels"], one.decode(codes))
    torch.testing.assert_close(data["identity/samples"], one.encode(images))
    torch.testing.assert_close(data["pixels/pixels"], images)
    signed = space(codes * 2 - 1, "signed")
    torch.testing.assert_close(signed["identity/samples"], codes)


def test_without_a_codec_identity_is_pixels():
    """The generator makes images, so what it makes is the image."""
    images = torch.rand(3, 1, 2, 2)
    space = FeatureSpace({"identity": Identity(), "pixels": Pixels()}, 1)

    found = space(images * 2 - 1, "signed")
    torch.testing.assert_close(found["identity/samples"], found["pixels/pixels"])
