"""Conditional generators: classes by concatenation (`mlp`) and by conditional batch norm."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption
from gentk.interfaces import ImageShape
from gentk_nets.conditional import ClassNorm
from gentk_nets.dcgan import DCGANGenerator
from gentk_nets.mlp import MLPGenerator
from gentk_nets.resnet import ResNetGenerator

IMAGE = ImageShape(3, 32, 32)
KINDS = {
    "mlp": lambda **own: MLPGenerator(image=IMAGE, latent=6, widths=(8,), **own),
    "dcgan": lambda **own: DCGANGenerator(image=IMAGE, latent=6, width=4, **own),
    "resnet": lambda **own: ResNetGenerator(image=IMAGE, latent=6, width=4, **own),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_class_changes_the_image_once_its_weights_differ(kind):
    """Latents carry a one-hot class; gradients of a class reach that class's weights only."""
    torch.manual_seed(0)
    generator = KINDS[kind](classes=3)
    assert generator.prior.classes == 3
    latents = generator.prior.draw(8, label=1)
    generator(latents).square().sum().backward()
    norms = [m for m in generator.modules() if isinstance(m, ClassNorm)]
    assert (kind == "mlp") == (not norms)
    for norm in norms:
        assert norm.gain.grad[1].any()
        assert not norm.gain.grad[[0, 2]].any() and not norm.bias.grad[[0, 2]].any()
        torch.nn.init.normal_(norm.gain)
    generator.eval()
    with torch.no_grad():
        other = latents.clone()
        other[:, 6:] = latents[:, 6:].roll(1, 1)
        assert (generator(latents) - generator(other)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_without_classes_nothing_is_drawn_or_named_otherwise(kind):
    """`classes=0` is the network of before: same names, same first weights."""
    torch.manual_seed(0)
    plain = KINDS[kind]()
    torch.manual_seed(0)
    zero = KINDS[kind](classes=0)
    assert list(plain.state_dict()) == list(zero.state_dict())
    assert not any("gain" in name for name in plain.state_dict())
    with pytest.raises(BadOption, match="classes"):
        KINDS[kind](classes=-1)


def test_the_norm_is_its_formula():
    """gain_c (x - mean) / sqrt(var + eps) + bias_c, float64."""
    torch.manual_seed(0)
    norm = ClassNorm(4, 3).double()
    for parameter in norm.parameters():
        torch.nn.init.normal_(parameter)
    x, labels = torch.randn(6, 4, 2, 2, dtype=torch.float64), torch.tensor([0, 1, 2, 2, 1, 0])
    mean = x.mean((0, 2, 3), keepdim=True)
    root = (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    expected = norm.gain[labels][..., None, None] * (x - mean) / root
    expected = expected + norm.bias[labels][..., None, None]
    torch.testing.assert_close(norm(x, labels), expected, rtol=1e-10, atol=1e-12)
