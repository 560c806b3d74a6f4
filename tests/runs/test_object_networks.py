"""Networks of one's own: what is measured of them, and what they may return and raise."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import gentk
from gentk.errors import Incompatible, UsageError
from gentk.registry import Registry
from gentk.runs.objects import Given
from gentk.runs.objects.networks import OwnCritic, OwnEncoder, OwnExtractor, OwnGenerator, range_of


class Net(nn.Module):
    """A generator; the first layer says how long its latents are."""

    def __init__(self, end=torch.tanh):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 64))
        self.end = end

    def forward(self, z):
        return self.end(self.layers(z)).view(-1, 1, 8, 8)


class Judge(nn.Module):
    """A critic, or an encoder."""

    def __init__(self, outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, outputs))

    def forward(self, x):
        return self.layers(x)


def still(module, bias=0.0):
    """Make a generator's images all alike, as last layers that start at zero do."""
    nn.init.zeros_(module.layers[-1].weight)
    nn.init.constant_(module.layers[-1].bias, bias)
    return module


@pytest.mark.parametrize("bias", [0.0, 0.5, -0.5])
@pytest.mark.parametrize("end", [torch.tanh, torch.sigmoid])
def test_the_range_of_images_that_do_not_depend_on_latents_is_asked_for(end, bias):
    """A tanh whose images are none but zero reaches no more of its range than a sigmoid does."""
    with pytest.raises(UsageError, match=r"Net.*gentk\.own\(G, range="):
        range_of(still(Net(end=end), bias), 4)
    said = gentk.own(still(Net(end=end), bias), range="signed")
    assert Given(Registry()).text("generator", said).count(",range=signed") == 1


@pytest.mark.parametrize(("latent", "written"), [(4, "4"), (4.0, "4"), ("4", "4"), (1e2, "100")])
def test_the_length_of_latents_is_a_whole_number_however_written(latent, written):
    """One length is one text, so that runs of it are the same."""
    own = gentk.own(Net(), latent=latent, range="signed")
    assert f",latent={written}" in Given(Registry()).text("generator", own)


@pytest.mark.parametrize("latent", [4.5, "four", True, 0, -3, float("nan")])
def test_what_is_no_length_of_latents_is_refused(latent):
    """Before the network is tried with it; the sentence has what to write."""
    with pytest.raises(UsageError, match=r"latent"):
        Given(Registry()).text("generator", gentk.own(Net(), latent=latent))


class Several(nn.Module):
    """A network that returns what it makes in another form: beside something else, or not at all."""

    def __init__(self, inner, form):
        super().__init__()
        self.inner, self.form = inner, form

    def forward(self, x):
        return self.form(self.inner(x))


class Careful(nn.Module):
    """A network that refuses its inputs by an exception of its own."""

    def __init__(self, error):
        super().__init__()
        self.error = error
        self.weight = nn.Parameter(torch.zeros(4))

    def forward(self, x):
        raise self.error


FORMS = {
    "tuple": lambda y: (y, None),
    "list": lambda y: [y],
    "NoneType": lambda y: None,
    "dict": lambda y: {"images": y},
    "float": lambda y: float(y.sum()),
}


WRAPPED = {
    "generator": lambda form: OwnGenerator(Several(Net(), form), (1, 8, 8), 4, "signed"),
    "measured": lambda form: range_of(Several(Net(), form), 4),
    "encoder": lambda form: OwnEncoder(Several(Judge(4), form), (1, 8, 8), 4, "signed"),
    "critic": lambda form: OwnCritic(Several(Judge(1), form), (1, 8, 8), 4, "signed", pairs=False),
}


@pytest.mark.parametrize(
    ("kind", "form"),
    [(k, f) for k in WRAPPED for f in FORMS if (k, f) != ("critic", "dict")],
)
def test_a_network_that_returns_no_tensor_is_refused_by_what_it_returns(kind, form):
    """The sentence has the type's name; scores alone may be a dict."""
    with pytest.raises(Incompatible, match=rf"Several.*\b{form}\b.*tensor"):
        WRAPPED[kind](FORMS[form])


@pytest.mark.parametrize(
    "scores", [{}, {"x": None}, {"x": (1, 2)}, {"x": torch.zeros(2), "y": torch.zeros(2, 3)}]
)
def test_scores_by_name_are_a_tensor_each(scores):
    """Every one of a dict, not only the first, and there is one."""
    critic = Several(Judge(1), lambda y: {"x": y.squeeze(1), "y": y.mean(1)})
    assert OwnCritic(critic, (1, 8, 8), 4, "signed", pairs=False)(
        torch.zeros(3, 1, 8, 8)
    ).keys() == {
        "x",
        "y",
    }
    critic = Several(Judge(1), lambda y: scores)
    with pytest.raises(Incompatible, match="Several"):
        OwnCritic(critic, (1, 8, 8), 4, "signed", pairs=False)


@pytest.mark.parametrize(
    "error", [AssertionError(), AttributeError("no x"), ZeroDivisionError(), OSError("no file")]
)
def test_what_a_network_raises_is_said_in_a_sentence(error):
    """Whichever it is, an empty one by its name."""
    with pytest.raises(Incompatible, match=rf"Careful.*{str(error) or type(error).__name__}"):
        range_of(Careful(error), 4)
    with pytest.raises(Incompatible, match=rf"Careful.*{str(error) or type(error).__name__}"):
        OwnGenerator(Careful(error), (1, 8, 8), 4, "signed")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda x: 3, "int"),
        (lambda x: None, "NoneType"),
        (lambda x: [x, None], "NoneType"),
        (lambda x: {"a": x, "b": (x,)}, "tuple"),
        (lambda x: [], "no features"),
        (lambda x: {}, "no features"),
    ],
)
def test_an_extractor_returns_tensors(made, words):
    """Alone, in a list or by name; anything else in these is named by its type."""
    with pytest.raises(Incompatible, match=words):
        OwnExtractor(made, "key", "layer", "unit")(torch.zeros(2, 1, 8, 8))
