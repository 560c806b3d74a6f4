"""BigGAN's generator and discriminator against the released code's counts, and their parts."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from gentk.engine import Phase
from gentk.engine.schedule import Schedule
from gentk.errors import BadOption, Incompatible
from gentk.events import Progress
from gentk.interfaces import ImageShape
from gentk.spectral import SpectralNorm, normalised
from gentk_bigbigan.attention import SelfAttention
from gentk_bigbigan.critic import BigGANCritic
from gentk_bigbigan.generator import BigGANGenerator, BigGANLayers
from gentk_bigbigan.norm import ConditionalNorm
from gentk_bigbigan.orthogonal import overlap
from gentk_bigbigan.plans import CRITIC, GENERATOR, SIDES
from gentk_bigbigan.trunk import DownBlock, Trunk

SMALL = ImageShape(3, 32, 32)


def size(*networks: nn.Module) -> int:
    """The number of the networks' parameters."""
    return sum(p.numel() for network in networks for p in network.parameters())


@pytest.mark.parametrize(
    ("count", "options"),
    [
        (70_433_988, {"side": 128, "latent": 120, "width": 96, "embed": 128, "classes": 1000}),
        (
            4_668_163,
            {"side": 32, "latent": 128, "width": 64, "embed": 128, "classes": 10, "skip": False},
        ),
        # This count was taken with attention at 32 px, after the block of 4 x 64 channels.
        (31_841_668, {"side": 64, "latent": 120, "width": 64, "embed": 128, "attention": 32}),
    ],
)
def test_the_generators_parameters_are_those_of_the_released_code(count, options):
    """128, 32 and 64 px, with classes and without."""
    with torch.device("meta"):
        assert size(BigGANLayers(channels=3, **options)) == count


@pytest.mark.parametrize(
    ("count", "side", "width", "classes"), [(87_982_370, 128, 96, 1000), (4_207_361, 32, 64, 10)]
)
def test_the_critics_parameters_are_those_of_the_released_code(count, side, width, classes):
    """Without the embedding of classes, which scores without labels do not have."""
    with torch.device("meta"):
        trunk = Trunk(side=side, channels=3, width=width)
    assert size(trunk) + trunk.size + 1 + classes * trunk.size == count


def test_the_components_have_no_parameters_besides():
    """Those of the layers: at 32 px those of SN-GAN's generator, without conditions."""
    generator = BigGANGenerator(image=SMALL, latent=128, skip=False)
    assert size(generator) == 4_276_739
    assert size(BigGANCritic(image=SMALL, latent=7)) == 4_207_361 - 10 * 256


@pytest.mark.parametrize("side", SIDES)
def test_chunks_are_one_more_than_blocks(side):
    """Z is rounded down to a multiple of them, and each block conditions on its own."""
    with torch.device("meta"):
        generator = BigGANGenerator(image=ImageShape(3, side, side), width=8, latent=127)
    chunks = len(generator.layers.blocks) + 1
    assert chunks == len(GENERATOR[side])
    assert generator.prior.dimension == 127 - 127 % chunks
    assert generator.layers.chunk * chunks == generator.prior.dimension


@pytest.mark.parametrize("side", SIDES)
def test_images_and_maps_have_their_sizes(side):
    """32 to 256 px; F sees 4 px at its end, 8 px at 32; attention follows the 64 px maps."""
    image = ImageShape(3, side, side)
    generator = BigGANGenerator(image=image, width=8, latent=20).eval()
    trunk = Trunk(side=side, channels=3, width=8).eval()
    with torch.no_grad():
        made = generator(torch.randn(2, generator.prior.dimension))
        assert made.shape == (2, *image) and made.abs().max() <= 1
        assert trunk(made).shape == (2, 8 * CRITIC[side][-1])
        maps, seen = made, []
        for block in trunk.blocks:
            seen += [maps.shape[-1]] if isinstance(block, SelfAttention) else []
            maps = block(maps)
    assert maps.shape[-1] == (8 if side == 32 else 4)
    assert seen == ([64] if side > 64 else [])
    assert list(generator.layers.attention) == ([] if side == 32 else ["3"])


def test_skip_z_reaches_every_block():
    """Each chunk of z changes the image; the embedding of the constant class stands beside them."""
    torch.manual_seed(0)
    generator = BigGANGenerator(image=SMALL, width=8, latent=8, embed=5).eval()
    z = torch.randn(1, 8)
    with torch.no_grad():
        image = generator(z)
        for chunk in range(4):
            other = z.clone()
            other[:, 2 * chunk : 2 * chunk + 2] += 1
            assert (generator(other) - image).abs().max() > 1e-4
    assert generator.layers.embedding.weight.shape == (1, 5)


def test_conditions_set_gain_and_bias():
    """Gain 1 + W c and bias W c of a batch norm without any; plain without a condition."""
    torch.manual_seed(0)
    norm, maps, c = ConditionalNorm(6, 4), torch.randn(5, 6, 3, 3), torch.randn(5, 4)
    plain = nn.functional.batch_norm(maps, None, None, training=True)
    norm.eval()
    gain, bias = norm.gain(c), norm.bias(c)
    norm.norm.train()
    found = norm(maps, c)
    torch.testing.assert_close(
        found, (1 + gain)[..., None, None] * plain + bias[..., None, None], rtol=1e-4, atol=1e-5
    )
    assert size(ConditionalNorm(6, 0)) == 12 and size(norm) == 48


def test_attention_is_the_identity_at_the_start():
    """Gamma = 0; with another gamma it is the formula, without 1 / sqrt(d)."""
    torch.manual_seed(0)
    attention, maps = SelfAttention(16, spectral=False), torch.randn(2, 16, 6, 6)
    assert torch.equal(attention(maps), maps)

    with torch.no_grad():
        attention.gamma.fill_(0.7)
    theta, pool = attention.theta(maps).flatten(2), nn.functional.max_pool2d
    phi, g = (pool(part(maps), 2).flatten(2) for part in (attention.phi, attention.g))
    beta = (theta.transpose(1, 2) @ phi).softmax(dim=2)
    seen = (g @ beta.transpose(1, 2)).unflatten(2, (6, 6))
    torch.testing.assert_close(attention(maps), maps + 0.7 * attention.o(seen))


def test_the_bypass_sees_x_itself():
    """With f = 0 a block that changes nothing returns x, negative values too."""
    block = DownBlock(4, 4, down=False, first=False, spectral=False, eps=1e-12)
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    maps = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(maps.clone()), maps)


def test_spectral_norm_goes_to_one():
    """After many steps of power iteration, of convolutions as matrices too."""
    torch.manual_seed(0)
    for layer in (nn.Linear(30, 20), nn.Conv2d(5, 12, 3)):
        with torch.no_grad():
            layer.weight.mul_(7)
        normed = normalised(layer).train()
        phase = Phase("layer", {"layer": normed}, dict, 0)
        for _ in range(300):
            phase.step(Progress())
            weight = normed.weight
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-4)


def test_power_iteration_belongs_to_training():
    """A pass leaves u alone; averages of u, which are no unit vectors, change nothing."""
    norm, weight = SpectralNorm(torch.randn(8, 5)), torch.randn(8, 5)
    kept = norm.u.clone()
    norm.eval()
    before = norm(weight)
    assert torch.equal(norm.u, kept)
    norm.u.mul_(0.1)
    torch.testing.assert_close(norm(weight), before)
    norm.train()(weight)
    torch.testing.assert_close(norm.u, 0.1 * kept)
    norm.before_update(weight)
    assert not torch.allclose(norm.u, 0.1 * kept)


def test_vectors_of_spectral_norm_move_once_a_step():
    """Whatever is passed through in a step sees the same vectors; a copy moves with its own weights."""
    torch.manual_seed(0)
    layer = normalised(nn.Linear(6, 5)).train()
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        twin.parametrizations.weight.original.mul_(torch.rand(5, 6))
    seen = []

    def objective():
        seen.append([layer.weight.detach().clone() for _ in range(2)])
        return {}

    phase = Phase("layer", {"layer": layer}, objective, 0)
    for _ in range(2):
        phase.step(Progress())
    assert all(torch.equal(*pair) for pair in seen) and not torch.equal(seen[0][0], seen[1][0])
    # A step keeps what one iteration from the vector before gives; passes keep nothing.
    norm = twin.parametrizations.weight[0]
    weight, before = twin.parametrizations.weight.original.detach(), norm.u.clone()
    twin(torch.zeros(1, 6))
    assert torch.equal(norm.u, before)
    Phase("twin", {"twin": twin}, dict, 0).step(Progress())
    v = nn.functional.normalize(weight.T @ before, dim=0)
    torch.testing.assert_close(norm.u, nn.functional.normalize(weight @ v, dim=0))
    # A run that goes on from u and the weight alone divides by the same.
    again = copy.deepcopy(layer)
    again.load_state_dict(layer.state_dict())
    assert torch.equal(again.weight, layer.weight)


def test_a_step_of_one_pass_is_that_of_a_norm_that_moves_with_the_pass():
    """In plain code: u moves in the pass, the weight after it. The same bits after three steps."""
    torch.manual_seed(0)
    layer = normalised(nn.Linear(6, 5)).train()
    weight = layer.parametrizations.weight.original.detach().clone().requires_grad_()
    u, x = layer.parametrizations.weight[0].u.clone(), torch.randn(4, 6)
    ours = torch.optim.SGD(layer.parameters(), lr=0.1)
    theirs = torch.optim.SGD([weight], lr=0.1)

    def objective():
        layer(x).square().sum().backward()
        return {}

    phase = Phase(
        "layer", {"layer": layer}, objective, 0, optimizers={"layer": (ours, Schedule(ours))}
    )
    bias = layer.bias.detach().clone().requires_grad_()
    theirs.add_param_group({"params": [bias]})
    for _ in range(3):
        phase.step(Progress())
        with torch.no_grad():
            v = nn.functional.normalize(weight.T @ u, dim=0, eps=1e-12)
            u = nn.functional.normalize(weight @ v, dim=0, eps=1e-12)
        theirs.zero_grad()
        scaled = weight / (u @ (weight @ v))
        nn.functional.linear(x, scaled, bias).square().sum().backward()
        theirs.step()
    assert torch.equal(layer.parametrizations.weight.original, weight)
    assert torch.equal(layer.parametrizations.weight[0].u, u)


def test_the_gradient_of_spectral_norm_goes_through_the_weight():
    """D (W / sigma) with sigma = u^T W v, u and v constants."""
    torch.manual_seed(0)
    norm = SpectralNorm(torch.randn(4, 3)).eval()
    weight = torch.randn(4, 3, requires_grad=True)
    out = torch.randn(4, 3)
    (found,) = torch.autograd.grad((norm(weight) * out).sum(), weight)
    with torch.no_grad():
        v = nn.functional.normalize(weight.T @ norm.u, dim=0)
        u = nn.functional.normalize(weight @ v, dim=0)
        sigma = u @ weight @ v
        expected = out / sigma - (out * weight).sum() / sigma**2 * torch.outer(u, v)
    torch.testing.assert_close(found, expected)


def test_everything_is_normalised_but_the_embedding():
    """Linear maps and convolutions of both networks; none with spectral=false."""
    for spectral in (True, False):
        networks = (
            BigGANGenerator(image=SMALL, width=8, latent=8, embed=3, spectral=spectral),
            BigGANCritic(image=SMALL, latent=8, width=8, spectral=spectral),
        )
        for network in networks:
            for module in network.modules():
                if isinstance(module, nn.Linear | nn.Conv2d):
                    assert nn.utils.parametrize.is_parametrized(module) == spectral
                if isinstance(module, nn.Embedding):
                    assert not nn.utils.parametrize.is_parametrized(module)


def test_weights_start_orthogonal():
    """Rows (or columns) are orthonormal, biases zero."""
    critic = BigGANCritic(image=SMALL, latent=8, width=8, spectral=False)
    weight = critic.trunk.blocks[1].conv1.weight.flatten(1)
    torch.testing.assert_close(weight @ weight.T, torch.eye(len(weight)), rtol=0, atol=1e-5)
    assert not critic.last.bias.any()
    plain = BigGANGenerator(image=SMALL, width=8, latent=8, start="normal", spectral=False)
    assert plain.layers.first.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_orthogonal_regularisation_check_value():
    """W = [[1, .5], [.5, 1]]: 2, and the whole gradient [[2, 4], [4, 2]], not half of it."""
    weight = torch.tensor([[1.0, 0.5], [0.5, 1.0]], requires_grad=True)
    value = overlap(weight)
    value.backward()
    assert value.item() == pytest.approx(2)
    torch.testing.assert_close(weight.grad, torch.tensor([[2.0, 4.0], [4.0, 2.0]]))


def test_orthogonal_regularisation_is_a_penalty():
    """Near zero at an orthogonal start, of trained weights; none by default."""
    assert BigGANGenerator(image=SMALL, width=8, latent=8).penalty() == {}
    for network in (
        BigGANGenerator(image=SMALL, width=8, latent=8, orthogonal=1e-4),
        BigGANCritic(image=SMALL, width=8, latent=8, orthogonal=1e-4),
    ):
        (value,) = network.penalty().values()
        assert value.item() < 1e-6
        value.backward()
        assert (
            network.get_parameter(
                "layers.first.parametrizations.weight.original"
                if isinstance(network, BigGANGenerator)
                else "last.parametrizations.weight.original"
            ).grad
            is not None
        )


def test_priors():
    """N(0, 1), U(-1, 1), and truncated normal within its bound."""
    z = BigGANGenerator(image=SMALL, width=8, latent=64, prior="truncated", bound=0.7).prior.draw(
        99
    )
    assert 0.6 < z.abs().max() <= 0.7
    z = BigGANGenerator(image=SMALL, width=8, latent=64, prior="uniform").prior.draw(99)
    assert 0.9 < z.abs().max() <= 1


def test_what_they_cannot_do_is_one_sentence():
    """Sizes and options."""
    with pytest.raises(Incompatible, match=r"32, 64, 128 or 256 px, not 28x28; add size=32"):
        BigGANGenerator(image=ImageShape(1, 28, 28))
    with pytest.raises(Incompatible, match="critic 'biggan'"):
        BigGANCritic(image=ImageShape(1, 28, 28), latent=4)
    with pytest.raises(BadOption, match="must be at least 4"):
        BigGANGenerator(image=SMALL, latent=3)
    with pytest.raises(BadOption, match="must be at least 1"):
        BigGANCritic(image=SMALL, latent=3, width=0)


def test_classes_need_no_further_option():
    """`classes=10` takes BigGAN's embedding of 128; without classes there is none, as ever."""
    generator = BigGANGenerator(image=SMALL, width=8, latent=8, classes=10)

    assert generator.layers.embedding.weight.shape == (10, 128)
    assert BigGANGenerator(image=SMALL, width=8, latent=8).layers.embedding is None
