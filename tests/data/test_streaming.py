"""Tests of data larger than memory: gentk.data.ahead, .spool, .sizes, row groups and archives."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from gentk.builtin.sources.folder import Folder
from gentk.builtin.sources.parquet import Parquet
from gentk.data import ImageSet, Minibatches, Sampler, View, open_images
from gentk.data import tree as trees
from gentk.data.ahead import Ahead
from gentk.data.sizes import bytes_of, in_words
from gentk.engine.ranks import Ranks
from gentk.engine.world import World
from gentk.errors import BadOption, DataError
from gentk.files import FileWarning

pytestmark = pytest.mark.usefixtures("own_cache")

COUNT, SIDE = 90, 8
BOUND = 10 * 3 * SIDE * SIDE  # a ninth of the data


def encoded(seed: int) -> bytes:
    """Return a picture of seeded noise as a PNG."""
    values = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(values).save(file, "PNG", compress_level=0)
    return file.getvalue()


def write_parquet(path: Path, count: int = COUNT, rows: int = 7) -> Path:
    """Write pictures in row groups."""
    table = pa.table({"image": [encoded(seed) for seed in range(count)], "label": range(count)})
    pq.write_table(table, path, row_group_size=rows, compression="none", use_dictionary=False)
    return path


def write_tar(path: Path, count: int = COUNT, mode: str = "w:gz") -> Path:
    """Write pictures in an archive, in another order than that of their names."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for seed in reversed(range(count)):
            entry = tarfile.TarInfo(f"{seed:03}.png")
            content = encoded(seed)
            entry.size = len(content)
            archive.addfile(entry, BytesIO(content))
    return path


def both(source: Callable[[], Any], memory: str = f"{BOUND}B") -> tuple[ImageSet, ImageSet]:
    """Return images in memory, and the same larger than it."""
    return open_images(source(), "x"), open_images(source(), "x", View(memory=memory))


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """Return a file of 13 row groups."""
    return write_parquet(tmp_path / "a.parquet")


# Exact


def test_a_minibatch_is_the_same_streamed_and_held(parquet: Path) -> None:
    """The same images and labels in the same order, over two epochs and more."""
    held, streamed = (Minibatches(images, 13, 5) for images in both(lambda: Parquet(parquet)))
    for _ in range(16):
        (ours, own), (theirs, other) = streamed.labelled(), held.labelled()
        assert torch.equal(ours, theirs)
        assert own is not None and other is not None
        assert torch.equal(own, other)
    assert streamed.state_dict() == held.state_dict()


def test_it_goes_on_at_any_epoch_and_offset(parquet: Path) -> None:
    """The state is (epoch, offset), as one number: another reader goes on at it, ahead or not."""
    held, streamed = (Minibatches(images, 8, 2) for images in both(lambda: Parquet(parquet)))
    for epoch, offset in ((0, 0), (0, 41), (3, 89), (1, 7)):
        state = {"count": COUNT, "seed": 2, "drawn": epoch * COUNT + offset}
        streamed.load_state_dict(state)
        held.load_state_dict(state)
        assert streamed.sampler.epoch == epoch
        for _ in range(3):
            assert torch.equal(next(streamed), next(held))
        assert streamed.state_dict()["drawn"] == epoch * COUNT + offset + 24


@pytest.mark.parametrize("size", [1, 2, 3])
def test_ranks_decode_disjoint_parts_of_one_batch(parquet: Path, size: int) -> None:
    """Every process reads its own chunks of the batch that one process reads, and nothing else."""
    held = Minibatches(open_images(Parquet(parquet), "x"), 13, 5)
    ranks = []
    for rank in range(size):
        images = open_images(Parquet(parquet), "x", View(memory=f"{BOUND}B"))
        world = World(rank=rank, size=size)
        ranks.append((Ranks(world, [5, 4, 4], dict), Minibatches(images, 13, 5), images))
    for _ in range(9):
        whole = next(held)
        rows: list[tuple[int, torch.Tensor]] = []
        for own, batches, _images in ranks:
            parts = batches.drawn([chunk.rows for chunk in own.chunks])
            rows += [(c.index, x) for c, (x, _) in zip(own.chunks, parts, strict=True)]
            assert batches.state_dict() == held.state_dict()
        assert torch.equal(torch.cat([x for _, x in sorted(rows, key=lambda row: row[0])]), whole)


CHANGES: dict[str, dict[str, Any]] = {
    "matching": {},
    "samples": {"loss": "mmd", "estimator": "batch"},
    "autoencoding": {
        "loss": "reconstruction",
        "encoder": "mlp,widths=16",
        "estimator": None,
        "extractor": None,
    },
    "adversarial": {"loss": "hinge", "critic": "mlp", "estimator": None, "extractor": None},
}


@pytest.mark.parametrize("family", CHANGES)
def test_weights_are_the_same_streamed_and_held_and_resumed(
    small: Callable[..., Any], tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every family: the same bits after some steps, and when streaming goes on at a checkpoint."""
    monkeypatch.setattr("gentk.families.sides.HELD", 0)
    path = write_parquet(tmp_path / "a.parquet")

    def weights(memory: str, *steps: int) -> list[torch.Tensor]:
        place = str(tmp_path / f"{memory}{len(steps)}")
        for step in steps:
            run = small(
                data=f"parquet:{path},memory={memory}",
                steps=step,
                out=place,
                **CHANGES[family],
            )
        return list(run.folder.checkpoints.load()["generator"].values())

    held, streamed, resumed = weights("1GB", 7), weights("4kB", 7), weights("4kB", 3, 7)
    for one, two, three in zip(held, streamed, resumed, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)


@given(
    st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=5), min_size=1, max_size=12),
    st.lists(st.booleans(), min_size=12, max_size=12),
    st.integers(0, 200),
)
def test_a_plan_decides_when_and_never_what(
    asked: list[list[int]], planned: list[bool], memory: int
) -> None:
    """Whatever of the plan is skipped, or asked for against it, the images are those asked for."""
    parts = [np.array(part) for part in asked]
    done = 0

    def plan() -> Iterator[NDArray[np.int64]]:
        return iter([p for p, on in zip(parts[done:], planned[done:], strict=False) if on])

    def decode(index: int) -> NDArray[np.uint8]:
        return np.full((1, 2, 2), index, dtype=np.uint8)

    ahead = Ahead(decode, (1, 2, 2), lambda: memory, 2, plan)
    for part in parts:
        done += 1
        assert (ahead.take(part)[:, 0, 0, 0] == part).all()


# Bounded


class Counted:
    """Decodes, and counts what it has decoded and nobody has taken yet."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting = self.most = 0

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Return the image of an index."""
        with self.lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        return np.full((1, 4, 4), index, dtype=np.uint8)


@pytest.mark.parametrize(("memory", "most"), [(0, 10), (5 * 16, 10), (20 * 16, 25), (80 * 16, 85)])
def test_what_waits_is_bounded_in_bytes(memory: int, most: int) -> None:
    """Beside what is asked for, at most `memory` waits, or one batch."""
    counted, order = Counted(), [np.arange(start, start + 5) % 50 for start in range(0, 500, 5)]
    ahead = Ahead(counted, (1, 4, 4), lambda: memory, 3, lambda: iter(order))
    for part in order:
        ahead.take(part)
        assert ahead.waiting <= max(memory, 5 * 16)
        with counted.lock:
            counted.waiting -= 5
    assert counted.most <= most


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_flat_over_two_epochs(tmp_path: Path) -> None:
    """After a tenth of an epoch a streamed set takes no more memory: not 5 %."""
    count, side = 1500, 64
    rng = np.random.default_rng(0)
    images = []
    for _ in range(count):
        file = BytesIO()
        values = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(values).save(file, "PPM")
        images.append(file.getvalue())
    pq.write_table(pa.table({"image": images}), tmp_path / "a.parquet", row_group_size=50)
    del images
    data = count * side * side * 3
    streamed = open_images(Parquet(tmp_path / "a.parquet"), "x", View(memory=f"{data // 20}B"))
    batches = Minibatches(streamed, 25, 0)

    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    seen = []
    for step in range(2 * count // 25):
        next(batches)
        if step % 6 == 5:
            seen.append(resident())
    first, *rest = seen
    assert max(rest) - first < 0.05 * first
    assert max(rest) - first < data / 4


# Ends


def test_threads_end_with_what_asked_for_them() -> None:
    """Nothing goes on decoding for an iteration that was given up."""
    going = threading.Event()

    def slow(index: int) -> NDArray[np.uint8]:
        going.set()
        time.sleep(0.01)
        return np.zeros((1, 1, 1), dtype=np.uint8)

    before = set(threading.enumerate())
    order = [np.arange(1), np.arange(2000)]
    ahead = Ahead(slow, (1, 1, 1), lambda: 10**9, 2, lambda: iter(order))
    ahead.take(order[0])
    assert set(threading.enumerate()) - before
    del ahead
    gc.collect()
    until = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < until:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before


def test_an_image_that_is_lost_is_named_where_its_turn_is(parquet: Path, tmp_path: Path) -> None:
    """Those before it are given; then one sentence, in the thread that asks; then others again."""
    for seed in range(20):
        (tmp_path / f"{seed:02}.png").write_bytes(encoded(seed))
    (tmp_path / "a.parquet").unlink()
    images = open_images(Folder(tmp_path), "photos", View(memory=0))
    (tmp_path / "07.png").write_bytes(b"")
    chunks = images.chunks(2)
    assert all(len(next(chunks)) == 2 for _ in range(3))
    with pytest.raises(DataError, match=r"photos: image 07\.png could be decoded"):
        next(chunks)
    assert len(images.batch([5, 8])) == 2


def test_a_program_that_is_interrupted_does_not_wait_for_its_threads(tmp_path: Path) -> None:
    """With minutes of decoding in the queue it ends at once, with the error it ends with."""
    script = """
import time
import numpy as np
from gentk.data.ahead import Ahead
def slow(index):
    time.sleep(0.05)
    return np.zeros((1, 1, 1), dtype=np.uint8)
order = [np.arange(1), *[np.arange(5000)] * 4]
ahead = Ahead(slow, (1, 1, 1), lambda: 10**9, 2, lambda: iter(order))
ahead.take(order[0])
print(time.time(), flush=True)
raise KeyboardInterrupt
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60
    )
    assert time.time() - float(ended.stdout) < 5
    assert "KeyboardInterrupt" in ended.stderr


# Packed


def test_row_groups_are_unpacked_once_within_the_memory(parquet: Path, tmp_path: Path) -> None:
    """Larger than memory they are kept in the cache, by themselves, and found again."""
    held, streamed = both(lambda: Parquet(parquet))
    everything = list(range(COUNT))
    assert torch.equal(held.batch(everything), streamed.batch(everything))
    assert any(str(tmp_path / "cache" / "unpacked") in note for note in streamed.notes())
    (place,) = (tmp_path / "cache" / "unpacked").iterdir()
    before = (place / "images").stat().st_mtime_ns
    again = open_images(Parquet(parquet), "x", View(memory=0, size=4))
    assert (place / "images").stat().st_mtime_ns == before
    assert again.shape.height == 4
    assert held.pixels.where in held.summary() and "decoded" in streamed.summary()


def test_rows_may_point_to_files_in_any_container(tmp_path: Path) -> None:
    """A row without bytes is the file beside the table, one without anything is skipped."""
    (tmp_path / "beside.png").write_bytes(encoded(3))
    rows = [
        {"bytes": encoded(0), "path": None},
        {"bytes": None, "path": "beside.png"},
        {"bytes": None, "path": None},
        {"bytes": encoded(1), "path": "gone.png"},
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(rows, kind)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1)
    held, streamed = both(lambda: Parquet(tmp_path / "a.parquet"), "0")
    assert held.skipped == streamed.skipped == ["a.parquet row 2"]
    assert torch.equal(held.batch([0, 1, 2]), streamed.batch([0, 1, 2]))


@pytest.mark.parametrize("memory", ["1GB", "0"])
def test_a_damaged_row_group_is_named(parquet: Path, memory: str) -> None:
    """In the middle of a file: the file, the row group, and nothing half-unpacked left behind."""
    content = bytearray(parquet.read_bytes())
    start = pq.read_metadata(parquet).row_group(6).column(0).data_page_offset
    content[start : start + 30] = b"\xff" * 30
    parquet.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet is damaged in row group 6 of 13"):
        open_images(Parquet(parquet), "x", View(memory=memory))


def test_what_was_unpacked_and_is_damaged_is_made_again(parquet: Path, tmp_path: Path) -> None:
    """A file that ends too early is told of."""
    streamed = open_images(Parquet(parquet), "x", View(memory=0))
    (place,) = (tmp_path / "cache" / "unpacked").glob("*/images")
    place.write_bytes(place.read_bytes()[:-5])
    with pytest.warns(FileWarning, match="made again"):
        again = open_images(Parquet(parquet), "x", View(memory=0))
    assert again.fingerprint() == streamed.fingerprint()
    assert torch.equal(again.batch([0, 89]), open_images(Parquet(parquet), "x").batch([0, 89]))


def test_a_disk_without_room_is_one_sentence(
    parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written: how much there must be, and what else may be typed."""
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=99))
    with pytest.raises(DataError, match=r"unpacked.*99 bytes free: set GENTK_CACHE"):
        open_images(Parquet(parquet), "x", View(memory=0))
    assert not list((tmp_path / "cache").rglob("images"))


def test_a_compressed_archive_is_unpacked_within_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Larger than memory its files are read from the cache, as from one that is not compressed."""
    plain = write_tar(tmp_path / "a.tar", mode="w")
    packed = write_tar(tmp_path / "a.tar.gz")
    monkeypatch.setattr(trees, "AT_ONCE", 100)
    held, streamed = both(lambda: Folder(packed))
    assert torch.equal(held.batch(range(COUNT)), streamed.batch(range(COUNT)))
    theirs = open_images(Folder(plain), "x", View(memory=0))
    assert streamed.fingerprint() == theirs.fingerprint()
    assert len(list((tmp_path / "cache" / "unpacked").glob("*/images"))) == 1


def test_a_compressed_archive_that_is_damaged_names_where(tmp_path: Path) -> None:
    """The archive, and the last member that could be read."""
    packed = write_tar(tmp_path / "a.tar.gz")
    packed.write_bytes(packed.read_bytes()[:4000])
    with pytest.raises(
        DataError, match=r"a\.tar\.gz cannot be read as an archive \(after 0\d\d\.png"
    ):
        open_images(Folder(packed), "x")


# Sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", 2 * 10**9),
        ("1.5GiB", 3 * 2**29),
        ("7kb", 7000),
        ("0.5", 2**29),
        (4.0, 2**32),
        ("0", 0),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    """A number alone is of GiB."""
    assert bytes_of(text) == size == View(memory=text).bytes


@pytest.mark.parametrize("text", ["-1", "GB", "2XB", "nan", "1GBB", ""])
def test_what_is_no_size_is_refused(text: str) -> None:
    """With what would be one."""
    with pytest.raises(BadOption, match=r"memory=.*write memory=2GB"):
        View(memory=text)


@given(st.integers(0, 10**14))
def test_sizes_are_written_to_two_digits(size: int) -> None:
    """What is written is within 5 % of the size."""
    number, unit = in_words(size).replace(",", "").split()
    value = float(number) * 1000 ** ("bytes", "kB", "MB", "GB", "TB").index(unit)
    assert value == pytest.approx(size, rel=0.051)


def test_upcoming_minibatches_are_those_drawn_next() -> None:
    """Looking ahead draws nothing."""
    sampler = Sampler(10, 4, 3)
    next(sampler)
    coming = sampler.upcoming()
    expected = [next(coming) for _ in range(6)]
    assert sampler.state_dict()["drawn"] == 4
    assert all(torch.equal(next(sampler), each) for each in expected)
