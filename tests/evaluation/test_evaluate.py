"""Evaluation: closed forms, the protocol, the judge, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from gentk.errors import DataError, GentkError, Incompatible, UsageError
from gentk.evaluation.evaluate import DEFAULT_JUDGE, evaluate
from gentk.evaluation.plan import Context, Plan
from gentk.feature_space import FeatureSpace
from gentk.registry import Registry
from gentk.runs.images import open_data
from gentk.runs.sheets import FORMS, default_path, export
from gentk.testing.ranks import together


def fd(evaluation):
    """The first value."""
    return evaluation.measurements[0].value


def test_the_data_against_itself_is_zero_and_against_noise_is_not(tmp_path):
    """Real images have distance 0 to themselves and a large one to noise of the same pixels."""
    same = evaluate("digits", Plan(data="digits", extractors=("pixels",), count=2000))
    noise = np.random.default_rng(0).integers(0, 256, (300, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", images=noise)
    other = evaluate(str(tmp_path / "noise.npz"), Plan(data="digits", extractors=("pixels",)))

    assert fd(same) == pytest.approx(0, abs=1e-9)
    assert fd(other) > 0.01


def test_a_run_is_judged_by_its_own_test_split(small):
    """Without --data a run's reference is the test split of what it was trained on."""
    run = small()
    judged = evaluate(str(run.folder.path), Plan(extractors=("pixels",), count=100))

    one = judged.measurements[0]
    assert one.protocol.reference.split == "test"
    assert one.protocol.reference.count == 355
    assert one.protocol.samples == 100 and one.protocol.weights == "averaged"
    assert one.trained_on is True


def test_processes_judge_together_what_one_judges(small, own_cache):
    """Samples, reference and sanity rows are shared out; every process has the values of one."""
    folder = str(small().folder.path)
    plan = Plan(
        extractors=("pixels",), metrics=("fd", "kid,subset_size=all"), count=150, sanity=True
    )
    alone = evaluate(folder, plan)

    for each in together(3, lambda world: evaluate(folder, plan, Context(world=world))):
        for one, expected in zip(each.measurements, alone.measurements, strict=True):
            assert one.value == pytest.approx(expected.value, rel=1e-6, abs=1e-9)
            assert (one.name, one.subject) == (expected.name, expected.subject)


def test_the_same_seed_gives_the_same_figure(small):
    """Samples depend on the seed alone."""
    folder = str(small().folder.path)
    values = [
        fd(evaluate(folder, Plan(extractors=("pixels",), count=80, seed=seed)))
        for seed in (3, 3, 4)
    ]

    assert values[0] == values[1] != values[2]


def test_samples_on_disk_are_judged_as_the_run_is(small, tmp_path):
    """A folder and an npz of the same samples have the run's own figure."""
    run = small()
    path = str(run.folder.path)
    folder = export(run, "folder", 70, tmp_path / "samples")
    array = export(run, "npz", 70, tmp_path / "samples.npz")
    values = [
        fd(evaluate(str(subject), Plan(data="digits,split=test", extractors=("pixels",), count=70)))
        for subject in (path, folder, array)
    ]

    assert values == pytest.approx([values[0]] * 3, rel=1e-9)


@pytest.mark.parametrize(
    ("subject", "options", "error", "sentence"),
    [
        ("/nowhere", {}, DataError, "type the folder of a run"),
        ("digits", {}, UsageError, "add --against"),
        ("digits", {"data": "digits", "count": 1}, UsageError, "-n 5000"),
        ("digits", {"data": "digits", "seed": -1}, UsageError, "seed=-1"),
        ("digits", {"data": "digits", "device": "meta"}, UsageError, "--device cpu"),
        ("digits", {"data": "digits,size=16"}, Incompatible, "add size=8"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(subject, options, error, sentence):
    """Each refusal says what to type."""
    with pytest.raises(error) as caught:
        device = options.pop("device", "cpu")
        evaluate(subject, Plan(extractors=("pixels",), **options), Context(device=device))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "reconstruction"])
def test_every_form_of_sheet_is_written(small, tmp_path, form):
    """grid, interpolation, neighbours are pictures; folder and npz hold the samples."""
    run = small()
    out = export(run, form, 9, tmp_path / "out" / default_path(run, form).name, seed=1)

    expected = (run.sample(9, seed=1) * 255).round().to(torch.uint8)
    if form == "folder":
        for path, image in zip(sorted(out.iterdir()), expected, strict=True):
            with Image.open(path) as picture:
                assert np.array_equal(np.asarray(picture), image[0].numpy())
    elif form == "npz":
        assert np.array_equal(np.load(out)["arr_0"][..., 0], expected[:, 0].numpy())
    else:
        with Image.open(out) as picture:
            assert picture.width > 64
    assert [path.name for path in out.parent.iterdir()] == [out.name]


@pytest.mark.parametrize("form", [form for form in FORMS if form != "neighbours"])
def test_an_extractor_is_refused_where_nothing_is_looked_for_in_features(small, tmp_path, form):
    """It would be dropped in silence."""
    with pytest.raises(UsageError, match=rf"--extractor.*{form}.*--as neighbours"):
        export(small(), form, 9, tmp_path / "out", extractor="pixels")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_files_is_not_overwritten(small, tmp_path):
    """Samples go to a new or empty folder only."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    from gentk.errors import RunError

    with pytest.raises(RunError, match="not an empty folder"):
        export(small(), "folder", 4, tmp_path / "full")


def test_a_metric_has_its_own_place_and_asks_for_more_splits(small):
    """`parzen` is taken in pixels, its window chosen on the validation split of the same data."""
    run = small(data="digits,limit=200,validation=50")
    judged = evaluate(
        str(run.folder.path), Plan(metrics=("parzen", "kid,subset_size=all"), count=60)
    )

    places = {one.metric: one.extractor for one in judged.measurements}
    assert places["parzen"] == "pixels" and places["kid,subset_size=all"] in DEFAULT_JUDGE
    assert {one.name for one in judged.measurements} == {"parzen", "parzen/sigma", "kid"}
    without = small(out=str(run.folder.path) + "-without")
    with pytest.raises(DataError, match="validation=N"):
        evaluate(str(without.folder.path), Plan(metrics=("parzen",), count=60))


def test_the_judge_is_held_out_and_the_training_features_stand_beside(small):
    """Nobody is named: the default judge, and the extractor of the run, marked."""
    run = small()
    judged = evaluate(str(run.folder.path), Plan(count=40))
    places = {one.extractor: one.trained_on for one in judged.measurements}

    assert places == {DEFAULT_JUDGE[0]: False, "pixels": True}
    marks = {one.protocol.preparation.fingerprint for one in judged.measurements}
    assert len(marks) == len(places)
    alone = evaluate(str(run.folder.path), Plan(count=40, beside=False))
    assert {one.extractor for one in alone.measurements} == set(DEFAULT_JUDGE)


def test_pixels_by_their_other_name_are_training_features_too(small):
    """`identity` without a codec is `pixels`; other features are not, whatever they are made of."""
    run = small()
    plan = Plan(extractors=("identity", RANDOM[0]), count=40)
    judged = evaluate(str(run.folder.path), plan)

    assert {one.extractor: one.trained_on for one in judged.measurements} == {
        "identity": True,
        RANDOM[0]: False,
    }


RANDOM = ("timm:tf_efficientnet_lite0,weights=none,first=1",)
"""Features in which real images of another split are far enough to be told from none."""


def test_the_ratio_is_that_to_as_many_training_images(small):
    """Fdr = fd / fd(train against test), and the sanity rows hold it as 1."""
    run = small()
    path = str(run.folder.path)
    judged = evaluate(path, Plan(extractors=RANDOM, count=100, sanity=True))
    by = {(one.subject, one.name): one.value for one in judged.measurements}
    real = evaluate("digits", Plan(data="digits,split=test", extractors=RANDOM, count=100))

    assert by["real images (train)", "fd"] == pytest.approx(fd(real), rel=1e-9)
    assert by[path, "fdr"] == pytest.approx(by[path, "fd"] / fd(real), rel=1e-9)
    assert by["real images (train)", "fdr"] == pytest.approx(1)
    told = evaluate(path, Plan(extractors=RANDOM, count=100, ratio=True))
    assert {one.name for one in told.measurements} >= {"fd", "fdr"}
    assert {one.subject for one in told.measurements} == {path}


def test_a_ratio_whose_error_exceeds_it_is_no_number(small):
    """Where the floor is zero within its error there is none, and that is told."""
    path = str(small().folder.path)
    told: list[str] = []
    plan = Plan(extractors=("pixels",), count=30, ratio=True, sanity=True)
    judged = evaluate(path, plan, Context(notice=told.append))
    floor = next(m for m in judged.measurements if m.subject == "real images (train)")

    assert floor.error > floor.value
    assert "fdr" not in {one.name for one in judged.measurements}
    assert any(path in message and "fdr" in message for message in told)


def test_rows_say_how_many_images_each_of_them_has():
    """There are fewer real images of the other split than samples, and sanity rows are made of them."""
    plan = Plan(data="digits", extractors=("pixels",), count=500, sanity=True)
    plan = Plan("digits,limit=600", extractors=("pixels",), count=500, sanity=True)
    judged = evaluate("digits", plan)
    counts = {one.subject: one.protocol.samples for one in judged.measurements}
    test = len(open_data("digits,split=test", Registry()))

    assert test < 500 and counts.pop("digits") == 500
    assert len(counts) == 4 and set(counts.values()) == {test}


def test_sanity_rows_are_what_they_should_be():
    """Real images are near; noise is far; one repeated image is precise and recalls nothing."""
    judged = evaluate(
        "digits",
        Plan(
            data="digits,split=test",
            extractors=("pixels",),
            metrics=("mind", "prdc"),
            count=200,
            sanity=True,
        ),
    )
    by = {(one.subject, one.name): one.value for one in judged.measurements}
    subjects = {subject for subject, _ in by}

    assert subjects == {
        "digits",
        "real images (train)",
        "noise",
        "blurred real",
        "one real image",
    }
    assert by["real images (train)", "mind"] < by["blurred real", "mind"] < by["noise", "mind"]
    assert by["one real image", "precision"] == 1
    assert by["one real image", "recall"] < 0.05 > by["one real image", "coverage"]


def test_features_are_made_once_for_all_metrics(small, monkeypatch):
    """Several metrics see one pass of each side; what is in the cache is not passed over again."""
    passes = []
    original = FeatureSpace.of_images
    monkeypatch.setattr(
        FeatureSpace, "of_images", lambda self, x: passes.append(len(x)) or original(self, x)
    )
    path = str(small().folder.path)
    passes.clear()
    metrics = ("fd", "kid,subset_size=all", "prdc", "mind")
    judged = evaluate(path, Plan(metrics=metrics, extractors=("pixels",), count=64))
    assert sum(passes) == 355 + 64 and len(judged.measurements) == 2 + 1 + 4 + 1
    passes.clear()
    evaluate(path, Plan(extractors=("pixels",), count=64))
    assert sum(passes) == 64


def test_the_protocol_holds_all_that_decides_a_figure(small):
    """Split, counts, size, range, rounding, weights, batch-norm mode, seed, fingerprints."""
    plan = Plan(extractors=("pixels",), count=40)
    one = evaluate(str(small().folder.path), plan).measurements[0]
    protocol = one.protocol

    assert protocol.reference.split == "test" and protocol.reference.count == 355
    assert (protocol.samples, protocol.seed, protocol.size) == (40, 0, "8 x 8")
    assert (protocol.values, protocol.rounding) == ("[0, 1]", "8 bits")
    assert (protocol.weights, protocol.batch_norm) == ("averaged", "eval")
    assert protocol.reference.fingerprint and protocol.preparation.fingerprint


def test_no_ratio_to_fewer_images(small):
    """Fd depends on the number of images: with fewer real ones there is no fdr, and people are told."""
    told = []
    found = evaluate(
        str(small().folder.path),
        Plan(extractors=("pixels",), count=3000, ratio=True),
        Context(notice=told.append),
    )
    assert "fdr" not in [one.name for one in found.measurements]
    assert any("so no fdr is reported; type -n" in message for message in told)


def test_a_metric_is_not_fitted_to_what_it_is_measured_on(small, tmp_path):
    """`probe` on the training split, or under a subject that it does not look at, is refused."""
    with pytest.raises(Incompatible, match="is that split; type --against NAME"):
        evaluate(
            "digits", Plan(data="digits", metrics=("probe",), extractors=("pixels",), count=100)
        )
    with pytest.raises(Incompatible, match="does not look at the images"):
        np.savez(tmp_path / "some.npz", images=np.zeros((9, 8, 8), np.uint8))
        place = str(tmp_path / "some.npz")
        options = {"metrics": ("probe",), "extractors": ("pixels",)}
        evaluate(place, Plan(data="digits,split=test", count=9, **options))
    found = evaluate(
        "digits",
        Plan(data="digits,split=test", metrics=("probe",), extractors=("pixels",), count=100),
    )
    assert 0 < found.measurements[0].value < 1


def test_an_alias_of_the_weights_is_no_judge():
    """`vgg19` may be `vgg19.tv_in1k`; another network is another."""
    from gentk.evaluation.judges import _same

    assert _same("vgg19", "vgg19.tv_in1k") and _same("vgg19.tv_in1k", "vgg19") and _same(None, None)
    assert not _same("vgg19", "vgg19_bn") and not _same("vgg19", None)


def test_the_published_figures_take_no_other_extractor(small):
    """`standard` is one network; where its weights are may be said."""
    with pytest.raises(UsageError, match="--extractor inception,weights=PATH"):
        evaluate(str(small().folder.path), Plan(standard=True, extractors=("pixels",), count=16))
    with pytest.raises(GentkError, match=r"nowhere\.pth"):
        where = ("inception,weights=nowhere.pth",)
        evaluate(str(small().folder.path), Plan(standard=True, extractors=where, count=16))


def test_a_metric_of_labels_took_no_samples():
    """Whatever -n says: it judges an extractor on the labelled images, and the protocol says so."""
    data = "digits,limit=300,split=test"
    plan = Plan(data, metrics=("probe", "fd"), extractors=("pixels",), count=20)
    measurements = evaluate("digits,limit=300", plan).measurements
    samples = {m.metric: m.protocol.samples for m in measurements}
    assert samples == {"probe": 0, "fd": 20}
