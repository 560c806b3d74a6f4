"""Pieces of the plugins, used alone: whatever is wrong with an argument is one sentence of gentk's."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gentk.errors import GentkError
from gentk.interfaces import Estimator, MatchingLoss, Metric
from gentk.registry import Registry
from gentk.summary import Samples
from gentk_mmd.hybrid import LandmarkKernels
from gentk_mmd.kernels import Gaussian

PACKAGES = ("averages", "fields", "metrics", "mmd", "moments")
REGISTRY = Registry()


def functions() -> Iterator[tuple[str, Callable[..., object]]]:
    """All public functions of the packages whose first argument is a tensor."""
    for package in PACKAGES:
        root = importlib.import_module(f"gentk_{package}")
        for found in pkgutil.iter_modules(root.__path__):
            module = importlib.import_module(f"{root.__name__}.{found.name}")
            for name in getattr(module, "__all__", ()):
                value = getattr(module, name)
                if inspect.isfunction(value) and value.__module__ == module.__name__:
                    hints = [h for n, h in typing.get_type_hints(value).items() if n != "return"]
                    if hints and hints[0] is Tensor:
                        yield f"{package}.{found.name}.{name}", value


FUNCTIONS = dict(functions())


def right(name: str) -> dict[str, object]:
    """Arguments that a function takes."""
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, 3, generator=draw) for n in (8, 9))
    eye, mean, share = torch.eye(3), torch.zeros(3), torch.full((8, 2), 0.5)
    kernel = Gaussian([1.0])
    known: dict[str, dict[str, object]] = {
        "averages.denoiser.slope": {"factor": eye, "cov": eye},
        "fields.coupling.plan": {"logits": -share, "weights": share, "iterations": 2},
        "fields.gaussian.score_gap": {"z": x, "p": (mean, eye), "q": (mean, eye), "ridge": 0.1},
        "fields.mixture.balanced": {"costs": share, "weights": torch.tensor([0.5, 0.5])},
        "fields.mixture.component_moments": {"z": x, "shares": share},
        "fields.mixture.fit": {"rows": x, "components": 2},
        "fields.sliced.sliced_wasserstein": {"x": x, "y": y, "directions": torch.eye(3, 5)},
        "metrics.memorised.memorised": {"held": x[:, 0], "sampled": y[:, 0]},
        "metrics.prdc.prdc": {"real": x, "generated": y, "k": 2},
        "metrics.score.inception_score": {"logits": x, "splits": 2},
        "metrics.sliced.sliced": {"x": x, "y": y, "directions": torch.eye(5, 3)},
        "mmd.discrepancy.mean_across": {"x": x, "y": y, "kernel": kernel},
        "mmd.discrepancy.mean_paired": {"x": x, "y": y[:8], "kernel": kernel},
        "mmd.discrepancy.mean_within": {"x": x, "kernel": kernel},
        "mmd.discrepancy.mmd2": {"x": x, "y": y, "kernel": kernel},
        "mmd.gram.gram": {"x": x, "z": y, "kernel": kernel},
        "mmd.hybrid.attraction": {
            "means": torch.ones(9).double(),
            "kernels": LandmarkKernels(y.double(), kernel),
        },
        "mmd.hybrid.centres": {"rows": x, "number": 2, "seed": 0},
        "mmd.parzen.log_likelihoods": {"x": x, "samples": y, "sigmas": [0.5]},
        "mmd.witness.witness": {"points": x, "data": y, "model": y, "kernel": kernel},
        "moments.distance.frechet_to": {"cov_p": eye, "root": eye, "cov_q": eye},
        "moments.frechet.frechet_distance": {
            "mean_1": mean,
            "cov_1": eye,
            "mean_2": mean,
            "cov_2": eye,
        },
    }
    assert name in known, f"{name} is public: say here what it takes"
    return known[name]


TENSORS = [
    (name, argument)
    for name in FUNCTIONS
    for argument, value in right(name).items()
    if isinstance(value, Tensor)
]
BAD: dict[str, Callable[[Tensor], object]] = {
    "a list": lambda x: x.tolist(),
    "an array": lambda x: x.numpy(),
    "nothing": lambda x: "none",
    "whole numbers": lambda x: x.long(),
    "another rank": lambda x: x[None, None],
    "no rows": lambda x: x[:0],
}


def sentence(call: Callable[[], object]) -> str:
    """What a wrong call is answered by: one sentence that says what to do."""
    with pytest.raises(GentkError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert ";" in text
    return text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_right_is_taken(name):
    """The arguments that are spoilt below are good as they stand."""
    FUNCTIONS[name](**right(name))


@pytest.mark.parametrize("how", BAD)
@pytest.mark.parametrize(("name", "argument"), TENSORS)
def test_a_wrong_tensor_is_a_sentence_that_names_it(name, argument, how):
    """A wrong type, rank or number: the function and the argument are named."""
    given = right(name)
    text = sentence(lambda: FUNCTIONS[name](**{**given, argument: BAD[how](given[argument])}))

    assert name.rpartition(".")[2] in text
    assert argument in text


@pytest.mark.parametrize(
    ("name", "argument"), [pair for pair in TENSORS if len(right(pair[0])) > 1]
)
def test_other_widths_than_the_other_arguments_are_a_sentence(name, argument):
    """A tensor one feature wider than what it is compared with, where there is such."""
    given = right(name)
    value = given[argument]
    others = [v for k, v in given.items() if isinstance(v, Tensor) and k != argument]
    if not any(value.shape[-1] == length for v in others for length in v.shape):
        return
    wider = torch.cat([value, value[..., :1]], dim=-1)

    assert argument in sentence(lambda: FUNCTIONS[name](**{**given, argument: wider}))


@pytest.mark.parametrize(("name", "argument"), TENSORS)
def test_what_is_no_number_is_never_a_number_after(name, argument):
    """A nan comes out as a nan, as torch has it, or is a sentence; it never becomes a value."""
    given = right(name)
    spoilt = given[argument].clone()
    spoilt.view(-1)[0] = torch.nan
    try:
        made = FUNCTIONS[name](**{**given, argument: spoilt})
    except GentkError as error:
        assert argument in str(error)
        return
    parts = made if isinstance(made, tuple) else (made,)
    tensors = [torch.as_tensor(part) for part in parts]
    assert any(part.isnan().any() for part in tensors)


METRICS = [row.component.name for row in REGISTRY.select("metric")]


def metric(name: str) -> Metric:
    """A metric with options that suit few images."""
    more = {"kid": ",subset_size=all", "prdc": ",k=2", "is": ",splits=2"}
    built = REGISTRY.build("metric", name + more.get(name, ""))[0]
    assert isinstance(built, Metric)
    return built


def side(one: Metric, count: int = 12, width: int = 3, seed: int = 0):
    """A summary of features, with labels where a metric goes by them."""
    draw = torch.Generator().manual_seed(seed)
    made = one.summarise({"x": torch.randn(count, width, generator=draw)})
    if "labels" in one.needs:
        assert isinstance(made, Samples)
        return replace(made, labels=torch.arange(count) % 2)
    return made


def judged(one: Metric, **spoilt: object):
    """Values of good summaries but for those that are spoilt."""
    sides = {name: side(one, seed=i) for i, name in enumerate(sorted(one.also), 2)}
    given = {"reference": side(one), "sample": side(one, seed=1), **sides, **spoilt}
    if "labels" in one.needs:
        given["sample"] = given["reference"]
    reference, sample = given.pop("reference"), given.pop("sample")
    return one.values(reference, sample, **given)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_takes_what_is_right(name):
    """The summaries that are spoilt below are good as they stand."""
    assert judged(metric(name))


@pytest.mark.parametrize(
    "features", [torch.zeros(4, 3), {"x": [1.0]}, {"x": torch.zeros(4)}, "x"], ids=str
)
@pytest.mark.parametrize("name", METRICS)
def test_features_that_are_none_are_a_sentence(name, features):
    """A metric summarises a dict of tensors with a row a sample."""
    sentence(lambda: metric(name).summarise(features))


@pytest.mark.parametrize("which", ["reference", "sample", "train", "validation"])
@pytest.mark.parametrize("name", METRICS)
def test_a_wrong_side_of_a_metric_is_a_sentence(name, which):
    """A tensor, other features, too few samples, and features that are no numbers."""
    one = metric(name)
    if which not in ("reference", "sample", *one.also):
        return
    if which == "sample" and "labels" in one.needs:
        return  # Judged by reference and training images alone.
    broken = one.summarise({"x": torch.full((12, 3), torch.nan)})
    few = side(one, 1)
    if "labels" in one.needs:
        broken, few = (replace(s, labels=torch.arange(s.count) % 2) for s in (broken, few))
    wrong = {"tensor": torch.zeros(12, 3), "nan": broken}
    if "labels" not in one.needs or one.also:
        # Where one side is all there is, it cannot be of other features.
        wrong["width"] = side(one, width=4)
    one_is_enough = {"mind": ("reference", "sample"), "parzen": ("sample", "validation")}
    if which not in {**one_is_enough, "probe": ("reference",), "classifier": ("reference",)}.get(
        name, ()
    ):
        wrong["few"] = few
    for spoilt in wrong.values():
        sentence(lambda spoilt=spoilt: judged(one, **{which: spoilt}))


ESTIMATORS = [row.component.name for row in REGISTRY.select("estimator")]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_wrong_statistic_of_an_estimator_is_a_sentence(name):
    """No dict, no tensors, a statistic that it does not follow, another width."""
    kind, rows = ("samples", torch.zeros(8, 3)) if name == "queue" else ("mean", torch.zeros(3))

    def made() -> Estimator:
        built = REGISTRY.build("estimator", name)[0]
        assert isinstance(built, Estimator)
        return built

    for wrong in (rows, [rows], {kind: rows.tolist()}, None):
        sentence(lambda wrong=wrong: made().start(wrong))
    started = made()
    started.start({kind: rows})
    assert started({kind: rows}, {kind: rows})[kind].shape[-1] == 3
    sentence(lambda: started(rows, {kind: rows}))
    if not started.remembers:
        return
    other = rows.new_zeros(*rows.shape[:-1], 4)
    sentence(lambda: started({kind: other}, {kind: rows}))
    if kind != "samples":  # The data may have none.
        sentence(lambda: started({kind: rows}, {}))
    sentence(lambda: started({"other": rows}, {"other": rows}))


LOSSES = [
    row.component.name
    for row in REGISTRY.select("loss")
    if isinstance(target := REGISTRY.target(row), type) and issubclass(target, MatchingLoss)
]


@pytest.mark.parametrize("name", LOSSES)
def test_wrong_statistics_of_a_matching_loss_are_a_sentence(name):
    """No dicts, and statistics that are missing."""
    loss = REGISTRY.build("loss", name)[0]
    assert isinstance(loss, MatchingLoss)
    features = {"x": torch.randn(16, 3, generator=torch.Generator().manual_seed(0))}
    more = ()
    if "labels" in loss.needs:
        more = (None, torch.eye(2).repeat(8, 1))
    loss.prepare(features)
    data = loss.reference(loss.summarise_data(features, *more))
    model = loss.statistics(loss.summarise(features, *more))

    assert loss(data, model)
    sentence(lambda: loss(torch.zeros(3), model))
    sentence(lambda: loss(data, [torch.zeros(3)]))
    for kind in loss.kinds():
        missing = {key: value for key, value in model.items() if key != kind}
        assert repr(kind) in sentence(lambda missing=missing: loss(data, missing))
        assert repr(kind) in sentence(lambda kind=kind: loss(data, {**model, kind: "none"}))
