"""The critics of MMD GANs: sizes, codes, what a clamp covers, normalised weights with a gain."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import ImageShape
from gentk_gans.cnn import CNNCritic
from gentk_gans.mmdgan import AutoencodingCritic, StridedCritic

COLOUR = ImageShape(3, 32, 32)


def count(network: torch.nn.Module) -> int:
    """The number of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameters_are_as_many_as_the_layers_say() -> None:
    """Convolutions without bias 3-64-128-256-128 and back, gains and biases of batch norms; 5x5
    convolutions with biases 3-64-128-256-512 and a linear layer of the 2x2 map.
    """
    maps = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 128)
    norms = 2 * (128 + 256) + 2 * (64 + 128 + 256)
    assert count(AutoencodingCritic(image=COLOUR, latent=128)) == 2 * maps + norms
    convolutions = sum(25 * a * b + b for a, b in ((3, 64), (64, 128), (128, 256), (256, 512)))
    critic = StridedCritic(image=COLOUR, latent=100)
    assert count(critic) == convolutions + 4 * 512 * 16 + 16


@pytest.mark.parametrize("side", [32, 64])
def test_the_autoencoder_makes_images_again(side: int) -> None:
    """Codes, images of the same shape within (-1, 1), and a score that is minus the error."""
    critic = AutoencodingCritic(image=ImageShape(3, side, side), latent=5, width=4, code=7)
    images = torch.rand(3, 3, side, side) * 2 - 1
    scores, features = critic.judge(images)
    assert features["code"].shape == (3, 7)
    again = features["reconstruction"]
    assert again.shape == images.shape and again.abs().max() < 1
    torch.testing.assert_close(scores["x"], -(images - again).square().mean((1, 2, 3)))


def test_a_clamp_covers_the_encoder_alone() -> None:
    """As in the released code, gains of its norms among them."""
    critic = AutoencodingCritic(image=COLOUR, latent=5, width=4)
    covered = {id(weight) for weight in critic.clamped()}
    names = {name for name, weight in critic.named_parameters() if id(weight) in covered}
    assert names and all(name.startswith("encoder.") for name in names)
    assert len(names) == len([n for n, _ in critic.named_parameters() if n.startswith("encoder.")])
    plain = StridedCritic(image=COLOUR, latent=5, width=4)
    assert len(list(plain.clamped())) == len(list(plain.parameters()))


@pytest.mark.parametrize("side", [16, 32, 48, 64])
def test_the_strided_critic_has_no_batch_mates(side: int) -> None:
    """Codes of a sample are its own, at each size; the score is the code of one output."""
    critic = StridedCritic(image=ImageShape(1, side, side), latent=5, width=4, outputs=1)
    images = torch.rand(3, 1, side, side)
    scores, features = critic.judge(images)
    assert list(features) == ["conv1", "conv2", "conv3", "conv4", "code"]
    torch.testing.assert_close(scores["x"], features["code"].squeeze(1))
    torch.testing.assert_close(critic(images[:1])["x"], scores["x"][:1])


@pytest.mark.parametrize("gain", [1.0, 64 ** (1 / 8)])
def test_normalised_weights_have_the_size_of_the_gain(gain: float) -> None:
    """The largest singular value of every weight, as a matrix, after many power iterations."""
    torch.manual_seed(0)
    critic = CNNCritic(image=COLOUR, latent=5, width=4, gain=gain, outputs=16, plan="code")
    layers = [m for m in critic.modules() if hasattr(m, "parametrizations")]
    assert len(layers) == 8
    for layer in layers:
        norm = layer.parametrizations.weight[0]
        for _ in range(200):
            norm.before_update(layer.parametrizations.weight.original)
        size = torch.linalg.matrix_norm(layer.weight.flatten(1).double(), 2)
        assert size.item() == pytest.approx(gain, rel=1e-3)


def test_the_plans_of_paper_and_code() -> None:
    """Channels in units of the width; several outputs are codes, and one is the score."""

    def widths(plan: str) -> list[int]:
        critic = CNNCritic(image=COLOUR, latent=5, width=1, plan=plan)
        return [m.out_channels for m in critic.modules() if isinstance(m, torch.nn.Conv2d)]

    assert widths("paper") == [1, 1, 2, 2, 4, 4, 8]
    assert widths("code") == [1, 2, 2, 4, 4, 8, 8]
    scores, features = CNNCritic(image=COLOUR, latent=5, width=2, outputs=16).judge(
        torch.rand(2, *COLOUR)
    )
    assert features["code"].shape == (2, 16)
    torch.testing.assert_close(scores["x"], features["code"].mean(1))


def test_odd_options_are_refused() -> None:
    """Sizes that do not fit, numbers that are none."""
    for network in (AutoencodingCritic, StridedCritic):
        with pytest.raises(Incompatible):
            network(image=ImageShape(3, 28, 28), latent=5)
        with pytest.raises(BadOption):
            network(image=COLOUR, latent=5, width=0)
    with pytest.raises(BadOption):
        CNNCritic(image=COLOUR, latent=5, gain=0.0)
