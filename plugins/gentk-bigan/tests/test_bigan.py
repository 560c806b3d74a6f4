"""BiGAN's networks: where z enters, what norms and biases there are, and a transcription."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import gentk
from gentk.errors import BadOption, Incompatible
from gentk.interfaces import ImageShape
from gentk_bigan.bigan_critic import BiGANCritic
from gentk_bigan.bigan_encoder import BiGANEncoder
from gentk_bigan.bigan_generator import BiGANGenerator

TINY = ImageShape(1, 4, 5)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def judge(**options):
    """A small critic of TINY and latents of three coordinates."""
    torch.manual_seed(0)
    return BiGANCritic(image=TINY, latent=3, **{"widths": (8, 7, 6), **options})


def drawn(count=16, *, image=TINY, latent=3):
    """Images in [-1, 1] and latents."""
    torch.manual_seed(1)
    return torch.rand(count, *image) * 2 - 1, torch.randn(count, latent)


def leaky(h):
    """max(h, 0.2 h)."""
    return torch.maximum(h, 0.2 * h)


def standardised(h):
    """A batch norm in training, without gain and bias, with the eps of the released code."""
    return (h - h.mean(0)) / (((h - h.mean(0)) ** 2).mean(0) + 1e-8).sqrt()


def test_the_published_networks():
    """784 -> 1024 -> 1024 -> 50 or 1, and back; 50 uniform coordinates."""
    mnist = ImageShape(1, 28, 28)
    images, latents = drawn(4, image=mnist, latent=50)
    generator = BiGANGenerator(image=mnist)
    encoder, critic = (kind(image=mnist, latent=50) for kind in (BiGANEncoder, BiGANCritic))
    assert generator.prior.dimension == 50 and generator.prior.law == "uniform"
    assert generator(latents).shape == (4, 1, 28, 28)
    found = encoder.features(images)
    assert {name: tuple(rows.shape) for name, rows in found.items()} == {
        "layer1": (4, 1024),
        "layer2": (4, 1024),
        "linear": (4, 50),
        "code": (4, 50),
    }
    scores = critic(images, latents)
    assert set(scores) == {"xz"} and scores["xz"].shape == (4,)
    sizes = [
        [tuple(layer.main.weight.shape) for layer in network.layers]
        for network in (generator, encoder, critic)
    ]
    assert sizes[0] == [(1024, 50), (1024, 1024), (784, 1024)]
    assert sizes[1] == [(1024, 784), (1024, 1024), (50, 1024)]
    assert sizes[2] == [(1024, 784), (1024, 1024), (1, 1024)]


def test_the_readmes_parameters():
    """Of MNIST's networks, layer by layer."""
    mnist = ImageShape(1, 28, 28)
    hidden = 1024 * 1024
    for network, count in (
        (BiGANGenerator(image=mnist), 2 * 50 * 1024 + hidden + 1024 * 784),
        (BiGANEncoder(image=mnist, latent=50), 784 * 1024 + hidden + 1024 * 50),
        (BiGANCritic(image=mnist, latent=50), 784 * 1024 + hidden + 50 * 1024 + 1024),
    ):
        assert sum(p.numel() for p in network.parameters()) == count
        readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
        assert f"{count:,}" in readme


def test_where_there_are_norms():
    """E and D: every hidden layer but the first; G: every hidden layer."""
    networks = (
        (judge(), [False, True, True, False]),
        (BiGANEncoder(image=TINY, latent=3, widths=(8, 7, 6)), [False, True, True, False]),
        (BiGANGenerator(image=TINY, latent=3, widths=(8, 7, 6)), [True, True, True, False]),
    )
    for network, expected in networks:
        assert [layer.norm is not None for layer in network.layers] == expected


def test_norms_have_no_gain_and_no_bias():
    """Neither have the maps before them a bias, which the norm would take out again."""
    large = ImageShape(3, 32, 32)
    networks = (
        judge(),
        BiGANCritic(image=large, latent=3, network="conv", width=2),
        BiGANEncoder(image=TINY, latent=3, widths=(8, 8)),
        BiGANGenerator(image=TINY, latent=3, widths=(8, 8)),
    )
    for network in networks:
        norms = [module for module in network.modules() if isinstance(module, NORMS)]
        assert norms and all(norm.weight is None and norm.bias is None for norm in norms)
        for layer in [*network.layers, *getattr(network, "halvings", [])]:
            assert layer.norm is None or layer.main.bias is None
    for network in (judge(norm=False), BiGANGenerator(image=TINY, norm=False, widths=(8,))):
        assert not any(isinstance(module, NORMS) for module in network.modules())
        assert all(layer.main.bias is None for layer in network.layers)


def test_the_encoders_last_layer_has_no_bias():
    """The code is W h, whatever W; the same image has the same z."""
    encoder = BiGANEncoder(image=TINY, latent=3, widths=(8, 7), output="linear")
    assert encoder.layers[-1].main.bias is None and encoder.code_range is None
    assert not any(name.startswith("layers.2") and "bias" in name for name in encoder.state_dict())
    images, _ = drawn()
    found = encoder.features(images)
    torch.testing.assert_close(found["code"], found["layer2"] @ encoder.layers[-1].main.weight.T)
    assert torch.equal(encoder(images), encoder(images))


def test_the_encoders_latents_keep_to_a_uniform_prior():
    """That is z = 2 sigmoid(t) - 1, with t = W h the layer `linear`."""
    encoder = BiGANEncoder(image=TINY, latent=3, widths=(8, 7)).double()
    images, _ = drawn()
    found = encoder.features(images.double())
    expected = found["layer2"] @ encoder.layers[-1].main.weight.T
    torch.testing.assert_close(found["linear"], expected)
    torch.testing.assert_close(found["code"], 2 * torch.sigmoid(expected) - 1)
    assert encoder.code_range == "signed"


def test_images_in_the_range_that_an_option_names():
    """[0, 1], as released, unless told otherwise; the generator makes what its output says."""
    for kind in (BiGANEncoder, BiGANCritic):
        assert kind(image=TINY, latent=3, widths=(8, 8)).range == "unit"
        assert kind(image=TINY, latent=3, widths=(8, 8), range="signed").range == "signed"


def test_without_norms_there_are_biases_only_where_they_are_asked_for():
    """Of every layer, but the encoder's last."""
    for bias in (False, True):
        options = {"image": TINY, "latent": 3, "widths": (8, 8), "norm": False, "bias": bias}
        for kind in (BiGANGenerator, BiGANEncoder, BiGANCritic):
            there = [layer.main.bias is not None for layer in kind(**options).layers]
            assert there == [bias, bias, bias and kind is not BiGANEncoder]


def test_first_weights():
    """N(0, 0.02^2) for maps of the image, of z and of hidden layers; biases 0."""
    torch.manual_seed(0)
    shape = ImageShape(1, 32, 32)
    critics = [
        BiGANCritic(image=shape, latent=50, widths=(256, 256)),
        BiGANCritic(image=shape, latent=50, network="conv", width=32),
    ]
    generator = BiGANGenerator(image=shape, widths=(256, 256))
    for network in (*critics, BiGANEncoder(image=shape, latent=50), generator):
        for name, values in network.named_parameters():
            if name.endswith("bias"):
                assert not values.any(), name
            elif values.numel() > 5000:
                assert values.std().item() == pytest.approx(0.02, rel=0.06), name
                assert values.mean().abs() < 0.002, name


@pytest.mark.parametrize("bias", [False, True])
def test_the_critic_is_its_formula_in_double(bias):
    """h_1 = leaky(W x + b), h_l = leaky(norm(W h + V z)), s = w h + b, norm over the batch."""
    critic = judge(bias=bias).double()
    for values in critic.parameters():
        nn.init.normal_(values)  # biases too, that none is forgotten
    images, latents = (rows.double() for rows in drawn())
    w = dict(critic.named_parameters())

    b = [w[f"layers.{number}.main.bias"] if bias else 0 for number in (0, 3)]
    h = leaky(images.reshape(16, -1) @ w["layers.0.main.weight"].T + b[0])
    for number in (1, 2):
        main, beside = (w[f"layers.{number}.{name}.weight"] for name in ("main", "beside"))
        h = leaky(standardised(h @ main.T + latents @ beside.T))
    score = h @ w["layers.3.main.weight"][0] + b[1]

    assert (critic(images, latents)["xz"] - score).abs().max() < 1e-10
    assert len(w) == 1 + 2 * 2 + 1 + 2 * bias


def test_z_enters_the_hidden_layers_of_the_critic_but_the_first():
    """With what comes from below held fixed, another z changes their output, but not the score's."""
    critic = judge()
    images, latents = drawn()
    below = images.flatten(1)
    for number, layer in enumerate(critic.layers):
        here, there = layer(below, latents), layer(below, latents + torch.randn_like(latents))
        assert torch.equal(here, there) == (number in (0, len(critic.layers) - 1))
        # A norm takes a shift of all z alike out again, but not one sample's.
        below = here.detach()


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_the_score_has_a_gradient_in_z_and_x(network):
    """In each sample's own, as a pair."""
    shape = ImageShape(3, 32, 32)
    critic = BiGANCritic(image=shape, latent=3, network=network, width=4, widths=(8, 8)).eval()
    images, latents = drawn(3, image=shape)
    images.requires_grad_()
    latents.requires_grad_()
    critic(images, latents)["xz"][1].backward()
    for leaf in (images, latents):
        assert leaf.grad[1].any() and not leaf.grad[0].any() and not leaf.grad[2].any()


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_without_z_it_is_a_critic_of_images(network):
    """injected=false: the score is x, pairs is False, z is not looked at and need not be given."""
    shape = ImageShape(3, 32, 32)
    options = {"image": shape, "latent": 3, "network": network, "width": 4, "widths": (8, 8)}
    critic = BiGANCritic(**options, injected=False)
    assert not critic.pairs and BiGANCritic(**options).pairs
    images, latents = drawn(5, image=shape)
    scores = critic(images)
    assert set(scores) == {"x"} and scores["x"].shape == (5,)
    assert torch.equal(scores["x"], critic(images, latents)["x"])
    assert not any("beside" in name for name, _ in critic.named_parameters())


@pytest.mark.parametrize(("side", "halvings"), [(32, 3), (64, 4), (128, 5)])
def test_the_convolutions_halve_the_side_down_to_four(side, halvings):
    """Channels double; z enters all but the first, the same at every position, and the last map."""
    shape = ImageShape(3, side, side)
    torch.manual_seed(0)
    critic = BiGANCritic(image=shape, latent=3, network="conv", width=2)
    images, latents = drawn(4, image=shape)
    maps, sizes = images, []
    for number, halving in enumerate(critic.halvings):
        after = halving(maps, latents)
        assert torch.equal(after, halving(maps, torch.randn(4, 3))) == (number == 0)
        assert (halving.norm is None) == (number == 0)
        maps = after.detach()
        sizes.append(tuple(maps.shape[1:]))
    assert sizes == [(2**k, side // 2**k, side // 2**k) for k in range(1, halvings + 1)]
    assert sizes[-1][1:] == (4, 4)
    score = critic.layers[-1](maps.flatten(1))
    torch.testing.assert_close(critic(images, latents)["xz"], score[:, 0])


def test_z_is_the_same_at_every_position():
    """The difference that z makes before the norm is one number a channel."""
    critic = BiGANCritic(image=ImageShape(1, 32, 32), latent=3, network="conv", width=2, norm=False)
    halving, maps, latents = critic.halvings[1], torch.rand(4, 2, 16, 16), torch.randn(4, 3)
    expected = halving.main(maps) + (latents @ halving.beside.weight.T).reshape(4, 4, 1, 1)
    torch.testing.assert_close(halving(maps, latents), leaky(expected))


def test_z_enters_the_generators_later_hidden_layers():
    """The skip-z, with what comes from below held fixed; not the first, not the last."""
    torch.manual_seed(0)
    generator = BiGANGenerator(image=TINY, latent=3, widths=(8, 7, 6))
    assert [layer.beside is not None for layer in generator.layers] == [False, True, True, False]
    latents = torch.randn(16, 3)
    below = latents
    for layer in generator.layers:
        here, there = layer(below, latents), layer(below, torch.randn(16, 3))
        assert torch.equal(here, there) == (layer.beside is None)
        below = here.detach()
    plain = BiGANGenerator(image=TINY, latent=3, widths=(8, 7, 6), injected=False)
    assert all(layer.beside is None for layer in plain.layers)


@pytest.mark.parametrize("bias", [False, True])
def test_the_generator_is_its_formula_in_double(bias):
    """h_1 = relu(norm(W z)), h_2 = relu(norm(W h + V z)), x = sigmoid(W h + b)."""
    torch.manual_seed(0)
    generator = BiGANGenerator(image=TINY, latent=3, widths=(8, 7), bias=bias).double()
    for values in generator.parameters():
        nn.init.normal_(values)
    latents = torch.randn(16, 3, dtype=torch.float64)
    w = dict(generator.named_parameters())
    h = standardised(latents @ w["layers.0.main.weight"].T).relu()
    skip = latents @ w["layers.1.beside.weight"].T
    h = standardised(h @ w["layers.1.main.weight"].T + skip).relu()
    b = w["layers.2.main.bias"] if bias else 0
    x = (h @ w["layers.2.main.weight"].T + b).sigmoid()
    assert (generator(latents).reshape(16, -1) - x).abs().max() < 1e-10


def test_the_generators_range_is_that_of_its_output():
    """Sigmoid [0, 1], tanh [-1, 1], linear signed and not bounded."""
    latents = torch.rand(64, 3) * 2 - 1
    values = {}
    for output in ("sigmoid", "tanh", "linear"):
        torch.manual_seed(0)
        generator = BiGANGenerator(image=TINY, latent=3, widths=(8,), output=output)
        nn.init.normal_(generator.layers[-1].main.weight, std=2)
        values[output] = generator(latents)
        assert generator.range == ("unit" if output == "sigmoid" else "signed")
    linear = values["linear"]
    assert values["sigmoid"].min() >= 0 and values["sigmoid"].max() <= 1
    assert values["tanh"].min() < 0 and values["tanh"].abs().max() <= 1 < linear.abs().max()
    torch.testing.assert_close(values["sigmoid"], linear.sigmoid())
    torch.testing.assert_close(values["tanh"], linear.tanh())


def refusal(error, make):
    """The one sentence with which `make` is refused."""
    with pytest.raises(error) as caught:
        make()
    text = str(caught.value)
    assert "\n" not in text and not text.endswith(".") and ". " not in text
    return text


def test_what_they_cannot_do_is_one_sentence():
    """Sizes of the convolutions, widths below one, no latent."""
    for shape in (ImageShape(1, 28, 28), ImageShape(3, 32, 64)):
        text = refusal(Incompatible, lambda s=shape: BiGANCritic(image=s, latent=3, network="conv"))
        assert f"not {shape.height}x{shape.width}" in text
        assert "add size=" in text and "type --critic bigan,network=mlp" in text
    assert "size=32" in refusal(
        Incompatible, lambda: BiGANCritic(image=ImageShape(1, 28, 28), latent=3, network="conv")
    )
    for make in (
        lambda: judge(widths=(8, 0)),
        lambda: BiGANEncoder(image=TINY, latent=3, widths=(0,)),
        lambda: BiGANGenerator(image=TINY, widths=(8, -1)),
    ):
        assert "write widths=1 or more" in refusal(BadOption, make)
    assert "write width=1 or more" in refusal(BadOption, lambda: judge(width=0))
    make = lambda: BiGANGenerator(image=TINY, latent=0)  # noqa: E731
    assert "write latent=1 or more" in refusal(BadOption, make)


def test_a_critic_of_pairs_looks_at_latents():
    """Without a second hidden layer z would not enter: that is refused, and fine for images alone."""
    for widths in ((), (8,)):
        text = refusal(BadOption, lambda widths=widths: judge(widths=widths))
        assert "write widths=1024+1024, or injected=false" in text
    assert not judge(widths=(), injected=False).pairs


def test_a_bounded_encoder_and_a_normal_prior_are_refused(tmp_path):
    """No such encoder inverts the generator; without bounds, or with a uniform prior, it may."""
    settings = {"data": "digits,limit=100", "batch": 10, "steps": 1, "observers": []}
    settings |= {"generator": "bigan,latent=4,prior=normal", "out": str(tmp_path / "run")}
    with pytest.raises(Incompatible, match=r"within \(-1, 1\).*'normal'.*output=linear"):
        gentk.run("bigan-mnist", **settings)
    gentk.run("bigan-mnist", **settings, encoder="bigan,output=linear")
    gentk.run(
        "bigan-mnist", **{**settings, "generator": "bigan,latent=4", "out": str(tmp_path / "b")}
    )
