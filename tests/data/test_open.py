"""Tests of gentk.data.open, .decoder, .pixels and .imageset."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gentk.data import ArrayRecords, ImageSet, MemoryPixels, View, open_images, to_unit
from gentk.errors import DataError
from gentk.interfaces import ImageShape, Source

Noise = Callable[..., Image.Image]
Encode = Callable[..., bytes]
MakeSource = Callable[..., Source]

LAZY = 1e-9  # GiB


def test_pixels_and_labels_survive(make_source: MakeSource, noise: Noise) -> None:
    """An image set has the images and labels of its source, in order."""
    images = [noise(seed) for seed in range(300)]
    opened = open_images(make_source(images, [seed % 3 for seed in range(300)]), "x")
    expected = np.stack([np.asarray(image).transpose(2, 0, 1) for image in images])
    assert (opened.batch(range(300)).numpy() == expected).all()
    assert opened.labels is not None
    assert opened.labels.tolist() == [seed % 3 for seed in range(300)]
    assert opened.histogram() == {"0": 100, "1": 100, "2": 100}
    assert opened.shape == ImageShape(3, 8, 8)


@pytest.mark.parametrize("memory", [4.0, LAZY])
def test_damaged_images_are_skipped_and_listed(
    make_source: MakeSource, noise: Noise, encode: Encode, memory: float
) -> None:
    """A corrupt PNG and a truncated JPEG do not end the run; labels stay with their images."""
    good = [encode(noise(seed)) for seed in range(6)]
    jpeg = encode(noise(9, 64, 64), "JPEG")
    corrupt = good[2][:40] + b"\0\0\0\0" + good[2][44:]
    stored = [*good[:2], corrupt, good[3], jpeg[: len(jpeg) // 2], good[5]]
    opened = open_images(make_source(stored, [0, 1, 2, 3, 4, 5]), "x", View(memory=memory))
    seen = opened.batch(range(len(opened)))
    kept = [0, 1, 3, 5]
    expected = [np.asarray(noise(seed)).transpose(2, 0, 1) for seed in kept]
    assert opened.skipped == ["item 2", "item 4"]
    assert (seen.numpy() == np.stack(expected)).all()
    assert opened.labels is not None
    assert opened.labels.tolist() == kept
    assert opened.description()["skipped"] == 2


@pytest.mark.parametrize("memory", [4.0, LAZY])
def test_strict_refuses_the_first_damaged_image(
    make_source: MakeSource, noise: Noise, encode: Encode, memory: float
) -> None:
    """With strict=true the first damaged image is named."""
    stored = [encode(noise(seed)) for seed in range(600)]
    stored[310] = stored[570] = b"not an image"
    with pytest.raises(DataError, match="x: image item 310 is damaged"):
        for _ in open_images(make_source(stored), "x", View(strict=True, memory=memory)).chunks(99):
            pass


def test_all_damaged_is_refused(make_source: MakeSource) -> None:
    """Nothing but damaged images is an error that names the first, with the reason if strict."""
    with pytest.raises(DataError, match=r"none of its 70 images can be decoded.*item 0"):
        open_images(make_source([b"no"] * 70), "x")
    with pytest.raises(DataError, match=r"item 0 is damaged \(cannot identify"):
        open_images(make_source([b"no"] * 70), "x", View(strict=True))


def test_one_good_image_among_damaged_is_found(
    make_source: MakeSource, noise: Noise, encode: Encode
) -> None:
    """A single good image is a data set, wherever it is."""
    stored = [b"no"] * 500
    stored[101] = encode(noise(1))
    assert len(open_images(make_source(stored), "x")) == 1


@pytest.mark.parametrize("memory", [4.0, LAZY])
def test_mixed_sizes_need_size(make_source: MakeSource, noise: Noise, memory: float) -> None:
    """Mixed sizes are refused naming two of them; size=N mends it."""
    source = make_source([noise(0), noise(1, 12, 9)])
    with pytest.raises(DataError, match=r"12 x 9 pixels, others 8 x 8; add size=N"):
        open_images(source, "x", View(memory=memory)).batch([0, 1])
    mended = open_images(source, "x", View(size=8, memory=memory))
    assert mended.batch([0, 1]).shape == (2, 3, 8, 8)


def test_oblong_images_need_size(make_source: MakeSource, noise: Noise) -> None:
    """Images that are not square are refused, and size=N mends it."""
    with pytest.raises(DataError, match=r"12 x 9 pixels, and they must be square: add size=N"):
        open_images(make_source([noise(0, 12, 9)]), "x")
    assert open_images(make_source([noise(0, 12, 9)]), "x", View(size=8)).shape == (3, 8, 8)


def test_mixed_modes_become_colour(make_source: MakeSource, noise: Noise) -> None:
    """One image in colour among many grey ones makes all colour, even one not probed."""
    images = [noise(seed, mode="L") for seed in range(200)]
    images[102] = noise(102)
    opened = open_images(make_source(images), "x")
    assert opened.shape.channels == 3
    batch = opened.batch([0, 102])
    assert (batch[0].numpy() == np.asarray(images[0])).all()
    assert (batch[1].numpy() == np.asarray(images[102]).transpose(2, 0, 1)).all()
    lazy = open_images(make_source(images), "x", View(memory=LAZY))
    assert (lazy.batch([0, 102]) == batch).all()
    assert open_images(make_source(images), "x", View(channels=1)).shape.channels == 1


@given(st.lists(st.integers(0, 39), min_size=1, max_size=20), st.integers(0, 30), st.integers(1, 9))
def test_lazy_and_held_sets_agree(indices: list[int], validation: int, seed: int) -> None:
    """Decoding on access gives the batches, labels and chunks that memory gives."""
    pixels = np.random.default_rng(0).integers(0, 256, (70, 10, 10, 3), dtype=np.uint8)

    class Fixed(Source):
        def records(self, split: str) -> ArrayRecords:
            return ArrayRecords(pixels, labels=np.arange(70) % 7)

    options = {"validation": validation, "split_seed": seed, "size": 5}
    held = open_images(Fixed(), "x", View(**options))  # type: ignore[arg-type]
    lazy = open_images(Fixed(), "x", View(**options, memory=0.0))  # type: ignore[arg-type]
    assert torch.equal(held.batch(indices), lazy.batch(indices))
    assert torch.equal(torch.cat(list(held.chunks(7))), torch.cat(list(lazy.chunks(9))))
    assert held.histogram() == lazy.histogram()
    assert len(held) == len(lazy) == 70 - validation


def test_images_that_are_damaged_later_are_refused(
    make_source: MakeSource, noise: Noise, encode: Encode
) -> None:
    """An image that was good at opening is not replaced by another when it is lost."""
    stored: list[bytes] = [encode(noise(0))] * 300
    opened = open_images(make_source(stored), "x", View(memory=LAZY))
    stored[7] = b""
    with pytest.raises(DataError, match="item 7 could be decoded"):
        opened.batch([7])


@pytest.mark.parametrize("memory", [4.0, LAZY])
def test_fingerprint_follows_content(make_source: MakeSource, noise: Noise, memory: float) -> None:
    """The fingerprint is the same for the same content, and changes with any of it."""

    def fingerprint(seeds: list[int], labels: list[int] | None = None, **options: object) -> str:
        source = make_source([noise(seed) for seed in seeds], labels)
        return open_images(source, "x", View(memory=memory, **options)).fingerprint()  # type: ignore[arg-type]

    base = fingerprint([0, 1, 2])
    assert fingerprint([0, 1, 2]) == base
    others = [
        fingerprint([0, 2, 1]),
        fingerprint([0, 1, 3]),
        fingerprint([0, 1]),
        fingerprint([0, 1, 2], [0, 0, 1]),
        fingerprint([0, 1, 2], size=7),
        fingerprint([0, 1, 2], channels=1),
        fingerprint([0, 1, 2], split="validation", validation=1),
    ]
    assert len({base, *others}) == len(others) + 1


def test_fingerprint_does_not_depend_on_use(
    make_source: MakeSource, noise: Noise, encode: Encode
) -> None:
    """Using a lazy set with a damaged image leaves its fingerprint as it was."""
    stored = [encode(noise(seed)) for seed in range(200)]
    stored[101] = b""
    fresh = open_images(make_source(stored, [0, 1] * 100), "x", View(memory=LAZY))
    used = open_images(make_source(stored, [0, 1] * 100), "x", View(memory=LAZY))
    list(used.chunks(50))
    assert used.skipped == ["item 101"]
    assert used.fingerprint() == fresh.fingerprint()


def test_description_is_json(make_source: MakeSource, noise: Noise) -> None:
    """The description survives JSON and tells what was taken."""
    images = [noise(seed, mode="L") for seed in range(10)]
    view = View(validation=3, split_seed=5)
    described = open_images(make_source(images, [0] * 5 + [1] * 5), "mine", view).description()
    assert json.loads(json.dumps(described)) == described
    assert described["name"] == "mine"
    assert described["split"] == "train"
    assert described["count"] == sum(described["classes"].values()) == 7
    assert described["shape"] == [1, 8, 8]
    assert (described["validation"], described["split_seed"]) == (3, 5)


def test_unlabelled_images_have_no_labels() -> None:
    """Labels that are all -1 are no labels; some of them are left out of the histogram."""
    pixels = MemoryPixels(torch.zeros(3, 1, 2, 2, dtype=torch.uint8))
    assert ImageSet(pixels, name="x", labels=[-1, -1, -1], classes=["a"]).labels is None
    some = ImageSet(pixels, name="x", labels=[-1, 0, 1], classes=["a", "b"])
    assert some.histogram() == {"a": 1, "b": 1}
    with pytest.raises(DataError, match="label 2 and only 1 classes"):
        ImageSet(pixels, name="x", labels=[0, 1, 2], classes=["a"])


def test_labels_may_come_from_a_file(tmp_path: Path, make_source: MakeSource, noise: Noise) -> None:
    """One a training image of the source, in its order, whatever the view takes of it."""
    images = [noise(seed, 8, 8) for seed in range(6)]
    where = tmp_path / "labels.npy"
    np.save(where, np.array([3, 0, -1, 1, 2, 3]))
    source = make_source(images, [0] * 6)

    taken = open_images(source, "x", View(labels=where, validation=2, split_seed=1))
    held = open_images(
        source, "x", View(labels=where, validation=2, split_seed=1, split="validation")
    )
    both = {
        int(p): int(y)
        for s in (taken, held)
        for p, y in zip(s.pixels.positions, s.labels, strict=True)
    }
    assert both == {0: 3, 1: 0, 2: -1, 3: 1, 4: 2, 5: 3}
    assert taken.classes == ["0", "1", "2", "3"]
    own = open_images(source, "x", View(validation=2, split_seed=1))
    assert own.fingerprint() != taken.fingerprint()


@pytest.mark.parametrize(
    "labels", [np.zeros(5, int), np.zeros(6), np.zeros((6, 1), int), np.full(6, -2), None]
)
def test_a_file_of_something_else_is_refused(
    tmp_path: Path, make_source: MakeSource, noise: Noise, labels: np.ndarray | None
) -> None:
    """Another number, no whole numbers, another form, below -1, not a NumPy file: one sentence."""
    where = tmp_path / "labels.npy"
    if labels is None:
        where.write_text("0 1 2 3 4 5")
    else:
        np.save(where, labels)
    with pytest.raises(
        DataError, match=r"labels=.*(must be \(6,\) whole numbers|with numpy\.save)"
    ):
        open_images(make_source([noise(s, 8, 8) for s in range(6)]), "x", View(labels=where))


def test_to_unit_is_exact() -> None:
    """0 and 255 become 0 and 1, and every value x / 255 in float32."""
    values = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_unit(values), (values.double() / 255).float())


def test_batches_are_copies() -> None:
    """Writing into a batch does not change the data."""
    images = ImageSet(MemoryPixels(torch.zeros(2, 1, 2, 2, dtype=torch.uint8)), name="x")
    images.batch([0]).add_(1)
    assert int(images.batch([0]).max()) == 0
