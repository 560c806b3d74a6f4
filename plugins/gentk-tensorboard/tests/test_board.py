"""What a run tells, read back from the files that TensorBoard reads."""

from __future__ import annotations

import json
import math

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import gentk
from gentk.errors import BadOption
from gentk.events import (
    Checkpointed,
    Noticed,
    Progress,
    RunEnded,
    RunFailed,
    RunStarted,
    Sampled,
    Stepped,
)
from gentk_tensorboard.board import TensorBoard

RECIPE = {"loss": "moments", "batch": 8, "ema": None, "extractor": ["a", "b"], "clip": 0.5}
TINY = {
    "data": "digits,limit=64",
    "extractor": ["pixels"],
    "generator": "mlp,latent=8,widths=16",
    "estimator": "ma",
    "batch": 8,
    "device": "cpu",
    "decay": "none",
    "observer": ["metrics", "tensorboard"],
}


def read(folder) -> EventAccumulator:
    """Read all that a folder holds."""
    everything = {"scalars": 0, "images": 0, "tensors": 0}
    return EventAccumulator(str(folder / "tensorboard"), size_guidance=everything).Reload()


def rows(first: int, last: int) -> list[dict[str, float]]:
    """Rows of steps, whose loss is the step."""
    return [
        {"step": float(k), "images": 8.0 * k, "loss": float(k), "loss/tracked": 1.0}
        for k in range(first, last + 1)
    ]


def texts(found: EventAccumulator, tag: str) -> list[tuple[int, str]]:
    """Steps and texts of a tag."""
    events = found.Tensors(f"{tag}/text_summary")
    return [(event.step, event.tensor_proto.string_val[0].decode()) for event in events]


def test_everything_a_run_tells_is_there(tmp_path):
    """Curves, grids, notices and the recipe; counts are no curves, and the end closes the file."""
    board = TensorBoard()
    board.observe(RunStarted(Progress(), tmp_path, RECIPE, 10, None))
    board.observe(Noticed(Progress(), "mind the gap"))
    board.observe(Stepped(Progress(3, 24), rows(1, 3)))
    board.observe(Sampled(Progress(3, 24), torch.rand(8, 1, 4, 5)))
    board.observe(Checkpointed(Progress(3, 24), tmp_path))
    board.observe(RunEnded(Progress(3, 24), {"loss": 3.0}))

    found = read(tmp_path)
    assert set(found.Tags()["scalars"]) == {"loss", "loss/tracked"}
    assert [(e.step, e.value) for e in found.Scalars("loss")] == [(1, 1), (2, 2), (3, 3)]
    (image,) = found.Images("samples")
    assert (image.step, image.height, image.width) == (3, 4, 8 * 5)
    assert texts(found, "notices") == [(0, "mind the gap")]
    ((step, recipe),) = texts(found, "recipe")
    assert (step, json.loads(recipe.strip("`").removeprefix("json"))) == (0, RECIPE)


def test_hyperparameters_are_those_that_are_set(tmp_path):
    """The run itself, not a run beside it, carries its hyperparameters; `loss` is their metric."""
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    board = TensorBoard()
    board.observe(RunStarted(Progress(), tmp_path, RECIPE, 10, None))
    board.observe(RunEnded(Progress(), {}))

    tags = read(tmp_path).summary_metadata
    content = tags[metadata.SESSION_START_INFO_TAG].plugin_data.content
    parsed = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    values = {name: value.string_value or value.number_value for name, value in parsed.items()}
    assert values == {"loss": "moments", "batch": 8.0, "extractor": '["a", "b"]', "clip": 0.5}
    assert metadata.SESSION_END_INFO_TAG in tags
    assert [path.name for path in tmp_path.iterdir()] == ["tensorboard"]


def test_options_thin_out_and_leave_out(tmp_path):
    """`every=` writes the steps that it divides; `images=false` no grids; other channels none."""
    board = TensorBoard(every=4, images=False)
    board.observe(RunStarted(Progress(), tmp_path, RECIPE, 10, None))
    board.observe(Stepped(Progress(9, 72), rows(1, 9)))
    board.observe(Sampled(Progress(9, 72), torch.rand(4, 3, 4, 4)))
    board.observe(RunFailed(Progress(9, 72), RuntimeError("stop")))

    found = read(tmp_path)
    assert [event.step for event in found.Scalars("loss")] == [4, 8]
    assert found.Tags()["images"] == []
    with pytest.raises(BadOption, match="every=0"):
        TensorBoard(every=0)


def test_images_that_cannot_be_shown_are_left_out(tmp_path):
    """Four channels are no picture; values outside the range are clipped; a loss may be NaN."""
    board = TensorBoard()
    board.observe(RunStarted(Progress(), tmp_path, {}, 10, None))
    board.observe(Sampled(Progress(1, 8), torch.rand(4, 4, 4, 4)))
    board.observe(Sampled(Progress(2, 16), 3 * torch.randn(4, 3, 4, 4)))
    board.observe(Stepped(Progress(2, 16), [{"step": 2.0, "images": 16.0, "loss": math.nan}]))
    board.observe(RunFailed(Progress(2, 16), KeyboardInterrupt()))

    found = read(tmp_path)
    assert [event.step for event in found.Images("samples")] == [2]
    assert math.isnan(found.Scalars("loss")[0].value)


@pytest.mark.parametrize(("kept", "expected"), [(4, [1, 2, 3, 4, 5, 6]), (0, [1, 2])])
def test_a_killed_run_goes_on_in_the_same_curves(tmp_path, kept, expected):
    """What was logged after the last checkpoint is purged; without one, everything is."""
    killed = TensorBoard()
    killed.observe(RunStarted(Progress(), tmp_path, RECIPE, 10, None))
    killed.observe(Stepped(Progress(5, 40), rows(1, 5)))
    killed._writer.flush()

    board = TensorBoard()
    board.observe(RunStarted(Progress(kept, 8 * kept), tmp_path, RECIPE, 10, None))
    board.observe(Stepped(Progress(kept + 2, 0), rows(kept + 1, kept + 2)))
    board.observe(RunEnded(Progress(kept + 2, 0), {}))

    assert [event.step for event in read(tmp_path).Scalars("loss")] == expected
    killed._writer.close()


def test_events_before_the_start_are_nobodys(tmp_path):
    """Without a folder there is nowhere to write to, and nothing fails."""
    TensorBoard().observe(Stepped(Progress(1, 8), rows(1, 1)))

    assert list(tmp_path.iterdir()) == []


def test_a_real_run_and_its_extension(tmp_path, monkeypatch):
    """`gentk.run` writes the curves of metrics.jsonl, and more steps go on in them."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))
    for steps in (4, 7):
        run = gentk.run("gfmn", **TINY, steps=steps, out=str(tmp_path / "run"))

    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    logged = {row["step"]: row["loss"] for row in map(json.loads, lines)}
    found = read(tmp_path / "run")
    assert run.result["steps"] == 7
    assert {e.step: e.value for e in found.Scalars("loss")} == pytest.approx(logged, rel=1e-6)
    assert [event.step for event in found.Scalars("loss")] == list(range(1, 8))
    assert [step for step, _ in texts(found, "recipe")] == [0, 4]
    assert {event.step for event in found.Images("samples")} == set(range(1, 8))


def test_the_same_run_without_it_is_the_same(tmp_path, monkeypatch):
    """An observer cannot change a run, nor its identity."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))
    losses = []
    for name, observer in (("a", ["tensorboard"]), ("b", [])):
        flags = {**TINY, "observer": observer}
        run = gentk.run("gfmn", **flags, steps=3, out=str(tmp_path / name))
        losses.append(run.result["loss"])

    assert losses[0] == losses[1]
