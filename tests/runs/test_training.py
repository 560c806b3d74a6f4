"""Runs end to end: resume, extend, refuse, warm start, and what run.json records."""

from __future__ import annotations

import json

import pytest
import torch

import gentk
from gentk.errors import (
    BadOption,
    CheckpointError,
    DataError,
    Incompatible,
    RunError,
    UnknownName,
    UsageError,
)


def weights(run):
    """All tensors of a run's last checkpoint that training moves."""
    state = run.folder.checkpoints.load()
    return {**state["generator"], **state["estimator"], **state["average"]["weights"]}


def test_the_same_command_with_more_steps_extends_bit_identically(small, tmp_path):
    """6 steps extended to 15 end with the weights of 15 at once."""
    small(steps=6)
    extended = small(steps=15)
    whole = small(steps=15, out=str(tmp_path / "whole"))

    first, second = weights(extended), weights(whole)
    assert extended.result["steps"] == 15
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_is_never_judged_on_the_latents_it_was_trained_with(small, monkeypatch):
    """Training, sample grids and samples share no latent, with the run's seed or another."""
    from gentk.prior import Prior

    draw, drawn = Prior.draw, []
    monkeypatch.setattr(
        Prior, "draw", lambda *words, **more: drawn.append(draw(*words, **more)) or drawn[-1]
    )
    run = small(seed=5)
    assert len(drawn) >= 7, "six minibatches and the grid's"
    trained = {tuple(latent.tolist()) for latents in drawn for latent in latents}
    assert len(trained) == sum(map(len, drawn)), "uses of a run's seed share latents"
    for seed in (0, 5):
        assert trained.isdisjoint(tuple(z.tolist()) for z in run.latents(300, seed=seed))


def test_a_finished_run_is_returned_as_it_is(small):
    """The same command again trains nothing."""
    first = small()
    before = (first.folder.path / "run.json").stat().st_mtime_ns
    again = small()

    assert again.result == first.result
    assert (first.folder.path / "run.json").stat().st_mtime_ns == before


def test_virtual_batches_share_the_data_statistics(small, tmp_path):
    """A chunked run finds the statistics of the plain one in the cache and ends near its loss."""
    plain = small(steps=1)
    kept = list((tmp_path / "cache" / "statistics").iterdir())
    run = small(steps=1, chunk=5, out=str(tmp_path / "chunked"))

    assert list((tmp_path / "cache" / "statistics").iterdir()) == kept and len(kept) == 1
    assert run.result["images"] == plain.result["images"] == 16


def test_a_budget_in_minutes_counts_training_time_and_is_kept(small):
    """A run of 0.01 minutes trains that long, and the same command again trains no longer."""
    run = small(steps=None, minutes=0.01)
    again = small(steps=None, minutes=0.01)

    assert 0.6 <= run.result["seconds"] < 30
    assert again.result == run.result
    longer = small(steps=None, minutes=0.02)
    assert longer.result["seconds"] >= 1.2 and longer.result["steps"] > run.result["steps"]


def test_the_folder_of_another_recipe_is_refused(small):
    """--out of a run with other parts names that run and what to do."""
    small()
    with pytest.raises(RunError, match=r"run.*out="):
        small(estimator="batch")


def test_a_folder_with_other_files_is_refused(small, tmp_path):
    """Nothing is written between somebody's files."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("x")
    with pytest.raises(RunError, match="not a run's"):
        small(out=str(folder))
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


def test_the_default_folder_carries_recipe_and_identity(flags, tmp_path, monkeypatch):
    """runs/RECIPE-HASH8, the hash deaf to budget, device, threads and out."""
    monkeypatch.chdir(tmp_path)
    one = gentk.compose("gfmn", **flags, steps=3, threads=1)
    two = gentk.compose("gfmn", **flags, minutes=9)
    other = gentk.compose("gfmn", **{**flags, "seed": 1}, steps=3)

    assert one.folder().name.startswith("gfmn-") and one.folder() == two.folder()
    assert one.folder() != other.folder()
    assert list(tmp_path.glob("runs")) == []


def test_run_json_records_what_was_run(small):
    """Recipe, identity, data, fingerprints, parameters, versions, result."""
    run = small()
    record = json.loads((run.folder.path / "run.json").read_text())

    assert record["recipe"]["estimator"] == "ama" and record["recipe_name"] == "gfmn"
    assert record["data"]["count"] == 200 and record["data"]["fingerprint"]
    assert record["parameters"] == 8 * 16 + 16 + 16 * 32 + 32 + 32 * 64 + 64
    assert {"gentk-core", "torch", "gentk-moments"} <= record["versions"].keys()
    assert record["result"]["steps"] == 6 and record["result"]["loss"] > 0


def test_records_with_the_cores_former_name_are_read(small):
    """A run.json that calls the core `gentk`, as older ones do, opens; its versions name gentk-core."""
    run = small()
    path = run.folder.path / "run.json"
    record = json.loads(path.read_text())
    record["versions"]["gentk"] = record["versions"].pop("gentk-core")
    del record["checksum"]  # as of format 2
    record["format"] = 2
    record["recipe"]["generator"] = "mlp,widths=8"  # so that the weights do not fit
    path.write_text(json.dumps(record))

    with pytest.raises(CheckpointError, match="'gentk-core'") as caught:
        gentk.load(run.folder.path).sample(1)
    assert "'gentk'" not in str(caught.value)

    record["recipe"]["generator"] = run.record["recipe"]["generator"]
    path.write_text(json.dumps(record))
    assert torch.equal(gentk.load(run.folder.path).sample(2), run.sample(2))


def test_training_brings_the_model_to_the_data(small):
    """After 150 steps the loss is below a third of the first steps'."""
    run = small(steps=150, estimator="batch", observer=["metrics"], observers=None)
    rows = [json.loads(line) for line in run.folder.metrics.read_text().splitlines()]

    assert rows[-1]["loss"] < rows[0]["loss"] / 3


def test_two_extractors_are_concatenated(small, tmp_path):
    """Features of both spaces are matched; the same name twice is kept apart."""
    run = small(extractor=["pixels", "pixels,range=signed"], out=str(tmp_path / "two"))
    single = small(out=str(tmp_path / "one"))

    state = run.folder.checkpoints.load()["estimator"]
    alone = single.folder.checkpoints.load()["estimator"]
    assert state["gap_mean"].numel() == 2 * alone["gap_mean"].numel()


def test_warm_start_takes_the_other_runs_weights(small, flags, tmp_path):
    """--init run:DIR starts where that run's (averaged) generator ended."""
    first = small()
    composition = gentk.compose(
        "gfmn",
        **flags,
        steps=1,
        init=f"run:{first.folder.path}",
        out=str(tmp_path / "warm"),
    )
    from gentk.runs.start import warm_start

    warm_start(composition, [])
    ours, theirs = composition.generator.state_dict(), first.generator.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_warm_start_of_another_network_is_refused(small, tmp_path):
    """The sentence names both generators and image shapes."""
    first = small()
    with pytest.raises(Incompatible, match=r"do not fit generator 'mlp,latent=9'"):
        small(
            init=f"run:{first.folder.path}",
            generator="mlp,latent=9",
            out=str(tmp_path / "warm"),
        )


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"generator": "dcgna"}, UnknownName, "did you mean 'dcgan'"),
        ({"loss": "momnets"}, UnknownName, "did you mean 'moments'"),
        ({"estimator": "am"}, UnknownName, "did you mean 'ama'"),
        ({"extractor": ["pixel"]}, UnknownName, "did you mean 'pixels'"),
        ({"data": "digit"}, UnknownName, "did you mean 'digits'"),
        ({"observer": ["progres"]}, UnknownName, "did you mean 'progress'"),
        ({"optimizer": "adma"}, UnknownName, "did you mean 'adam"),
        ({"optimizer": "adam,lr=-1"}, BadOption, "lr=1e-3"),
        ({"data": "digits,size=100000"}, BadOption, "at most 4096"),
        ({"loss": "moments,epsilon=nan"}, BadOption, "epsilon=1e-3"),
        ({"optimizer": "adam,lrr=1"}, BadOption, "did you mean 'lr'"),
        ({"estimator": "ama,rl=1"}, BadOption, "it takes betas"),
        ({"estimator": "ama,lr=fast"}, BadOption, "takes a number, not 'fast'"),
        ({"generator": "dcgan", "data": "digits,size=30"}, Incompatible, "size=32"),
        ({"data": "folder:/nowhere"}, DataError, "/nowhere"),
        ({"data": "digits,size=none,split=validation"}, DataError, "validation="),
        ({"device": "quantum"}, UsageError, "device= cpu"),
        ({"batch": 1}, UsageError, "batch"),
        ({"extractor": []}, UsageError, "extractor"),
        ({"init": "somewhere"}, UsageError, "run:FOLDER"),
        ({"codec": "run:/nowhere"}, RunError, "not the folder of a run"),
        ({"phase": {"critic": {}}}, Incompatible, "phase.generator"),
        ({"schedule": [{"at": 5, "set": {"lrr": 1}}]}, BadOption, "did you mean 'lr'"),
        ({"schedule": [{"at": 5, "set": {"lr": -1}}]}, BadOption, "lr=1e-3"),
        ({"estimator": "ama,seeding=1"}, BadOption, "seeding=0"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(small, tmp_path, changes, error, sentence):
    """Unknown, ill-typed, missing or unfit: one line that says what to type, and no run folder."""
    with pytest.raises(error) as caught:
        small(**changes)

    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_loss_and_an_estimator_that_do_not_fit_are_refused_before_weights(small, monkeypatch):
    """A statistic that an estimator cannot track names the estimators that can."""
    from gentk_moments.loss import MomentsLoss

    monkeypatch.setattr(MomentsLoss, "kinds", lambda self: {"cloud": "samples"})
    monkeypatch.setattr(
        "gentk.runs.composing.extractor_space", lambda *_, **__: pytest.fail("weights loaded")
    )
    with pytest.raises(Incompatible, match=r"'cloud' \(samples\).*estimator='batch'"):
        small()


def test_a_step_that_does_not_fit_memory_names_the_chunk(small, monkeypatch):
    """Out of memory is no bug: the sentence says --chunk."""

    def full(self):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("gentk.engine.loop.Loop.run", full)
    with pytest.raises(RunError, match=r"smaller chunk= than 16"):
        small()


def test_ama_refuses_statistics_that_live_in_a_cone(small, monkeypatch):
    """A free vector may leave the cone of covariances: ama takes real statistics only."""
    from gentk_moments.loss import MomentsLoss

    monkeypatch.setattr(MomentsLoss, "kinds", lambda self: {"covariance": "psd"})
    with pytest.raises(Incompatible, match="estimator='batch' or 'denoiser' or 'ema' or 'ma'"):
        small()


def test_grey_images_are_repeated_for_a_colour_extractor_with_one_notice(flags):
    """The notice names the extractor; features are those of the repeated image."""
    notices = []
    flags |= {"data": "digits,size=32,limit=64", "generator": "mlp"}
    composition = gentk.compose(
        "gfmn",
        **{**flags, "extractor": ["timm:resnet18,weights=none,first=2"]},
        steps=1,
        notice=notices.append,
    )
    grey = torch.rand(2, 1, 32, 32)
    features = composition.space(grey, "unit")
    repeated = composition.space(grey.expand(-1, 3, -1, -1), "unit")

    assert len(notices) == 1 and "greyscale" in notices[0] and "timm:resnet18" in notices[0]
    assert all(torch.equal(features[name], repeated[name]) for name in features)


def test_a_killed_run_leaves_a_folder_that_resumes(small, tmp_path, monkeypatch):
    """A run that dies right after its record was written starts again from its recipe."""
    monkeypatch.setattr("gentk.engine.loop.Loop.run", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        small()
    monkeypatch.undo()

    assert small().result["steps"] == 6
