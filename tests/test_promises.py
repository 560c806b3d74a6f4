"""Classes of strangers: what they return, declare and forget is told by their own name."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import gentk
from gentk.errors import Incompatible, UsageError
from gentk.field import FieldLoss
from gentk.interfaces import (
    AdversarialLoss,
    Critic,
    Encoder,
    Estimator,
    Extractor,
    Generator,
    ImageShape,
    MatchingLoss,
    Metric,
    MetricValue,
    Penalty,
    ReconstructionLoss,
    Source,
)
from gentk.prior import Prior
from gentk.registry import Registry
from gentk.summary import MomentSums, Samples
from gentk.testing import SUITES, examine

IMAGE = ImageShape(1, 8, 8)
IMAGES, LATENTS = torch.zeros(6, *IMAGE), torch.zeros(6, 4)


class MyGenerator(Generator):
    """What `result` makes of images."""

    def __init__(self, *, image: ImageShape = IMAGE):
        super().__init__()
        self.image, self.prior = image, Prior(dimension=4)
        self.linear = nn.Linear(4, 64)
        self.result = lambda x: x

    def forward(self, latents):
        return self.result(self.linear(latents).tanh().unflatten(1, tuple(self.image)))


class MyEncoder(Encoder):
    image, latent = IMAGE, 4
    result = staticmethod(lambda x: x)

    def forward(self, images):
        return self.result(images.flatten(1)[:, :4])


class MyExtractor(Extractor):
    channels = None
    result = staticmethod(lambda x: {"a": x})

    def forward(self, images):
        return self.result(images)

    def fingerprint(self):
        return None


class MyCritic(Critic):
    image = IMAGE
    result = staticmethod(lambda x: {"x": x.mean((1, 2, 3))})

    def forward(self, images, latents=None):
        return self.result(images)


class MyJudge(Critic):
    image = IMAGE

    def judge(self, images, latents=None, labels=None):
        return {"x": images.mean((1, 2, 3))}


class MyLoss(MatchingLoss):
    summary = MomentSums
    result = staticmethod(lambda x: {"gap": x})
    makes = staticmethod(lambda x: x)
    names = staticmethod(lambda: {"mean": "real"})
    has = staticmethod(lambda x: {"mean": x})

    def kinds(self):
        return self.names()

    def summarise(self, features, like=None, labels=None):
        return self.makes(MomentSums.of(features, "none", like))

    def statistics(self, summary):
        return self.has(summary.mean())

    def forward(self, data, model):
        return self.result((data["mean"] - model["mean"]).square().sum())

    def fingerprint(self):
        return "mine"


class MyMetric(Metric):
    summary = MomentSums
    result = staticmethod(lambda: [MetricValue("gap", 1.0)])

    def summarise(self, features, like=None):
        return None

    def values(self, reference, sample, **also):
        return self.result()

    def fingerprint(self):
        return "mine"


class MyEstimator(Estimator):
    result = staticmethod(lambda x: x)

    def start(self, data, seed=None):
        pass

    def forward(self, model, data):
        return self.result(model)


class MyPenalty(Penalty):
    def forward(self, play):
        return {"size": 0.0}


class MyGame(AdversarialLoss):
    watch = "force"

    def critic_loss(self, play):
        return {}

    def generator_loss(self, play):
        return torch.zeros(())

    def observe(self, play):
        return {"size": torch.zeros(())}


class MyDistance(ReconstructionLoss):
    def forward(self, images, reconstruction):
        return {"mse": (images - reconstruction).square().mean(0)}


class MyData(Source):
    def records(self, split):
        return [IMAGES]

    def validation(self):
        return 5

    def report(self):
        return "12 images"


def changed(cls, **results):
    """An object of a class that returns something else."""
    part = cls()
    for name, result in results.items():
        setattr(part, name, result)
    return part


FEATURES = {"a": torch.ones(6, 3)}
SUM = MomentSums.of(FEATURES, "none", None)
MEAN = {"mean": torch.ones(3)}

BROKEN = {
    "generator nothing": (lambda: changed(MyGenerator, result=lambda x: None)(LATENTS), "None"),
    "generator dict": (lambda: changed(MyGenerator, result=lambda x: {"x": x})(LATENTS), "'x'"),
    "generator vector": (
        lambda: changed(MyGenerator, result=lambda x: x.flatten(1))(LATENTS),
        r"\(6, 64\).*\(6, 1, 8, 8\)",
    ),
    "generator fewer": (
        lambda: changed(MyGenerator, result=lambda x: x[:3])(LATENTS),
        r"\(3, 1, 8, 8\).*\(6, 1, 8, 8\)",
    ),
    "generator larger": (
        lambda: changed(MyGenerator, result=lambda x: x.repeat(1, 3, 2, 2))(LATENTS),
        "size=16,channels=3",
    ),
    "encoder pair": (lambda: changed(MyEncoder, result=lambda x: (x, x))(IMAGES), "tuple"),
    "encoder map": (
        lambda: changed(MyEncoder, result=lambda x: x[..., None])(IMAGES),
        r"\(6, 4, 1\).*\(6, 4\)",
    ),
    "extractor nothing": (lambda: changed(MyExtractor, result=lambda x: None)(IMAGES), "None"),
    "extractor tensor": (lambda: changed(MyExtractor, result=lambda x: x)(IMAGES), "dict"),
    "extractor no layer": (
        lambda: changed(MyExtractor, result=lambda x: {})(IMAGES),
        "no features",
    ),
    "extractor rows": (
        lambda: changed(MyExtractor, result=lambda x: {"a": x.repeat(4, 1, 1, 1)})(IMAGES),
        r"24, 1, 8, 8.*'a'.* 6 ",
    ),
    "extractor fingerprint": (lambda: MyExtractor().fingerprint(), r"None.*fingerprint\(\)"),
    "critic scalar": (
        lambda: changed(MyCritic, result=lambda x: {"x": x.mean()})(IMAGES),
        r"\(\) as 'x'.*\(N,\)",
    ),
    "critic column": (
        lambda: changed(MyCritic, result=lambda x: {"x": x[:, 0, 0, :1]}).judge(IMAGES),
        r"\(6, 1\) as 'x'",
    ),
    "critic tensor": (lambda: changed(MyCritic, result=lambda x: x)(IMAGES), "dict"),
    "critic judge": (lambda: MyJudge().judge(IMAGES), "two"),
    "loss summary": (
        lambda: changed(MyLoss, makes=lambda x: None).summarise(FEATURES),
        r"None from summarise\(\)",
    ),
    "loss summary of data": (
        lambda: changed(MyLoss, makes=lambda x: torch.ones(2)).summarise_data(FEATURES),
        r"tensor \(2,\) from summarise\(\)",
    ),
    "loss statistics": (
        lambda: changed(MyLoss, has=lambda x: None).reference(SUM),
        r"None from statistics\(\)",
    ),
    "loss statistic": (
        lambda: changed(MyLoss, has=lambda x: {"mean": 1.0}).statistics(SUM),
        "float.*'mean'",
    ),
    "loss kinds": (lambda: changed(MyLoss, names=lambda: ["mean"]).kinds(), "list"),
    "loss kind": (
        lambda: changed(MyLoss, names=lambda: {"mean": "complex"}).kinds(),
        "'complex'.*'mean'.*real, psd or samples",
    ),
    "loss terms": (lambda: changed(MyLoss, result=lambda x: None)(MEAN, MEAN), "None"),
    "loss tensor": (lambda: changed(MyLoss, result=lambda x: x)(MEAN, MEAN), r"tensor \(\)"),
    "loss no term": (lambda: changed(MyLoss, result=lambda x: {})(MEAN, MEAN), "no term"),
    "loss float": (lambda: changed(MyLoss, result=lambda x: {"a": 1.0})(MEAN, MEAN), "float.*'a'"),
    "loss vector": (
        lambda: changed(MyLoss, result=lambda x: {"a": x[None]})(MEAN, MEAN),
        r"\(1,\) as 'a'",
    ),
    "loss watch": (lambda: changed(MyLoss, watch="force").compare(MEAN, MEAN), "'force'"),
    "loss of a critic": (lambda: MyGame().critic_loss(None), "no term"),
    "loss of a generator": (lambda: MyGame().generator_loss(None), r"tensor \(\)"),
    "loss watch of a game": (lambda: MyGame().observe(None), "'force'.*'size'"),
    "loss distance": (lambda: MyDistance()(IMAGES, IMAGES), r"\(1, 8, 8\) as 'mse'"),
    "loss watch of a distance": (
        lambda: changed(MyDistance, watch="size")(IMAGES, IMAGES),
        "'size'",
    ),
    "estimator nothing": (
        lambda: changed(MyEstimator, result=lambda x: None)(MEAN, MEAN),
        "None",
    ),
    "estimator lost": (lambda: changed(MyEstimator, result=lambda x: {})(MEAN, MEAN), "no 'mean'"),
    "penalty float": (lambda: MyPenalty()(None), "float.*'size'"),
    "metric summary": (lambda: MyMetric().summarise(FEATURES), r"None from summarise\(\)"),
    "data records": (lambda: MyData().records("train"), r"list.*decode\(i\)"),
    "data validation": (lambda: MyData().validation(), r"int.*decode\(i\)"),
    "data report": (lambda: MyData().report(), "Report"),
    "metric tensor": (
        lambda: changed(MyMetric, result=lambda: torch.ones(3)).values(SUM, SUM),
        "list",
    ),
    "metric one": (
        lambda: changed(MyMetric, result=lambda: MetricValue("a", 1.0)).values(SUM, SUM),
        "list",
    ),
    "metric floats": (lambda: changed(MyMetric, result=lambda: [1.0]).values(SUM, SUM), "float"),
    "metric none": (lambda: changed(MyMetric, result=list).values(SUM, SUM), "no value"),
    "metric twice": (
        lambda: changed(MyMetric, result=lambda: [MetricValue("a", 1.0)] * 2).values(SUM, SUM),
        "two values 'a'",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_a_method_returns_is_told_by_the_class(case):
    """Kind and class, what it returned, and what it should return."""
    call, words = BROKEN[case]
    with pytest.raises(
        Incompatible, match=rf"(?s)^{case.split()[0]} My\w+ returns .*{words}"
    ) as told:
        call()
    assert "\n" not in str(told.value) and ";" in str(told.value)


def test_what_is_right_is_handed_on():
    """The same object, on any device, and copies of a class keep its promises."""
    generator = MyGenerator()
    assert generator(LATENTS).shape == (6, *IMAGE)
    assert copy.deepcopy(generator).to("meta")(LATENTS.to("meta")).shape == (6, *IMAGE)
    assert MyCritic().judge(IMAGES)[0]["x"].shape == (6,)
    assert MyLoss().compare(MEAN, MEAN)[0]["gap"] == 0
    terms = {"gap": torch.zeros(())}
    assert changed(MyLoss, result=lambda x: terms)(MEAN, MEAN) is terms
    assert pickle.loads(pickle.dumps(MyEncoder()))(IMAGES).shape == (6, 4)


def test_what_a_class_gets_from_its_base_may_be_half_done():
    """What counts is what the class itself returns, not what its base returns by super()."""

    class Pyramid(MyGenerator):
        def forward(self, latents):
            return [super().forward(latents)]

    class Finest(Pyramid):
        def forward(self, latents):
            return super().forward(latents)[-1]

    assert Finest()(LATENTS).shape == (6, *IMAGE)
    with pytest.raises(Incompatible, match="generator Pyramid returns a list"):
        Pyramid()(LATENTS)


NUMBERS = {
    "tensor": torch.tensor(1.5, dtype=torch.float64),
    "one in a tensor": torch.tensor([1.5]),
    "numpy": np.float32(1.5),
    "float": 1.5,
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_value_of_a_metric_is_a_float(name):
    """Whatever number it was made of."""
    value = MetricValue("a", NUMBERS[name], NUMBERS[name])
    assert type(value.value) is float and type(value.error) is float
    assert value == MetricValue("a", 1.5, 1.5)
    assert math.isnan(MetricValue("a", math.nan).value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"value": torch.ones(3)}, r"'a'.*value.*\(3,\)"),
        ({"value": np.ones(2)}, "'a'.*value"),
        ({"value": None}, "'a'.*None"),
        ({"value": "1"}, "'a'.*str"),
        ({"error": torch.ones(2)}, r"'a'.*error.*\(2,\)"),
        ({"direction": "up"}, "'a'.*'up'.*'lower'.*'higher'.*'none'"),
        ({"name": 3}, "name"),
        ({"name": ""}, "name"),
    ],
)
def test_a_value_of_a_metric_that_is_none_is_refused(fields, words):
    """By its name, with what to write."""
    with pytest.raises(Incompatible, match=words):
        MetricValue(**{"name": "a", "value": 1.0, **fields})


class Uncalled(MyGenerator):
    def __init__(self, *, image: ImageShape):
        self.linear = nn.Linear(2, 2)


class Bare(MyGenerator):
    def __init__(self, *, image: ImageShape):
        self.image, self.prior = image, Prior(dimension=4)


class Priorless(MyGenerator):
    def __init__(self, *, image: ImageShape):
        super().__init__(image=image)
        del self.prior


class Symmetric(MyGenerator):
    range = "symmetric"


class Mean(FieldLoss):
    def field(self, z, data, model):
        return data["samples"].mean(0) - z


class Greatest(Mean):
    pool = "max"


class GreatestOfItself(Mean):
    def __init__(self):
        self.pool = "max"


class Formless(Metric):
    def summarise(self, features, like=None):
        return Samples.of(features)

    def values(self, reference, sample, **also):
        return []

    def fingerprint(self):
        return "formless"


UNFINISHED = {
    Uncalled: r"Uncalled.*super\(\).__init__\(\)",
    Bare: r"Bare.*super\(\).__init__\(\)",
    Priorless: "Priorless.*prior",
    Symmetric: "Symmetric.*range='symmetric'.*'signed'.*'unit'",
    Greatest: "Greatest.*pool='max'.*'mean'.*'none'",
    GreatestOfItself: "GreatestOfItself.*pool='max'.*'mean'.*'none'",
    Formless: "Formless.*summary",
}


@pytest.fixture
def session(monkeypatch):
    """What is registered is forgotten again."""
    monkeypatch.setattr("gentk.session._registered", {})


@pytest.mark.parametrize("cls", UNFINISHED)
def test_what_a_class_forgets_is_told_when_it_is_built(cls, session):
    """By name, before anything else is done with it."""
    kinds = {"generator": Generator, "loss": FieldLoss, "metric": Metric}
    [kind] = [kind for kind, base in kinds.items() if issubclass(cls, base)]
    gentk.register(kind, "forgetful")(cls)
    supplied = {"image": IMAGE} if kind == "generator" else {}
    with pytest.raises(Incompatible, match=f"^{kind}.*{UNFINISHED[cls]}"):
        Registry().build(kind, "forgetful", **supplied)


def test_a_mistake_in_a_constructor_stays_what_it_is(session):
    """Other errors of a class are its own."""

    @gentk.register("loss", "mistaken")
    class Mistaken(Mean):
        def __init__(self):
            self.nothing.at_all()

    with pytest.raises(AttributeError, match="nothing"):
        Registry().build("loss", "mistaken")


@pytest.mark.parametrize("kind", ["loss", "extractor"])
def test_a_function_that_is_registered_is_shown_the_way(kind):
    """Functions are given, classes are registered."""
    with pytest.raises(UsageError, match=rf"{kind}=gentk\.own\(.*name='mine'"):
        gentk.register(kind, "mine")(lambda real, fake: 0)
    with pytest.raises(UsageError, match=r"generator=gentk\.own\("):
        gentk.register("generator", "mine")(nn.Linear(2, 2))
    with pytest.raises(UsageError, match=r"interfaces\.Loss"):
        gentk.register("loss", "mine")(nn.Linear(2, 2))
    with pytest.raises(UsageError, match=r"interfaces\.Metric"):
        gentk.register("metric", "mine")(lambda real, fake: 0)


def test_a_suite_takes_a_registered_class_and_tells_what_is_made_elsewhere(session):
    """Noise of the CPU in a generator: the sentence says what to write, and of no device of torch's."""

    @gentk.register("generator", "noisy")
    class Noisy(MyGenerator):
        """Images with noise."""

        def __init__(self, *, image: ImageShape):
            super().__init__(image=image)
            self.linear = nn.Linear(4, math.prod(image))

        def forward(self, latents):
            images = super().forward(latents)
            return images + 0.1 * torch.randn(images.shape)

    check = "test_tensors_are_made_where_they_are_used"
    suite = type("Suite", (SUITES["generator"],), {"spec": "noisy", "registry": Registry()})
    [told] = [one for one in examine(suite) if one.name == check]
    assert told.outcome == "failed"
    assert "CPU" in told.reason and "device=" in told.reason and "meta" not in told.reason
