"""The critic F, H, J: which scores there are, and who learns from which."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import ImageShape
from gentk_bigbigan.fhj import FHJCritic

POINT = ImageShape(2, 1, 1)


def judge(**options):
    """A small critic of points and latents of three coordinates."""
    torch.manual_seed(0)
    settings = {"trunk": "mlp", "hidden": 16, "blocks": 1, **options}
    return FHJCritic(image=POINT, latent=3, **settings)


@pytest.mark.parametrize(
    ("scores", "parts"),
    [
        (("x",), "f"),
        (("z",), "h"),
        (("xz",), "fhj"),
        (("x", "xz"), "fhj"),
        (("z", "xz"), "fhj"),
        (("x", "z"), "fh"),
        (("x", "z", "xz"), "fhj"),
    ],
)
def test_any_subset_of_scores_is_a_critic_of_the_parts_it_needs(scores, parts):
    """X alone looks at no latents; the others are pairs."""
    critic = judge(scores=scores)
    found = critic(torch.randn(5, 2, 1, 1), torch.randn(5, 3) if critic.pairs else None)
    assert tuple(found) == scores and all(score.shape == (5,) for score in found.values())
    assert "".join(name for name in "fhj" if getattr(critic, name) is not None) == parts
    assert critic.pairs == (scores != ("x",))
    sum(score.sum() for score in found.values()).backward()
    assert all(p.grad is not None for p in critic.parameters())


def test_unary_scores_look_at_one_side():
    """s_x has no gradient in z, s_z none in x, s_xz both: x-scores teach E nothing, z-scores not G."""
    critic = judge()
    x, z = torch.randn(4, 2, 1, 1, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    for name, sees_x, sees_z in (("x", True, False), ("z", False, True), ("xz", True, True)):
        score = critic(x, z)[name].sum()
        slopes = torch.autograd.grad(score, (x, z), allow_unused=True)
        assert [slope is not None and bool(slope.any()) for slope in slopes] == [sees_x, sees_z]


def test_images_go_through_biggans_trunk():
    """At 32 px; dropout and depth are H's and J's."""
    critic = FHJCritic(
        image=ImageShape(3, 32, 32), latent=6, width=8, hidden=12, blocks=3, dropout=0.5
    )
    x, z = torch.rand(2, 3, 32, 32) * 2 - 1, torch.randn(2, 6)
    assert set(critic(x, z)) == {"x", "z", "xz"}
    assert len(critic.h.blocks) == len(critic.j.blocks) == 3
    # Three first maps and two layers a block, each normalised.
    assert not torch.equal(critic(x, z)["z"], critic(x, z)["z"])
    critic.eval()
    assert torch.equal(critic(x, z)["z"], critic(x, z)["z"])
    assert FHJCritic(image=POINT, latent=2, trunk="mlp", orthogonal=1.0).penalty()


def test_what_it_cannot_do_is_one_sentence():
    """No score, a score twice, a size its trunk does not know, a share that is none."""
    for scores in ((), ("x", "x")):
        with pytest.raises(BadOption, match=r"write scores=x\+z\+xz"):
            judge(scores=scores)
    with pytest.raises(Incompatible, match="trunk=mlp"):
        judge(trunk="biggan")
    with pytest.raises(BadOption, match="dropout"):
        judge(dropout=1.0)
