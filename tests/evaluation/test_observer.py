"""Evaluation during training: figures are kept, and the weights do not notice it."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption
from gentk.evaluation.evaluate import evaluate
from gentk.evaluation.observer import Evaluator
from gentk.evaluation.plan import Plan
from gentk.evaluation.record import append_to_run, read


def weights(run):
    """All trained weights, and their averages."""
    state = run.folder.checkpoints.load()
    return {**state["generator"], **state["average"]["weights"]}


def test_weights_are_the_same_bit_by_bit(small, tmp_path):
    """With and without evaluation, after the same number of steps."""
    plain = small(steps=12)
    watched = small(
        steps=12,
        out=str(tmp_path / "watched"),
        observers=[Evaluator(every=3, extractor=("pixels",), count=20, quiet=True)],
    )
    one, other = weights(plain), weights(watched)

    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_figures_are_those_of_evaluate(small, capsys):
    """A row at every third step and at the end; the last are what `gentk evaluate` says."""
    observer = Evaluator(every=3, metric=("fd", "prdc;k=3"), extractor=("pixels",), count=40)
    run = small(steps=7, observers=[observer])
    rows = read(run.folder.path)

    assert sorted({row.steps for row in rows}) == [3, 6, 7]
    judged = evaluate(
        str(run.folder.path), Plan(metrics=("fd", "prdc,k=3"), extractors=("pixels",), count=40)
    )
    last = {row.measurement.name: row.measurement.value for row in read(run.folder.path, 7)}
    assert last == pytest.approx({one.name: one.value for one in judged.measurements})
    assert "step 3: fd " in capsys.readouterr().err


def test_a_run_that_goes_on_does_not_repeat_figures(small):
    """Figures up to the checkpoint are kept, once."""
    observer = {"every": 3, "extractor": ("pixels",), "count": 20, "quiet": True}
    small(steps=6, observers=[Evaluator(**observer)])
    run = small(steps=9, observers=[Evaluator(**observer)])
    steps = [row.steps for row in read(run.folder.path) if row.measurement.name == "fd"]

    assert steps == [3, 6, 9]


def test_only_figures_of_the_same_kind_stand_in_for_its_own(small):
    """Another metric, extractor, number, seed or reference is another evaluation."""
    run = small(steps=6)
    place = run.folder.path
    ours = {"every": 3, "extractor": ("pixels",), "count": 20, "quiet": True}
    others = [
        {"metrics": ("mmd",)},
        {"extractors": ("pixels,range=signed",)},
        {"count": 30},
        {"seed": 1},
        {"data": "digits,split=train"},
    ]
    for other in others:
        asked = {"extractors": ("pixels",), "count": 20, **other}
        judged = evaluate(str(place), Plan(**asked))
        append_to_run(str(place), judged.measurements, judged.steps)
    before = len(read(place))
    Evaluator(**ours).settle(place, "cpu")
    after = len(read(place))
    Evaluator(**ours).settle(place, "cpu")
    Evaluator(**ours, data="digits,split=test").settle(place, "cpu")

    assert before < after == len(read(place))


def test_options_out_of_range_are_refused():
    """Each says what to write."""
    with pytest.raises(BadOption, match="every=1000"):
        Evaluator(every=0)
    with pytest.raises(BadOption, match="count=1000"):
        Evaluator(count=1)


@pytest.mark.parametrize(
    "asked",
    [
        {"metric": ("probe",)},
        {"metric": ("fd", "classifier")},
        {"extractor": ("run",)},
        {"metric": ("probe",), "extractor": ("pixels", "run;of=critic")},
    ],
)
def test_networks_of_a_run_do_not_judge_it_while_it_trains(asked):
    """A run's own networks are opened once it is finished: refused before training."""
    with pytest.raises(BadOption, match="gentk evaluate RUN"):
        Evaluator(**asked)
    Evaluator(metric=("fd", "probe"), extractor=("pixels",))
