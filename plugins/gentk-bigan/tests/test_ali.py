"""ALI's networks: sizes, maxout, dropout, and the distribution its encoder gives."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import ImageShape
from gentk.layers import Maxout
from gentk_bigan.ali_critic import ALICritic
from gentk_bigan.ali_encoder import ALIEncoder
from gentk_bigan.ali_generator import ALIGenerator

SMALL = ImageShape(3, 32, 32)
SIDES = [32, 28, 13, 10, 4, 1]


def sides(network, kind, values):
    """Sides of the maps that go into the modules of one kind, and of the last that comes out."""
    found = []
    hooks = [
        module.register_forward_hook(
            lambda _, given, made: found.append((given[0].shape[-1], made.shape[-1]))
        )
        for module in network.modules()
        if isinstance(module, kind)
    ]
    network(*values)
    for hook in hooks:
        hook.remove()
    assert all(one[1] == other[0] for one, other in pairwise(found))
    return [before for before, _ in found] + [found[-1][1]]


def strong(network, std=0.3):
    """The network with weights that make a difference; N(0, 0.01^2) makes hardly any."""
    for name, values in network.named_parameters():
        if values.ndim > 1:
            nn.init.normal_(values, std=std / values[0].numel() ** 0.5)
        elif "bias" in name:
            nn.init.normal_(values, std=0.1)
    return network


def test_the_spatial_sizes():
    """32, 28, 13, 10, 4, 1 px and back, in E, D and G; then 1x1 maps."""
    images, latents = torch.rand(2, 3, 32, 32), torch.randn(2, 64)
    encoder, critic = (kind(image=SMALL, latent=64) for kind in (ALIEncoder, ALICritic))
    assert sides(encoder, nn.Conv2d, [images]) == [*SIDES, 1]
    assert sides(critic, nn.Conv2d, [images, latents]) == SIDES
    generator = ALIGenerator(image=SMALL)
    assert generator.prior.dimension == 64 and generator.prior.law == "normal"
    assert sides(generator, nn.ConvTranspose2d, [latents]) == SIDES[::-1]
    assert sides(generator, nn.Conv2d, [latents]) == [32, 32, 32]


def test_the_channels():
    """As in the paper's table; no bias where a norm follows."""
    generator, encoder = ALIGenerator(image=SMALL), ALIEncoder(image=SMALL, latent=64)
    convs = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d | nn.Conv2d)]
    made = [256, 128, 64, 32, 32, 32, 3]
    assert [conv.out_channels for conv in convs] == made
    read = [32, 64, 128, 256, 512, 512]
    images = torch.rand(2, 3, 32, 32)
    found = encoder.features(images)
    assert list(found) == [f"layer{n}" for n in range(1, 7)] + ["code"]
    assert [found[f"layer{n}"].shape[1] for n in range(1, 7)] == read
    assert found["code"].shape == (2, 64) and encoder.last.out_features == 128
    convs += [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    assert all(conv.bias is None for conv in convs) and encoder.last.bias is not None


def test_the_readmes_parameters():
    """Of the defaults at three channels."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    for network, count in (
        (ALIGenerator(image=SMALL), 981_152),
        (ALIEncoder(image=SMALL, latent=64), 3_118_496),
        (ALICritic(image=SMALL, latent=64), 2_612_033),
        (ALICritic(image=SMALL, latent=64, maxout="keeps"), 10_368_641),
    ):
        assert sum(p.numel() for p in network.parameters()) == count
        assert f"{count:,}" in readme


def test_the_generators_bias_is_each_pixels_own():
    """Images are sigmoid(W h + b), in [0, 1], b of the image's shape."""
    torch.manual_seed(0)
    generator = strong(ALIGenerator(image=SMALL, latent=5))
    latents = torch.randn(3, 5)
    images = generator(latents)
    assert images.shape == (3, 3, 32, 32) and generator.range == "unit"
    assert images.min() >= 0 and images.max() <= 1 and images.std() > 0.01
    assert generator.bias.shape == (3, 32, 32)
    with torch.no_grad():
        generator.bias[1, 4, 7] += 2
    change = generator(latents).logit() - images.logit()
    assert (change.abs() > 0.1).nonzero()[:, 1:].unique(dim=0).tolist() == [[1, 4, 7]]


def test_first_weights():
    """N(0, 0.01^2), biases 0, norms at their identity."""
    torch.manual_seed(0)
    for network in (
        ALIGenerator(image=SMALL),
        ALIEncoder(image=SMALL, latent=64),
        ALICritic(image=SMALL, latent=64),
    ):
        for name, values in network.named_parameters():
            if name.endswith("bias"):
                assert not values.any(), name
            elif values.ndim > 1 and values.numel() > 2000:
                assert values.std().item() == pytest.approx(0.01, rel=0.05), name


def test_maxout_is_its_formula():
    """y_i = max(x_2i, x_2i+1), of rows and of maps."""
    rows, maps = torch.randn(3, 6), torch.randn(3, 8, 2, 2)
    for x in (rows, maps):
        y = Maxout()(x)
        assert y.shape[1] == x.shape[1] // 2
        for i in range(y.shape[1]):
            assert torch.equal(y[:, i], torch.maximum(x[:, 2 * i], x[:, 2 * i + 1]))


@pytest.mark.parametrize(("maxout", "side"), [("halves", 256), ("keeps", 512)])
def test_the_joint_width(maxout, side):
    """512 as released, F and H having half of the listed widths, or 1024 as in the paper's table."""
    critic = ALICritic(image=SMALL, latent=6, maxout=maxout).eval()
    images, latents = torch.rand(2, 3, 32, 32), torch.randn(2, 6)
    assert critic.f(images).shape == critic.h(latents).shape == (2, side)
    first, second, last = (m for m in critic.j if isinstance(m, nn.Linear))
    assert first.in_features == second.in_features == last.in_features == 2 * side
    assert first.out_features == second.out_features == 4 * side
    made = [m.out_channels for m in critic.f if isinstance(m, nn.Conv2d)]
    listed = [32, 64, 128, 256, 512]
    assert made == [width * (1 if maxout == "halves" else 2) for width in listed]
    scores = critic(images, latents)
    assert set(scores) == {"xz"} and scores["xz"].shape == (2,) and critic.pairs
    assert not any(isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d) for m in critic.modules())


def order(network):
    """Its layers as a line: shares dropped, C, L, M for convolutions, linear maps, maxout."""
    names = {nn.Conv2d: "C", nn.Linear: "L", Maxout: "M"}
    steps = [m for m in network if not isinstance(m, nn.Flatten)]
    return " ".join(str(m.p) if isinstance(m, nn.Dropout) else names[type(m)] for m in steps)


def test_where_dropout_stands():
    """all: before each convolution; some: before convolution 2, maxout 3 and convolution 5."""
    every = ALICritic(image=SMALL, latent=6, dropped="all")
    some = ALICritic(image=SMALL, latent=6, dropped="some")
    assert order(every.f) == "0.2 C M 0.5 C M 0.5 C M 0.5 C M 0.5 C M"
    assert order(some.f) == "0.2 C M 0.5 C M C 0.5 M C M 0.5 C M"
    for critic in (every, some):
        assert order(critic.h) == "0.2 L M 0.5 L M"
        assert order(critic.j) == "0.5 L M 0.5 L M 0.5 L"
    other = ALICritic(image=SMALL, latent=6, dropout=0.3, inputs=0.0)
    assert order(other.f) == "0.0 C M 0.3 C M 0.3 C M 0.3 C M 0.3 C M"


def test_dropout_is_the_trainings():
    """Scores differ from pass to pass in training, and not in eval mode or without shares."""
    torch.manual_seed(0)
    images, latents = torch.rand(2, 3, 32, 32), torch.randn(2, 6)
    critic = strong(ALICritic(image=SMALL, latent=6))
    assert not torch.equal(critic(images, latents)["xz"], critic(images, latents)["xz"])
    critic.eval()
    assert torch.equal(critic(images, latents)["xz"], critic(images, latents)["xz"])
    without = strong(ALICritic(image=SMALL, latent=6, dropout=0.0, inputs=0.0))
    assert torch.equal(without(images, latents)["xz"], without(images, latents)["xz"])


def test_the_score_depends_on_both():
    """Its gradient in x and in z is each sample's own."""
    torch.manual_seed(0)
    critic = strong(ALICritic(image=SMALL, latent=6)).eval()
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    latents = torch.randn(2, 6, requires_grad=True)
    critic(images, latents)["xz"][0].backward()
    for leaf in (images, latents):
        assert leaf.grad[0].any() and not leaf.grad[1].any()


def test_the_critic_is_its_formula_in_double():
    """Maxout of convolutions, of maps of z, and of both one after another; nothing dropped."""
    torch.manual_seed(0)
    critic = strong(ALICritic(image=SMALL, latent=6)).double().eval()
    x, z = torch.rand(2, 3, 32, 32).double(), torch.randn(2, 6).double()

    def maxout(a):
        return torch.maximum(a[:, 0::2], a[:, 1::2])

    f = x
    for conv, stride in zip(
        (m for m in critic.f if isinstance(m, nn.Conv2d)), (1, 2, 1, 2, 1), strict=True
    ):
        f = maxout(nn.functional.conv2d(f, conv.weight, conv.bias, stride))
    h = z
    for linear in (m for m in critic.h if isinstance(m, nn.Linear)):
        h = maxout(h @ linear.weight.T + linear.bias)
    j = torch.cat([f[:, :, 0, 0], h], dim=1)
    *hidden, last = (m for m in critic.j if isinstance(m, nn.Linear))
    for linear in hidden:
        j = maxout(j @ linear.weight.T + linear.bias)
    score = j @ last.weight[0] + last.bias
    assert (critic(x, z)["xz"] - score).abs().max() < 1e-10


def block(maps, conv, norm, stride, *, up=False):
    """Convolution, batch norm over batch and positions with gain and bias, leaky ReLU of slope 0.1."""
    convolve = nn.functional.conv_transpose2d if up else nn.functional.conv2d
    maps = convolve(maps, conv.weight, stride=stride)
    mean = maps.mean((0, 2, 3), keepdim=True)
    variance = ((maps - mean) ** 2).mean((0, 2, 3), keepdim=True)
    gain, bias = (values.reshape(1, -1, 1, 1) for values in (norm.weight, norm.bias))
    maps = (maps - mean) / (variance + 1e-5).sqrt() * gain + bias
    return torch.maximum(maps, 0.1 * maps)


def test_the_encoder_is_its_formula_in_double():
    """Six blocks without padding, and a map to mean and log_scale."""
    torch.manual_seed(0)
    encoder = strong(ALIEncoder(image=SMALL, latent=4)).double()
    images = torch.rand(5, 3, 32, 32).double()
    h = images
    for (conv, norm, _), stride in zip(encoder.blocks, (1, 2, 1, 2, 1, 1), strict=True):
        h = block(h, conv, norm, stride)
    raw = h[:, :, 0, 0] @ encoder.last.weight.T + encoder.last.bias
    mean, scale = encoder.distribution(images)
    assert (mean - raw[:, :4]).abs().max() < 1e-10 and (
        scale - raw[:, 4:].exp()
    ).abs().max() < 1e-10


def test_the_generator_is_its_formula_in_double():
    """Five transposed blocks, one of 1x1, and a map to the log-odds of each pixel."""
    torch.manual_seed(0)
    generator = strong(ALIGenerator(image=SMALL, latent=4)).double()
    z = torch.randn(5, 4).double()
    *convs, last = (m for m in generator.layers if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))
    norms = [m for m in generator.layers if isinstance(m, nn.BatchNorm2d)]
    h = z.reshape(5, 4, 1, 1)
    for number, stride in enumerate((1, 2, 1, 2, 1, 1)):
        h = block(h, convs[number], norms[number], stride, up=number < 5)
    x = (nn.functional.conv2d(h, last.weight) + generator.bias).sigmoid()
    assert (generator(z) - x).abs().max() < 1e-10


def test_the_draws_have_the_distribution():
    """In training z = mean + exp(log_scale) e: mean and deviation of many draws of one image."""
    torch.manual_seed(0)
    encoder = strong(ALIEncoder(image=SMALL, latent=4), std=1.0)
    with torch.no_grad():
        images = torch.rand(5, 3, 32, 32)
        mean, scale = encoder.distribution(images)
        maps = encoder.features(images)["layer6"]
        raw = encoder.last(maps.flatten(1))
        torch.testing.assert_close(mean, raw[:, :4])
        torch.testing.assert_close(scale, raw[:, 4:].exp())
        # The last map alone, so that 20,000 draws are one pass.
        encoder.blocks = nn.ModuleList()
        z = encoder(maps[:1].expand(20_000, -1, -1, -1))
    assert scale.shape == mean.shape == (5, 4) and scale.std() > 0.1
    # Five standard errors.
    assert ((z.mean(0) - mean[0]).abs() < 5 * scale[0] / 20_000**0.5).all()
    assert ((z.std(0) / scale[0] - 1).abs() < 5 / 40_000**0.5).all()
    assert z.T.corrcoef().fill_diagonal_(0).abs().max() < 5 / 20_000**0.5


def test_the_mean_in_eval_mode_and_of_a_deterministic_encoder():
    """The same twice; without a scale there are half as many outputs."""
    torch.manual_seed(0)
    images = torch.rand(5, 3, 32, 32)
    encoder = strong(ALIEncoder(image=SMALL, latent=4))
    assert not torch.equal(encoder(images), encoder(images))
    encoder.eval()
    assert torch.equal(encoder(images), encoder.distribution(images)[0])
    plain = strong(ALIEncoder(image=SMALL, latent=4, stochastic=False))
    assert plain.last.out_features == 4 and plain.distribution(images)[1] is None
    assert torch.equal(plain(images), plain(images))


def test_gradients_go_through_the_draw():
    """To mean and log_scale, to z = mean + exp(log_scale) e: both halves of the last map."""
    torch.manual_seed(0)
    encoder = ALIEncoder(image=SMALL, latent=4)
    encoder(torch.rand(5, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in encoder.parameters())
    assert encoder.last.bias.grad[:4].any() and encoder.last.bias.grad[4:].any()


@pytest.mark.parametrize(
    ("make", "kind"), [(ALICritic, "critic"), (ALIEncoder, "encoder"), (ALIGenerator, "generator")]
)
def test_other_sizes_are_refused_in_one_sentence(make, kind):
    """Which names the size it knows and the component that takes others."""
    for shape in (ImageShape(1, 28, 28), ImageShape(3, 32, 64), ImageShape(3, 64, 64)):
        with pytest.raises(Incompatible) as caught:
            make(image=shape, latent=4)
        text = str(caught.value)
        assert text.startswith(f"{kind} 'ali'") and "\n" not in text and ". " not in text
        assert f"not {shape.height}x{shape.width}; add size=32 to the data" in text
        assert text.endswith(f"or type --{kind} bigan")


def test_options_out_of_range_are_refused_in_one_sentence():
    """Shares and the dimension of z."""
    for share in (1.0, -0.1, float("nan")):
        with pytest.raises(BadOption, match=r"dropout=.* is no share in \[0, 1\); write dropout="):
            ALICritic(image=SMALL, latent=4, dropout=share)
        with pytest.raises(BadOption, match=r"inputs=.* is no share in \[0, 1\); write inputs="):
            ALICritic(image=SMALL, latent=4, inputs=share)
    with pytest.raises(BadOption, match="write latent=1 or more"):
        ALIGenerator(image=SMALL, latent=0)
