"""Objects beside names: what Python gives to a run, how it is known again, and what is refused."""

from __future__ import annotations

import copy
import functools
import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

import gentk
from gentk.errors import GentkError, Incompatible, RunError, UnknownName, UsageError
from gentk.interfaces import AdversarialLoss, MatchingLoss
from gentk.registry import Registry
from gentk.runs.objects import Given
from gentk.runs.objects.identity import Own, key_of
from gentk.runs.objects.networks import range_of


class Net(nn.Module):
    """A generator as people write them; the first layer says how long its latents are."""

    def __init__(self, width=8, side=8, end=torch.tanh):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, side * side))
        self.side, self.end = side, end

    def forward(self, z):
        return self.end(self.layers(z)).view(-1, 1, self.side, self.side)


class Judge(nn.Module):
    """An extractor, or a critic with one score."""

    def __init__(self, outputs=3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, outputs)
        )

    def forward(self, x):
        return self.layers(x.view(len(x), 1, 8, 8))  # view: refuses what is not contiguous


class Pairs(Dataset):
    """A data set of torch: images and classes."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return torch.full((1, 8, 8), index / 11), index % 3


def means(real, fake):
    """The squared distance of means, by layer."""
    return {name: (real[name].mean(0) - fake[name].mean(0)).square().sum() for name in real}


PHOTOS = torch.rand(48, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def settings(**more):
    """A run of objects and names."""
    torch.manual_seed(7)
    return {
        "data": PHOTOS,
        "generator": Net(),
        "extractor": [Judge(), "pixels"],
        "loss": gentk.own(means, name="means"),
        "optimizer": functools.partial(torch.optim.Adam, lr=1e-2),
        "estimator": "batch",
        "ema": "none",
        "decay": "none",
        "batch": 8,
        "steps": 6,
        "device": "cpu",
        "observer": ["metrics"],
        **more,
    }


def weights(module):
    return [value.clone() for value in module.state_dict().values()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_run_takes_objects_and_names_and_leaves_the_objects_alone(tmp_path):
    """What is trained is a copy, what is recorded is where classes are defined."""
    given = settings(out=tmp_path / "a")
    before = weights(given["generator"]), weights(given["extractor"][0])
    run = gentk.run(**given)

    assert same(before[0], weights(given["generator"]))
    assert same(before[1], weights(given["extractor"][0]))
    assert not same(before[0], weights(run.generator.module))
    assert run.recipe.generator.startswith(f"object:{__name__}.Net-")
    assert run.recipe.generator.endswith(",latent=4,range=signed")
    assert run.recipe.losses == (f"object:{__name__}.means-means",)
    assert run.recipe.optimizer.startswith("object:torch.optim.adam.Adam-")
    assert run.recipe.extractor[1] == "pixels"
    assert {"loss/Judge", "loss/pixels"} <= set(run.metrics)


def test_a_run_of_objects_goes_on_when_they_are_given_again(tmp_path):
    """Interrupted and going on, with fresh objects of the same classes: bit for bit the whole run."""
    whole = gentk.run(**settings(out=tmp_path / "whole"))

    gentk.run(**settings(out=tmp_path / "parts", steps=3))
    parts = gentk.run(**settings(out=tmp_path / "parts"))

    assert parts.steps == whole.steps == 6
    assert same(weights(whole.generator), weights(parts.generator))
    assert gentk.run(**settings(out=tmp_path / "parts")).result == parts.result


def test_a_folder_is_opened_with_its_objects(tmp_path):
    """Without them, or with others, a sentence says which to give; with them it serves."""
    run = gentk.run(**settings(out=tmp_path / "a"))

    with pytest.raises(UnknownName, match=r"generator.*test_objects\.Net-.*generator="):
        gentk.load(tmp_path / "a")
    with pytest.raises(UsageError, match=r"Net-\w+.*Judge-\w+"):
        gentk.load(tmp_path / "a", generator=Judge())
    with pytest.raises(UsageError, match="critic"):
        gentk.load(tmp_path / "a", generator=Net(), critic=Judge(1))
    again = gentk.load(tmp_path / "a", generator=Net())
    assert torch.equal(again.sample(4), run.sample(4))
    with pytest.raises(UnknownName, match="data="):
        again.evaluate(extractors="pixels", count=8)
    first = run.evaluate(extractors="pixels", count=8)["fd"].value
    second = gentk.load(tmp_path / "a", generator=Net(), data=PHOTOS.clone())
    assert second.evaluate(extractors="pixels", count=8)["fd"].value == first


def test_the_command_line_names_the_object_that_it_lacks(tmp_path):
    """`gentk sample` of such a run is a sentence, not a traceback."""
    gentk.run(**settings(out=tmp_path / "a", steps=1))
    command = [sys.executable, "-m", "gentk", "sample", str(tmp_path / "a")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    assert done.returncode == 2, done.stderr
    assert "Net-" in done.stderr
    assert "gentk.load" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_identifies_an_object():
    """A trained network by class and shapes, an extractor by its weights too, data by their bytes."""
    key = lambda kind, value, **more: key_of(kind, Own(value, **more))  # noqa: E731
    torch.manual_seed(0)
    net, judge = Net(), Judge()

    assert key("generator", net) == key("generator", Net())
    assert key("generator", net) != key("generator", Net(width=9))
    assert key("extractor", judge) == key("extractor", copy.deepcopy(judge))
    assert key("extractor", judge) != key("extractor", Judge())
    assert key("data", PHOTOS) == key("data", PHOTOS.clone())
    assert key("data", PHOTOS) != key("data", PHOTOS + 1e-6)
    assert key("data", PHOTOS) != key("data", PHOTOS, labels=torch.zeros(48, dtype=torch.int64))
    adam = functools.partial(torch.optim.Adam, lr=1e-3)
    assert key("optimizer", adam) == key("optimizer", functools.partial(torch.optim.Adam, lr=1e-3))
    assert key("optimizer", adam) != key("optimizer", functools.partial(torch.optim.Adam, lr=2e-3))
    assert key("loss", means, name="a").endswith(".means-a")
    for kind, value in (("loss", means), ("extractor", torch.sin), ("data", Pairs())):
        if kind != "data":
            with pytest.raises(UsageError, match=f"{kind}=gentk.own"):
                key(kind, value)


class Scaled(nn.Module):
    """A network whose setting is an attribute, whatever that is."""

    def __init__(self, held):
        super().__init__()
        self._held = held

    def forward(self, x):
        return x.flatten(1)


class Setting:
    """An object that a network holds."""

    def __init__(self, value):
        self.value = value


def halved(x):
    return x / 2


SETTINGS = {
    "a size": (nn.AvgPool2d(2), nn.AvgPool2d(4)),
    "a slope": (nn.LeakyReLU(0.1), nn.LeakyReLU(0.2)),
    "a slope within": (
        nn.Sequential(nn.Identity(), nn.LeakyReLU(0.1)),
        nn.Sequential(nn.Identity(), nn.LeakyReLU(0.2)),
    ),
    "a stride": (nn.Unfold(2, stride=1), nn.Unfold(2, stride=2)),
    "a number": (Scaled(1.0), Scaled(2.0)),
    "numbers": (Scaled([1, (2, 3)]), Scaled([1, (2, 4)])),
    "a table": (Scaled({"a": 1}), Scaled({"a": 2})),
    "a number of numpy": (Scaled(np.float32(1)), Scaled(np.float32(2))),
    "nothing": (Scaled(None), Scaled(False)),
    "a function": (Scaled(torch.tanh), Scaled(torch.sigmoid)),
    "a function of functional": (Scaled(nn.functional.relu), Scaled(nn.functional.elu)),
    "a function of one's own": (Scaled(halved), Scaled(means)),
    "a partial": (
        Scaled(functools.partial(torch.clamp, min=0)),
        Scaled(functools.partial(torch.clamp, min=1)),
    ),
    "a class": (Scaled(nn.ReLU), Scaled(nn.ELU)),
    "a tensor": (Scaled(torch.ones(3)), Scaled(torch.zeros(3))),
    "arrays": (Scaled([np.ones(3)]), Scaled([np.zeros(3)])),
    "an object": (Scaled(Setting(1)), Scaled(Setting(2))),
    "an object that holds a tensor": (
        Scaled(Setting(torch.ones(1))),
        Scaled(Setting(torch.ones(2))),
    ),
    "a network in a list": (Scaled([nn.LeakyReLU(0.1)]), Scaled([nn.LeakyReLU(0.2)])),
    "a traced graph": (
        torch.fx.symbolic_trace(nn.Sequential(nn.LeakyReLU(0.1))),
        torch.fx.symbolic_trace(nn.Sequential(nn.LeakyReLU(0.2))),
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("kind", ["extractor", "generator", "init"])
def test_the_settings_of_a_network_tell_it_from_another(name, kind):
    """Of every part; and a copy in another mode, or on another device, is the same."""
    one, other = SETTINGS[name]
    key = key_of(kind, Own(one))

    assert key != key_of(kind, Own(other))
    copied = copy.deepcopy(one)
    assert key == key_of(kind, Own(copied.train().requires_grad_(False)))
    assert key == key_of(kind, Own(copied.eval()))


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_the_program_of_a_scripted_network_tells_it_from_another():
    """They are all of one class; what it holds counts, in another mode and loaded again too."""

    class Times(nn.Module):
        def __init__(self, by: float):
            super().__init__()
            self.by = by

        def forward(self, x):
            return x * self.by

    for kind in (nn.LeakyReLU, Times):
        one, same, other = (torch.jit.script(kind(number)) for number in (0.1, 0.1, 0.2))
        file = io.BytesIO()
        torch.jit.save(one, file)
        file.seek(0)
        loaded = key_of("extractor", Own(torch.jit.load(file)))
        file.seek(0)
        assert loaded == key_of("extractor", Own(torch.jit.load(file).eval()))
        assert key_of("extractor", Own(one)) == key_of("extractor", Own(same.eval()))
        assert key_of("extractor", Own(one)) != key_of("extractor", Own(other))
    assert key_of("extractor", Own(torch.jit.script(nn.Sequential(nn.Sequential()))))


def test_the_key_of_a_network_is_the_same_in_another_session():
    """No address and no order of a set is in it."""
    code = (
        "import torch\nfrom torch import nn\nfrom gentk.runs.objects.identity import Own, key_of\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.end, self.names, self.held = torch.tanh, {'a', 'b', 'c'}, object()\n"
        "    def extra_repr(self):\n        return f'{self.end} {self.held}'\n"
        "print(key_of('generator', Own(Net())))\n"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    "held",
    [lambda x: x, object(), iter(()), [lambda x: x], Setting(lambda x: x)],
    ids=["lambda", "object", "iterator", "list", "attribute"],
)
def test_an_extractor_that_holds_what_nothing_identifies_is_named(held):
    """Its key decides what is taken from a cache; a network that is trained needs none."""
    with pytest.raises(UsageError, match=r"extractor=gentk\.own\(.*name="):
        key_of("extractor", Own(Scaled(held)))
    assert key_of("extractor", Own(Scaled(held), name="mine")).endswith("Scaled-mine")
    assert key_of("generator", Own(Scaled(held)))


def test_an_extractor_is_told_by_the_objects_that_it_holds():
    """Their attributes, and tensors that are no buffers; what holds itself must be named."""
    for one, other in ((Setting(1), Setting(2)), (torch.zeros(2), torch.ones(2))):
        assert key_of("extractor", Own(Scaled(one))) != key_of("extractor", Own(Scaled(other)))
    around: list[object] = []
    around.append(around)
    with pytest.raises(UsageError, match="name="):
        key_of("extractor", Own(Scaled(around)))


@pytest.mark.parametrize(
    ("kind", "pair"),
    [
        ("extractor", (gentk.own(lambda x: -x, name="f"), gentk.own(lambda x: x, name="f"))),
        ("extractor", (gentk.own(Judge(), name="f"), gentk.own(Judge(), name="f"))),
        ("generator", (Net(), Net())),
        ("data", (gentk.own(PHOTOS, name="f"), gentk.own(PHOTOS + 0, name="f"))),
        ("data", (gentk.own(Pairs(), name="f", labels=[0]), gentk.own(Pairs(), name="f"))),
    ],
)
def test_two_objects_that_go_by_one_key_are_refused(kind, pair):
    """One would stand for both; what is the same may be given twice."""
    given = Given(Registry())
    given.hold(kind, pair[0])
    given.hold(kind, pair[0])
    with pytest.raises(UsageError, match=rf"{kind}=gentk\.own\(.*name="):
        given.hold(kind, pair[1])


def test_what_is_equal_in_all_that_there_is_may_be_given_twice():
    """As where every phase makes its own: a method, an extractor, a component."""
    from gentk_moments.loss import MomentsLoss

    judge = Judge()
    own = Given(Registry())
    for kind, make in {
        "optimizer": lambda: gentk.own(own.keys, name="f"),
        "extractor": lambda: copy.deepcopy(judge),
        "loss": MomentsLoss,
        "data": PHOTOS.clone,
    }.items():
        assert own.hold(kind, make())[0] == own.hold(kind, make())[0]


def test_two_extractors_of_other_settings_are_both_there():
    """[AvgPool2d(2), AvgPool2d(4)] are two, unless both are given one name."""
    made = gentk.compose(
        data=PHOTOS,
        generator=Net(),
        extractor=[nn.AvgPool2d(2), nn.AvgPool2d(4)],
        loss="moments",
        steps=1,
    )
    assert len(set(made.recipe.extractor)) == 2
    with pytest.raises(UsageError, match="name="):
        gentk.compose(
            data=PHOTOS,
            generator=Net(),
            extractor=[gentk.own(nn.AvgPool2d(2), name="a"), gentk.own(nn.AvgPool2d(4), name="a")],
            steps=1,
        )


def test_another_setting_is_another_run(tmp_path):
    """It does not return what the first one came to; the sentence names what differs."""
    keys = {"out": tmp_path / "a", "steps": 1, "extractor": "pixels"}
    gentk.run(**settings(generator=Net(end=torch.tanh), **keys))
    with pytest.raises(RunError, match=r"another run.*generator"):
        gentk.run(**settings(generator=Net(end=torch.sin), **keys))
    for key, value in {
        "seed": 3,
        "batch": 4,
        "ema": "0.9",
        "chunk": 2,
        "init": "a, b=.safetensors",
    }.items():
        with pytest.raises(RunError, match=rf"another run.*{key}"):
            gentk.run(**settings(**{**keys, key: value, "decay": "none"}))


def test_a_run_whose_keys_were_made_otherwise_goes_on_once_its_objects_are_said_to_be_them(
    tmp_path,
):
    """As those of an earlier version: the sentences say how, and layers are called as they were."""
    digest = "0123456789ab"
    old = {
        "generator": gentk.own(Net(), name=digest),
        "extractor": [gentk.own(Judge().requires_grad_(False), name=digest), "pixels"],
    }
    run = gentk.run(**settings(out=tmp_path / "a", steps=2, **old))
    assert "loss/Judge" in run.metrics

    with pytest.raises(UsageError, match=rf"generator=gentk\.own\(.*name='{digest}'"):
        gentk.load(tmp_path / "a", generator=Net())
    with pytest.raises(RunError, match=rf"another run.*generator=gentk\.own\(.*name='{digest}'"):
        gentk.run(**settings(out=tmp_path / "a", steps=3))
    opened = gentk.load(tmp_path / "a", generator=gentk.own(Net(), name=digest))
    assert torch.equal(opened.sample(2), run.sample(2))
    assert gentk.run(**settings(out=tmp_path / "a", steps=3, **old)).steps == 3


@pytest.mark.parametrize(
    ("given", "count", "labels"),
    [
        (PHOTOS, 48, None),
        (PHOTOS.numpy(), 48, None),
        ((PHOTOS * 255).to(torch.uint8), 48, None),
        (TensorDataset(PHOTOS, torch.arange(48) % 2), 48, 2),
        ((PHOTOS, np.arange(48) % 3), 48, 3),
        (gentk.own(Pairs(), name="pairs"), 12, 3),
        (gentk.own(PHOTOS, size=16, channels=3, limit=10), 10, None),
    ],
)
def test_images_come_in_many_forms(given, count, labels):
    """Tensors, arrays, tuples with labels and data sets of torch are data, with the options of data."""
    images = gentk.compose(data=given, extractor="pixels", generator="mlp,latent=4", steps=1).images

    assert len(images) == count
    assert images.shape[1] == (16 if isinstance(given, Own) and given.options else 8)
    assert (None if images.labels is None else len(images.labels.unique())) == labels
    if images.shape == (1, 8, 8) and count == 48:
        np.testing.assert_allclose(images.batch([5])[0] / 255, PHOTOS[5], atol=1 / 255)


def test_a_function_is_an_extractor_and_its_loss_sees_whole_batches(tmp_path):
    """Chunks change nothing: the loss is given all samples of a step, in the features' own shapes."""
    seen = []

    def edges(images):
        return {"x": images[..., 1:] - images[..., :-1]}

    def loss(real, fake):
        seen.append((real["x"].shape, fake["x"].shape))
        return (real["x"].mean(0) - fake["x"].mean(0)).square().mean()

    runs = [
        gentk.run(
            **settings(
                extractor=gentk.own(edges, name="edges"),
                loss=gentk.own(loss, name="mean"),
                optimizer="sgd,lr=1",
                chunk=chunk,
                steps=2,
                out=tmp_path / str(chunk),
            )
        )
        for chunk in (8, 4)
    ]
    assert set(seen) == {((8, 1, 8, 7), (8, 1, 8, 7))}
    for a, b in zip(*(weights(run.generator) for run in runs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_range_of_a_generator_is_measured():
    """Bounded outputs say their range for all latents, others are asked about."""
    assert range_of(Net(end=torch.tanh), 4) == "signed"
    assert range_of(Net(end=torch.sigmoid), 4) == "unit"
    assert range_of(Net(end=lambda x: x.clamp(0, 1)), 4) == "unit"
    with pytest.raises(UsageError, match="range="):
        range_of(Net(end=torch.nn.Identity()), 4)


def test_a_critic_of_ones_own_plays(tmp_path):
    """A game of two modules; the critic is trained as a copy too."""
    critic = Judge(1)
    before = weights(critic)
    keys = settings(
        loss="hinge", critic=critic, extractor=None, estimator=None, out=tmp_path / "game"
    )
    run = gentk.run(**{key: value for key, value in keys.items() if value is not None})

    assert same(before, weights(critic))
    assert run.sample(2).shape == (2, 1, 8, 8)


def test_a_registered_class_goes_by_its_name(tmp_path):
    """Its keyword-only arguments are options; another one of the name replaces it; bases are checked."""
    from gentk_moments.loss import MomentsLoss

    @gentk.register("loss", "tripled")
    class Tripled(MomentsLoss):
        """Three times the distance."""

        def __init__(self, *, by: float = 3.0):
            super().__init__()
            self.by = by

        def forward(self, data, model):
            return {name: self.by * value for name, value in super().forward(data, model).items()}

    losses = {}
    for text in ("moments", "tripled", "tripled,by=5"):
        run = gentk.run(**settings(loss=text, steps=1, out=tmp_path / text))
        losses[text] = run.metrics["loss"][0]
    assert losses["tripled"] == pytest.approx(3 * losses["moments"], rel=1e-5)
    assert losses["tripled,by=5"] == pytest.approx(5 * losses["moments"], rel=1e-5)
    with pytest.raises(UsageError, match=r"MatchingLoss|interfaces\.Loss"):
        gentk.register("loss", "mine")(Net)
    with pytest.raises(UsageError, match="moments"):
        gentk.register("loss", "moments")
    with pytest.raises(UsageError, match="'loss'"):
        gentk.register("los", "mine")
    with pytest.raises(UsageError, match="Mine"):
        gentk.register("loss", "Mine")


WRONG = {
    "no number is data": ({"data": 5}, UsageError, "data"),
    "values beyond [0, 1]": ({"data": PHOTOS * 3}, GentkError, r"\[0, 1\]"),
    "a class": ({"generator": Net}, UsageError, r"Net\("),
    "a function without a name": ({"loss": means}, UsageError, "name="),
    "a module is no loss": ({"loss": Judge()}, UsageError, "loss"),
    "images of another size": (
        {"generator": Net(side=4)},
        Incompatible,
        r"Net.*1, 4, 4\).*1, 8, 8\).*size=4,channels=1",
    ),
    "no scalar": (
        {"loss": gentk.own(lambda real, fake: fake["pixels"], name="f")},
        Incompatible,
        "scalar",
    ),
    "no optimiser": (
        {"optimizer": gentk.own(lambda parameters: 3, name="f")},
        UsageError,
        "optimi[sz]er",
    ),
    "a misspelt option": ({"data": gentk.own(PHOTOS, sze=3)}, UsageError, "'size'"),
    "an encoder nobody uses": ({"encoder": Judge(4)}, Incompatible, "encoder="),
    "two scores": (
        {"loss": "hinge", "critic": Judge(2), "extractor": None, "estimator": None},
        Incompatible,
        r"\(2, 2\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_serve_is_refused_in_a_sentence_of_python(name, tmp_path):
    """One sentence that says what to write; no options of a command line; nothing is left behind."""
    given, kind, words = WRONG[name]
    keys = settings(extractor="pixels", out=tmp_path / "run") | given
    with pytest.raises(kind, match=words) as caught:
        gentk.run(**{key: value for key, value in keys.items() if value is not None})
    assert "--" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("run/checkpoints/*"))


def test_a_component_is_given_as_it_is(tmp_path):
    """An object that is a component is used as such, and known by its options."""
    from gentk_moments.loss import MomentsLoss

    by_name = gentk.run(**settings(loss="moments", steps=2, out=tmp_path / "name"))
    by_object = gentk.run(**settings(loss=MomentsLoss(), steps=2, out=tmp_path / "object"))

    assert isinstance(MomentsLoss(), MatchingLoss)
    assert not issubclass(MomentsLoss, AdversarialLoss)
    np.testing.assert_array_equal(by_name.metrics["loss"], by_object.metrics["loss"])
    with pytest.raises(RunError, match="another run"):
        gentk.run(**settings(loss="moments", steps=2, out=tmp_path / "object"))


def test_objects_are_lent_and_not_kept():
    """A registry that was lent objects is another one."""
    registry = Registry()
    given = Given(registry)
    text = given.text("generator", Net())
    assert given.registry.knows("generator", text)
    assert not registry.knows("generator", text)
    assert "object" not in [row.component.name for row in given.registry.select("generator")]
