"""Probes: what the classifiers are given, what they answer on features whose labels are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gentk.errors import BadOption, DataError
from gentk.summary import Samples
from gentk_bigbigan.probe import EPS, Probe, crelu, standardised


def labelled(rows, labels):
    """Summarise one layer of features, with labels."""
    return replace(Samples.of({"layer": rows}), labels=labels)


def classes(count, seed, *, noise=0.1, number=3):
    """Features about one corner a class, and the classes."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % number
    return torch.eye(number)[y] * 4 + noise * torch.randn(count, number, generator=draw), y


def accuracy(probe, train, test):
    """The first figure of a probe fitted to `train` for `test`."""
    return probe.values(labelled(*test), labelled(*test), train=labelled(*train))[0]


def test_crelu_is_the_positive_and_the_negative_part():
    """Non-negative, twice as wide, and the difference of its halves is h."""
    h = torch.randn(7, 5)
    found = crelu(h)
    assert found.shape == (7, 10) and (found >= 0).all()
    torch.testing.assert_close(found[:, :5] - found[:, 5:], h)
    assert (found[:, :5] * found[:, 5:] == 0).all()


def test_the_batch_norm_has_no_parameters_and_the_training_images_statistics():
    """Training features get mean 0 and variance 1; test features go through the same map."""
    train, test = torch.randn(500, 4) * 3 + 2, torch.randn(9, 4)
    torch.testing.assert_close(
        standardised(train, train).mean(0), torch.zeros(4), atol=1e-5, rtol=0
    )
    variance = standardised(train, train).var(0, correction=0)
    torch.testing.assert_close(variance, torch.ones(4), atol=1e-4, rtol=0)
    scale = (train.var(0, correction=0) + EPS).sqrt()
    torch.testing.assert_close(standardised(test, train), (test - train.mean(0)) / scale)


@pytest.mark.parametrize("classifier", ["linear", "svm", "neighbours"])
@pytest.mark.parametrize("features", ["avepool", "crelu", "raw"])
def test_classes_that_can_be_told_apart_are(classifier, features):
    """Accuracy 1 on corners, chance on labels that have nothing to do with the features."""
    probe = Probe(classifier=classifier, features=features)
    found = accuracy(probe, classes(300, 0), classes(90, 1))
    assert (found.name, found.value, found.direction) == ("probe", 1.0, "higher")

    x, y = classes(600, 2, noise=1.0)
    mixed = y[torch.randperm(600, generator=torch.Generator().manual_seed(0))]
    chance = accuracy(probe, (x, mixed), classes(300, 3))
    assert abs(chance.value - 1 / 3) < 0.2 and chance.error == pytest.approx(
        (chance.value * (1 - chance.value) / 300) ** 0.5
    )


def test_one_neighbour_is_the_nearest_of_all():
    """Against distances computed by hand."""
    x, y = classes(80, 4, noise=3.0)
    test_x, test_y = classes(40, 5, noise=3.0)
    nearest = torch.cdist(test_x.double(), x.double()).argmin(1)
    found = accuracy(Probe(classifier="neighbours", features="raw"), (x, y), (test_x, test_y))
    assert found.value == pytest.approx(float((y[nearest] == test_y).double().mean()))


def test_maps_are_averaged_and_layers_may_be_looked_at_alone():
    """AvePool; `by_layer` has a figure a layer, of which only one knows the labels."""
    probe = Probe(by_layer=True)
    maps = torch.randn(6, 3, 4, 4)
    torch.testing.assert_close(probe.summarise({"a": maps}).rows, maps.mean((2, 3)))

    def both(count, seed):
        x, y = classes(count, seed)
        noise = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
        return replace(Samples.of({"noise": noise, "signal": x}), labels=y)

    test = both(90, 1)
    noise, signal = probe.values(test, test, train=both(300, 0))
    assert (noise.name, signal.name) == ("probe/noise", "probe/signal")
    assert signal.value == 1.0 and noise.value < 0.6


def test_many_classes_have_a_top_five():
    """With more than ten classes: the share whose class is among the five best."""
    probe = Probe(c=1.0)
    test = labelled(*classes(240, 1, number=12, noise=2.0))
    first, five = probe.values(test, test, train=labelled(*classes(600, 0, number=12, noise=2.0)))
    assert (first.name, five.name) == ("probe", "probe/top5")
    assert first.value < five.value <= 1


def test_what_has_no_label_is_left_out():
    """Unlabelled images count on neither side; none at all, or one class, is refused."""
    x, y = classes(300, 0)
    some = torch.where(torch.arange(300) % 2 == 0, y, -1)
    assert accuracy(Probe(), (x, some), classes(90, 1)).value == 1.0
    with pytest.raises(DataError, match="type --data cifar10"):
        accuracy(Probe(), (x, torch.zeros_like(y)), classes(90, 1))
    with pytest.raises(DataError, match="needs labelled images"):
        Probe().values(Samples.of({"layer": x}), Samples.of({"layer": x}), train=labelled(x, y))
    with pytest.raises(BadOption, match="must be above 0; write k=1"):
        Probe(k=0)


def test_a_limit_takes_the_first_training_images():
    """Two images of two classes teach only these."""
    x, y = classes(300, 0)
    found = accuracy(
        Probe(limit=2, classifier="neighbours", features="raw"), (x, y), classes(90, 1)
    )
    assert found.value == pytest.approx(2 / 3)


def test_a_limit_is_a_draw_and_not_the_first_images():
    """Training images sorted by class are fitted to all the same; the draw is always the same one."""
    x, y = classes(600, 0, number=4)
    order = y.argsort(stable=True)
    train, test = labelled(x[order], y[order]), labelled(*classes(200, 1, number=4))
    values = [Probe(limit=60).values(test, test, train=train)[0].value for _ in range(2)]

    assert values[0] == values[1] > 0.8
