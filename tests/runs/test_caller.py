"""The caller's settings: a call neither moves them nor depends on them."""

from __future__ import annotations

import inspect
import random
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gentk
import gentk_moments.loss
from gentk.engine.caller import undisturbed, undisturbed_steps
from gentk.evaluation.evaluate import evaluate
from gentk.evaluation.plan import Plan
from gentk.evaluation.record import append_to_run
from gentk.runs.training import train


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run, judged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENTK_CACHE", str(tmp_path_factory.mktemp("cache")))
        run = gentk.run("gfmn", **recipe(tmp_path_factory.mktemp("runs") / "done"))
    rows = evaluate(str(run.folder.path), Plan(extractors=("pixels",), count=4))
    append_to_run(str(run.folder.path), rows.measurements, rows.steps)
    return run


def recipe(folder):
    """A recipe that trains in no time."""
    return {
        "data": "digits,limit=64",
        "extractor": "pixels",
        "generator": "mlp,latent=4,widths=8",
        "batch": 8,
        "steps": 2,
        "device": "cpu",
        "threads": 1,
        "out": str(folder),
        "observer": ["metrics"],
    }


def place(run, name):
    """A folder or file that does not exist yet, beside a run's."""
    beside = run.folder.path.parent
    stem, dot, ending = name.partition(".")
    return beside / f"{stem}-{len(list(beside.iterdir()))}{dot}{ending}"


LAYER = torch.nn.Linear(4, 4)
VERBS = {
    "run": lambda run: gentk.run("gfmn", **recipe(place(run, "run"))),
    "compose": lambda run: gentk.compose("gfmn", **recipe(place(run, "compose"))),
    "train": lambda run: train(gentk.compose("gfmn", **recipe(place(run, "train")))),
    "load": lambda run: gentk.load(run.folder.path),
    "sample": lambda run: gentk.sample(run, 4),
    "stream": lambda run: list(gentk.load(run.folder.path).stream(4)),
    "latents": lambda run: gentk.load(run.folder.path).latents(4),
    "generator": lambda run: gentk.load(run.folder.path).generator,
    "fingerprint": lambda run: gentk.load(run.folder.path).fingerprint(),
    "faces": lambda run: (repr(run), run._repr_html_(), run.metrics, run.plot("loss")),
    "evaluate": lambda run: gentk.evaluate(run, extractors="pixels", count=4, sanity=True),
    "compare": lambda run: gentk.compare([run]),
    "sweep": lambda run: gentk.sweep(
        "gfmn",
        {"estimator": ["batch"]},
        judges="pixels",
        count=4,
        **recipe(place(run, "sweep")),
    ),
    "export": lambda run: gentk.export(run, place(run, "model")),
    "from_pretrained": lambda run: gentk.from_pretrained(run.folder.path),
    "report": lambda run: gentk.report(run, place(run, "report.html")),
    "own": lambda run: gentk.own(LAYER),
    "register": lambda run: gentk.register("loss", "callers-own")(gentk_moments.loss.MomentsLoss),
    "tile": lambda run: gentk.tile(torch.zeros(2, 1, 4, 4)),
}


def test_every_verb_is_tried():
    """A verb that is added has to be kept from moving the caller's settings too."""
    verbs = {name for name in gentk.__all__ if inspect.isfunction(getattr(gentk, name))}

    assert verbs <= set(VERBS)


def state():
    """All that belongs to the caller."""
    return (
        torch.get_rng_state().tolist(),
        random.getstate(),
        [str(part) for part in np.random.get_state()],
        torch.initial_seed(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
    )


@pytest.fixture
def settled():
    """Whatever a test sets is put back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)


@pytest.mark.parametrize("verb", VERBS)
@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**31),
    threads=st.integers(1, 3),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    mode=st.sampled_from([None, torch.no_grad, torch.inference_mode]),
    autocast=st.booleans(),
)
def test_a_call_leaves_the_callers_settings(
    settled, finished, verb, seed, threads, dtype, mode, autocast
):
    """Random states, threads, default dtype, grad mode and autocast are as before, for every verb."""
    with ExitStack() as stack:
        if mode is not None:
            stack.enter_context(mode())
        if autocast:
            stack.enter_context(torch.autocast("cpu", torch.bfloat16))
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        before = state()
        VERBS[verb](finished)
        assert state() == before


def test_what_a_call_computes_does_not_depend_on_the_callers_settings(settled, finished):
    """The same bits without gradients, in float64, under autocast and from another random state."""
    plain = gentk.load(finished.folder.path).sample(6, seed=3)
    torch.set_default_dtype(torch.float64)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        torch.manual_seed(1)
        again = gentk.run("gfmn", **recipe(place(finished, "other")))
        images = again.sample(6, seed=3)

    assert again.fingerprint() == finished.fingerprint()
    assert images.dtype == torch.float32
    assert torch.equal(images, plain)


def test_settings_come_back_when_a_call_fails_or_is_stopped(settled, finished):
    """An error and Ctrl-C leave them alone as a result does."""
    torch.manual_seed(4)
    before = state()
    with pytest.raises(gentk.errors.UsageError):
        gentk.compose("gfmn", threads=2, device="tpu")
    with pytest.raises(KeyboardInterrupt), undisturbed():
        torch.manual_seed(9)
        torch.set_num_threads(3)
        np.random.seed(0)
        random.seed(0)
        raise KeyboardInterrupt
    assert state() == before


def test_a_stream_is_undisturbed_between_its_chunks(settled):
    """What is drawn between two steps is the caller's; the steps' own random numbers go on."""

    def draws():
        torch.manual_seed(7)
        for _ in range(3):
            yield torch.rand(2)

    torch.manual_seed(7)
    expected = torch.rand(6).split(2)
    torch.manual_seed(1)
    callers = torch.rand(3)
    torch.manual_seed(1)
    got, between = [], []
    for numbers in undisturbed_steps(draws()):
        got.append(numbers)
        between.append(torch.rand(1))

    assert torch.equal(torch.stack(got), torch.stack(expected))
    assert torch.equal(torch.cat(between), callers)


def test_a_default_device_of_the_caller_is_not_computed_on(settled, finished):
    """Networks are built where the run is, whatever device tensors are made on by default."""
    plain = gentk.load(finished.folder.path, device="cpu").sample(2)
    torch.set_default_device("meta")
    images = gentk.load(finished.folder.path, device="cpu").sample(2)

    assert torch.get_default_device() == torch.device("meta")
    torch.set_default_device(None)
    assert torch.equal(images, plain)
