"""The encoders: distributions, resolutions, and reversible units against autograd."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import ImageShape
from gentk_bigbigan.resnet import ResNetEncoder
from gentk_bigbigan.reversible import ReversibleChain, ReversibleUnit
from gentk_bigbigan.revnet import RevNetEncoder
from gentk_bigbigan.units import Residual

SMALL = ImageShape(3, 32, 32)


def chain(depth: int, *, channels: int = 8, flat: bool = True) -> ReversibleChain:
    """Reversible units with batch norm."""
    torch.manual_seed(0)
    half = channels // 2
    units = [
        ReversibleUnit(Residual(half, half, wide=True), Residual(half, half, wide=True))
        for _ in range(depth)
    ]
    return ReversibleChain(units, flat=flat)


def gradients(network: nn.Module, maps: torch.Tensor) -> list[torch.Tensor]:
    """Gradients in the input and in all parameters of a weighted sum of the output."""
    leaf = maps.clone().requires_grad_()
    out = network(leaf)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).reshape(out.shape)
    (out * weights).sum().backward()
    return [leaf.grad, *(p.grad for p in network.parameters())]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_reversible_gradients_are_autograds(dtype):
    """To 1e-5, in float64 to 1e-10, through six units with batch norm in training."""
    flat, graph = chain(6).to(dtype), chain(6, flat=False).to(dtype)
    maps = torch.randn(4, 8, 6, 6, dtype=dtype)
    tight = 1e-5 if dtype == torch.float32 else 1e-10
    for mine, other in zip(gradients(flat, maps), gradients(graph, maps), strict=True):
        assert (mine - other).norm() <= tight * other.norm()


def test_running_statistics_are_updated_once():
    """Going back goes through the batch norms again, which have seen the batch already."""
    flat, graph = chain(3), chain(3, flat=False)
    maps = torch.randn(4, 8, 6, 6)
    gradients(flat, maps)
    gradients(graph, maps)
    for (name, mine), other in zip(flat.named_buffers(), graph.buffers(), strict=True):
        torch.testing.assert_close(mine, other, msg=name)
    assert all(m.track_running_stats for m in flat.modules() if isinstance(m, nn.BatchNorm2d))


def test_frozen_weights_and_no_graph():
    """Without gradients it is the plain chain; frozen weights have none, the input has."""
    flat = chain(2)
    maps = torch.randn(4, 8, 6, 6)
    flat.eval()
    with torch.no_grad():
        plain = flat(maps)
    torch.testing.assert_close(flat(maps), plain)
    flat.requires_grad_(False)
    leaf = maps.clone().requires_grad_()
    flat(leaf).sum().backward()
    assert leaf.grad.any() and all(p.grad is None for p in flat.parameters())


def kept(network: nn.Module, maps: torch.Tensor) -> int:
    """Bytes of the tensors that a forward pass keeps for the way back, parameters aside."""
    weights = {p.data_ptr() for p in network.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in weights:
            seen[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        network(maps.requires_grad_()).sum()
    return sum(seen.values())


def test_memory_is_flat_in_depth():
    """A chain keeps its output whatever its depth; autograd keeps every layer."""
    maps = torch.randn(4, 8, 16, 16)
    two, twenty = (kept(chain(depth), maps) for depth in (2, 20))
    assert two == twenty == maps.numel() * 4
    graph = [kept(chain(depth, flat=False), maps) for depth in (2, 20)]
    assert graph[1] > 9 * graph[0] and graph[1] > 50 * twenty


def test_the_reversible_encoder_is_the_same_function_either_way():
    """memory=flat and memory=graph: same code, same gradients."""
    torch.manual_seed(0)
    options = {"image": SMALL, "latent": 4, "depth": 34, "width": 0.25, "stochastic": False}
    flat = RevNetEncoder(**options, hidden=8)
    graph = RevNetEncoder(**options, hidden=8, memory="graph")
    graph.load_state_dict(copy.deepcopy(flat.state_dict()))
    images = torch.rand(4, 3, 32, 32)
    for mine, other in zip(gradients(flat, images), gradients(graph, images), strict=True):
        # Float32 through 34 layers of batch norm over small maps; chains alone are held to 1e-5.
        assert (mine - other).norm() <= 1e-3 * other.norm()


def test_reversible_units_in_half_precision():
    """Autocast is entered again on the way back; gradients stay near those of the graph."""
    maps = torch.randn(4, 8, 6, 6)

    def cast(network):
        with torch.autocast("cpu", torch.bfloat16):
            return gradients(network, maps)

    for mine, other in zip(cast(chain(2)), cast(chain(2, flat=False)), strict=True):
        assert (mine.float() - other.float()).norm() <= 0.1 * other.float().norm()


@pytest.mark.parametrize("kind", [ResNetEncoder, RevNetEncoder])
@pytest.mark.parametrize("depth", [10, 50])
def test_codes_are_drawn_in_training_and_means_otherwise(kind, depth):
    """Z = mean + softplus(raw) e; code is the last feature, avepool the pooled end of the trunk."""
    torch.manual_seed(0)
    encoder = kind(image=SMALL, latent=5, depth=depth, width=0.25, hidden=8)
    images = torch.rand(6, 3, 32, 32) * 2 - 1
    assert not torch.equal(encoder(images), encoder(images))
    encoder.eval()
    with torch.no_grad():
        mean, scale = encoder.distribution(images)
        found = encoder.features(images)
    assert torch.equal(found["code"], mean) and (scale > 0).all()
    assert list(found) == ["stage1", "stage2", "stage3", "stage4", "avepool", "code"]
    wide = 8 * 16 * (1 if depth == 10 else 4)
    assert found["avepool"].shape == (6, wide) and (found["avepool"] >= 0).all()
    assert [found[f"stage{n}"].shape[-1] for n in (1, 2, 3, 4)] == [32, 16, 8, 4]


def test_the_draws_have_the_distribution():
    """Mean and scale of many draws of one image."""
    torch.manual_seed(0)
    encoder = ResNetEncoder(image=SMALL, latent=3, depth=10, width=0.25, hidden=8, blocks=0)
    pooled = torch.rand(1, 128).expand(20_000, 128)
    mean, scale = encoder.head.distribution(pooled[:1])
    z = encoder.head(pooled)
    torch.testing.assert_close(z.mean(0), mean[0], rtol=0, atol=0.03)
    torch.testing.assert_close(z.std(0), scale[0], rtol=0.03, atol=0)


def test_a_deterministic_encoder_has_no_scale():
    """And half as many outputs."""
    encoder = ResNetEncoder(image=SMALL, latent=5, depth=10, width=0.25, stochastic=False)
    images = torch.rand(6, 3, 32, 32)
    assert encoder.distribution(images)[1] is None
    assert torch.equal(encoder(images), encoder(images))
    assert encoder.head.last.out_features == 5


def test_resnet_50_has_resnet_50s_convolutions():
    """23,454,912 weights in convolutions, as torchvision's; width multiplies channels."""
    with torch.device("meta"):
        encoder = ResNetEncoder(image=ImageShape(3, 128, 128), latent=120)
        wide = ResNetEncoder(image=SMALL, latent=4, depth=10, width=4.0)
    convs = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    assert sum(conv.weight.numel() for conv in convs) == 23_454_912 and len(convs) == 53
    assert wide.head.hidden.first.in_features == 4 * 512


def test_a_resolution_of_its_own():
    """size=64 for a generator of 32 px: `image` says so."""
    encoder = ResNetEncoder(image=SMALL, latent=4, depth=10, width=0.25, size=64)
    assert encoder.image == (3, 64, 64)
    assert encoder(torch.rand(2, 3, 64, 64)).shape == (2, 4)


def test_what_they_cannot_do_is_one_sentence():
    """Sizes and widths."""
    with pytest.raises(Incompatible, match="not 28x28; add size=32"):
        RevNetEncoder(image=ImageShape(1, 28, 28), latent=4)
    with pytest.raises(Incompatible, match="at size=40"):
        ResNetEncoder(image=SMALL, latent=4, size=40)
    with pytest.raises(BadOption, match="width"):
        ResNetEncoder(image=SMALL, latent=4, width=0.0)
