"""`drift`: check values, the transcription, invariances, classes, guidance, earlier samples."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from field_formulas import drift

from gentk.errors import BadOption, Incompatible
from gentk_fields.coupling import Coupling
from gentk_fields.drift import Drift

GEN = torch.tensor([[0.3, -0.2], [0.4, 0.1]], dtype=torch.float64)
POSITIVE = torch.tensor([[0.1, -0.4], [0.6, 0.3]], dtype=torch.float64)
NEGATIVE = torch.tensor([[-0.2, 0.5]], dtype=torch.float64)
FORCES = {
    (0.2,): [[-0.69989659, -1.21499968], [0.84495000, 1.14890383]],
    (0.05, 0.2): [[-1.42450763, -2.43081699], [1.57631689, 2.35796529]],
}


def sides(gen, positive, past=None):
    """The statistics that a step of the loss compares, `past` being kept by an estimator."""
    data = {"samples": positive, "sizes": torch.tensor([gen.shape[1]])}
    if past is None:
        return data, {"samples": gen}
    rows = torch.cat([past, gen])
    weights = torch.full((len(rows),), 1 / len(rows), dtype=torch.float64)
    return data, {"samples": rows, "weights": weights, "past": weights[: len(past)]}


def draw(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize(
    ("temperatures", "expected"),
    [((0.2,), 1.0), ((0.05, 0.2), 3.99571712), ((0.02, 0.05, 0.2), 8.99215030)],
)
def test_check_values(temperatures, expected):
    """Loss, forces, sizes before normalising, gradient: the values of the specification.

    Its extra negative is an earlier sample here, that an estimator kept.
    """
    gen = GEN.clone().requires_grad_()
    loss = Drift(temperatures=temperatures)
    data, model = sides(gen, POSITIVE, NEGATIVE)
    terms, seen = loss.compare(data, model)

    assert terms["field"].item() == pytest.approx(expected, abs=1e-8)
    sizes = {0.02: 0.17736925, 0.05: 0.53685651, 0.2: 0.71328404}
    wanted = math.sqrt(sum(sizes[r] ** 2 for r in temperatures) / len(temperatures))
    assert seen["force"].item() == pytest.approx(wanted, abs=1e-8)
    if len(temperatures) > 1:
        assert {k: v.item() for k, v in seen.items() if k != "force"} == pytest.approx(
            {f"force/{r}": sizes[r] for r in temperatures}, abs=1e-8
        )
    if temperatures in FORCES:
        field = loss.field(gen.detach(), data, {k: v.detach() for k, v in model.items()})
        wanted = torch.tensor(FORCES[temperatures], dtype=torch.float64)
        torch.testing.assert_close(field.velocity, wanted, rtol=0, atol=1e-7)
    if temperatures == (0.05, 0.2):
        [slope] = torch.autograd.grad(terms["field"], gen)
        wanted = [[2.55273984, 4.35606187], [-2.82478439, -4.22551048]]
        torch.testing.assert_close(
            slope, torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=1e-7
        )


@pytest.mark.parametrize("size", [1, 3, 40])
def test_it_is_the_transcription(size):
    """Value and gradient are those of the published formulas, in float64, of any number of features."""
    gen, real, past = draw(7, size), draw(5, size, seed=1) + 0.5, draw(4, size, seed=2)
    ours, theirs = gen.clone().requires_grad_(), gen.clone().requires_grad_()
    _, value, sizes, _ = drift(theirs, real, past, (0.02, 0.05, 0.2))
    terms, seen = Drift().compare(*sides(ours, real, past))

    assert terms["field"].item() == pytest.approx(value.item(), rel=1e-9)
    assert seen["force"].item() == pytest.approx(sizes.square().mean().sqrt().item(), rel=1e-9)
    slopes = torch.autograd.grad(terms["field"], ours), torch.autograd.grad(value, theirs)
    # The transcription differentiates x / unit with a unit that it does not hold constant.
    field = drift(gen, real, past, (0.02, 0.05, 0.2))
    wanted = -2 * field[0] / (field[3] * gen.numel())
    torch.testing.assert_close(slopes[0][0], wanted, rtol=1e-9, atol=1e-12)


class Hot(Drift):
    """A wrong port: distances of normalised coordinates over tau D, sqrt(D) too hot."""

    def pairs(self, z, data, model):
        pairs = super().pairs(z, data, model)
        pairs.distances.div_(z.shape[1] ** 0.5)
        return pairs


class Cold(Drift):
    """A wrong port: distances of standardised features over tau, sqrt(D) too cold."""

    def pairs(self, z, data, model):
        pairs = super().pairs(z, data, model)
        pairs.distances.mul_(pairs.unit * z.shape[1] ** 0.5)
        return pairs


def moves_with_dimension(loss):
    """How far V moves if every feature is there sixteen times: nothing about the samples is new."""
    gen, real = draw(16, 8), draw(16, 8, seed=1)
    few = loss.field(gen, *sides(gen, real)).velocity
    many = loss.field(gen.repeat(1, 16), *sides(gen.repeat(1, 16), real.repeat(1, 16))).velocity
    return ((many[:, :8] - few).norm() / few.norm()).item()


def test_the_number_of_features_does_not_matter():
    """A temperature means the same in any dimension; of both wrong ports that is not true."""
    assert moves_with_dimension(Drift(temperatures=(0.05,))) < 1e-5
    assert moves_with_dimension(Hot(temperatures=(0.05,))) > 0.1
    assert moves_with_dimension(Cold(temperatures=(0.05,))) > 0.1


@pytest.mark.parametrize("factor", [7.0, 1e-1])
def test_units_do_not_matter(factor):
    """Features in other units have the same loss and field, but for the least square of 1e-8."""
    gen, real = draw(8, 5), draw(8, 5, seed=1) + 1
    loss = Drift()
    one, other = (loss.field(gen * k, *sides(gen * k, real * k)) for k in (1.0, factor))
    torch.testing.assert_close(one.velocity, other.velocity, rtol=0, atol=1e-4)


@pytest.mark.parametrize("loss", [Drift(), Coupling(iterations=3), Coupling(iterations=0)])
@pytest.mark.parametrize("together", [1, 300, 10**6])
@pytest.mark.parametrize("images", [7, 50])
def test_layers_together_are_each_alone(loss, together, images, monkeypatch):
    """However many layers are looked at in one call, and however the sizes of forces are found."""
    monkeypatch.setattr("gentk_fields.pairs.TOGETHER", together)
    widths = (3, 90, 1)
    gen, real = draw(8, sum(widths)), draw(images, sum(widths), seed=1) + 1
    data = {"samples": real, "sizes": torch.tensor(widths)}
    parts = loss.parts(data, {"samples": gen})
    for part, mine in zip(parts, loss.fields(parts), strict=True):
        alone = loss.field(*part)
        torch.testing.assert_close(mine.velocity, alone.velocity, rtol=1e-9, atol=1e-12)
        assert mine.norms.keys() == alone.norms.keys()
        for name, norm in mine.norms.items():
            torch.testing.assert_close(norm, alone.norms[name], rtol=1e-9, atol=0)


def test_sizes_of_forces_by_products_are_those_of_forces():
    """In float32 too: few targets take products of targets, many the forces themselves."""
    gen, real = draw(60, 400, dtype=torch.float32), draw(60, 400, seed=1, dtype=torch.float32)
    pairs = Drift().pairs(gen, *sides(gen, real))
    assert pairs.products is not None
    weights = torch.randn(3, *pairs.distances.shape)
    scales = torch.rand(3)
    found = []
    for way in (pairs, replace(pairs, products=None)):
        made, squares = way.forces(weights)
        found.append((squares, way.velocity(made, scales)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-3)
    many = draw(600, 400, seed=2, dtype=torch.float32)
    assert Drift().pairs(gen, *sides(gen, many)).products is None


def test_antisymmetry():
    """Data that are the same set as samples and earlier ones, unmasked, leave no force."""
    gen, past = draw(6, 3), draw(4, 3, seed=1)
    loss = Drift()
    loss.selves = "unmasked"
    data, model = sides(gen, torch.cat([past, gen]), past)
    field = loss.field(gen, data, model)
    assert max(v.item() for v in field.norms.values()) < 1e-12


def test_class_by_class_is_each_class_alone():
    """With classes of equal scale the field of a class is that of its samples by themselves."""
    gen, real = draw(6, 3), draw(6, 3, seed=1)
    labels = torch.arange(6)[:, None].double() % 2
    loss = Drift(per_class=True, temperatures=(0.2,))
    data, model = sides(gen, real)
    data, model = data | {"labels": labels}, model | {"labels": labels}
    whole = loss.pairs(gen, data, model)
    both = loss.coefficients(whole, 0.2)
    for k in range(2):
        mine = labels[:, 0] == k
        alone = Drift(temperatures=(0.2,))
        pairs = alone.pairs(gen[mine], *sides(gen[mine], real[mine]))
        # One scale over all classes, as the released code has it.
        ratio = pairs.unit / whole.unit
        own = pairs.distances.clone()
        own.diagonal().sub_(100)
        own *= ratio
        own.diagonal().add_(100)
        pairs.distances.copy_(own)
        wanted = alone.coefficients(pairs, 0.2)
        torch.testing.assert_close(both[mine][:, mine.repeat(2)], wanted, rtol=1e-9, atol=1e-12)
        assert not both[mine][:, ~mine.repeat(2)].any()


def test_a_class_without_data_has_no_force():
    """Samples of a class of which the minibatch has no image stay where they are."""
    gen, real = draw(4, 3), draw(4, 3, seed=1)
    data, model = sides(gen, real)
    data["labels"] = torch.zeros(4, 1).double()
    model["labels"] = torch.tensor([[0.0], [1], [0], [1]]).double()
    velocity = Drift(per_class=True).field(gen, data, model).velocity
    assert velocity.isfinite().all() and velocity[0].any() and not velocity[1::2].any()


def test_guidance_pushes_away_from_the_data_of_all():
    """Its extra negatives have the weight (w - 1)(n - 1) / m, by the transcription."""
    gen, real = draw(5, 3), draw(6, 3, seed=1)
    labels = torch.zeros(5, 1).double(), torch.tensor([[0.0]] * 4 + [[1]] * 2).double()
    loss = Drift(per_class=True, guidance=2.5, temperatures=(0.2,))
    data, model = sides(gen, real)
    field = loss.field(gen, data | {"labels": labels[1]}, model | {"labels": labels[0]})
    weights = torch.cat([torch.ones(5), torch.full((6,), 1.5 * 4 / 6), torch.ones(4)]).double()
    wanted = drift(gen, real[:4], real, (0.2,), weights)
    torch.testing.assert_close(field.velocity, wanted[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kept", [0, 6, 200])
def test_guidance_is_the_same_beside_earlier_samples(kept):
    """All images push (w - 1) times as much as the other samples of the class, kept ones included."""
    gen, real, past = draw(8, 3), draw(6, 3, seed=1), draw(kept, 3, seed=2)
    labels = [torch.arange(n)[:, None].double() % 2 for n in (8, 6, 8 + kept)]
    data, model = sides(gen, real, past if kept else None)
    loss = Drift(per_class=True, guidance=2.5)
    pairs = loss.pairs(gen, data | {"labels": labels[1]}, model | {"labels": labels[2]})
    weights = pairs.weigh(torch.ones_like(pairs.distances))
    own, pushing, _ = weights.split([8 + kept, 6, 6], dim=1)
    torch.testing.assert_close(pushing.sum(1), 1.5 * (own.sum(1) - 1))


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"temperatures": ()}, BadOption, "temperatures"),
        ({"temperatures": (0.1, -1.0)}, BadOption, "temperatures"),
        ({"eta": 0.0}, BadOption, "eta"),
        ({"guidance": 0.5}, BadOption, "guidance"),
        ({"guidance": 2.0}, Incompatible, "per-class"),
    ],
)
def test_what_cannot_be_is_refused(options, error, word):
    with pytest.raises(error, match=word):
        Drift(**options)
