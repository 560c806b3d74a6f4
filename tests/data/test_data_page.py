"""Every line of the table in docs/data.md: made, opened as it is typed, and said as it stands."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageCms

from gentk.errors import GentkError
from gentk.events import Event, Noticed
from gentk.interfaces import Observer
from gentk.registry import Registry
from gentk.runs.images import open_data

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
Build = Callable[[Path], object]
BUILDERS: dict[str, Build] = {}
DRAW = np.random.default_rng(0)


def builds(name: str) -> Callable[[Build], Build]:
    """Say which line of the table a function makes."""

    def register(build: Build) -> Build:
        assert name not in BUILDERS
        BUILDERS[name] = build
        return build

    return register


def image(mode: str = "RGB", size: tuple[int, int] = (8, 8)) -> Image.Image:
    """Seeded noise."""
    shape = (*size[::-1], 3) if mode == "RGB" else size[::-1]
    return Image.fromarray(DRAW.integers(0, 256, shape, dtype=np.uint8))


def encoded() -> bytes:
    """Seeded noise as PNG."""
    file = BytesIO()
    image().save(file, "PNG")
    return file.getvalue()


def put(root: Path, *names: str, mode: str = "RGB", **options: Any) -> None:
    """Write an image under each name."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        image(mode).save(root / name, **options)


def classes(
    root: Path, *below: str, count: int = 2, names: tuple[str, ...] = ("cat", "dog")
) -> None:
    """Write `count` images for each class, below each of some folders."""
    for folder in below or ("",):
        put(root, *(f"{folder}/{name}/{n}.png".strip("/") for name in names for n in range(count)))


def splits(root: Path, train: str, *others: str) -> None:
    """Write four training images, and two of each other split."""
    classes(root, train)
    for other in others:
        classes(root, other, count=1)


def linked(root: Path, name: str, target: Path) -> None:
    """Make a link."""
    (root / name).symlink_to(target)


BUILDERS |= {
    "pictures in one folder": lambda r: put(r, "d/a.png", "d/b.png", "d/c.jpg"),
    "a folder for each class": lambda r: classes(r, "d"),
    "pictures beside the folders of classes": lambda r: (classes(r, "d"), put(r, "d/x.png")),
    "`train/` and `test/`": lambda r: splits(r, "d/train", "d/test"),
    "`Train/` and `VALID/`": lambda r: splits(r, "d/Train", "d/VALID"),
    "`train/`, `val/` and `test/`": lambda r: splits(r, "d/train", "d/val", "d/test"),
    "`training_set/` and `test_set/`": lambda r: splits(r, "d/training_set", "d/test_set"),
    "`images/train/` and `images/val/`": lambda r: splits(r, "d/images/train", "d/images/val"),
    "splits, and a folder that is none": lambda r: (
        splits(r, "d/train", "d/test"),
        put(r, "d/extra/x.png"),
    ),
    "`train/` among other folders": lambda r: put(r, *(f"d/{n}/0.png" for n in ("car", "train"))),
    "`train/` that is a class": lambda r: put(
        r, *(f"d/{n}/0.png" for n in ("car", "plane", "train"))
    ),
    "`trainA/` and `testA/`": lambda r: put(r, "d/trainA/0.png", "d/testA/0.png"),
    "splits below each class": lambda r: put(
        r,
        *(
            f"d/{c}/{s}/{n}.png"
            for c in ("cat", "dog")
            for s, k in (("train", 2), ("test", 1))
            for n in range(k)
        ),
    ),
    "a class that only `test/` has": lambda r: (
        classes(r, "d/train"),
        classes(r, "d/test", names=("bee", "cat")),
    ),
    "a class that `test/` lacks": lambda r: (
        classes(r, "d/train"),
        classes(r, "d/test", names=("dog",)),
    ),
    "`train/` named by itself": lambda r: splits(r, "d/train", "d/test"),
    "only a test folder": lambda r: classes(r, "d/test"),
    "texts and tables beside the pictures": lambda r: (
        put(r, "d/a.png"),
        [(r / "d" / n).write_text("") for n in ("a.txt", "b.txt", "c.csv", "Thumbs.db")],
    ),
    "`.jfif`, `.ppm`, `.tga`, `.jp2`": lambda r: put(
        r, *(f"d/a.{e}" for e in ("jfif", "ppm", "tga", "jp2"))
    ),
    "`@eaDir/`, `__MACOSX/`, hidden folders": lambda r: (
        classes(r, "d"),
        put(r, "d/@eaDir/a.png", "d/__MACOSX/._b.png", "d/.thumbs/c.png"),
    ),
    "an empty folder": lambda r: (classes(r, "d"), (r / "d" / "fox").mkdir()),
    "a link to the folder above": lambda r: (
        classes(r, "d"),
        linked(r / "d" / "cat", "up", r / "d"),
    ),
    "a broken link, a pipe": lambda r: (
        put(r, "d/a.png"),
        linked(r / "d", "b.png", r / "nowhere"),
        os.mkfifo(r / "d" / "c.png"),
    ),
    "grey pictures and one in colour": lambda r: grey_and_colour(r),
    "grey pictures and one in colour, larger than memory": lambda r: grey_and_colour(r),
    "damaged pictures": lambda r: damaged(r),
    "damaged pictures, larger than memory": lambda r: damaged(r),
    "pictures of several sizes": lambda r: (
        put(r, "d/a.png"),
        image(size=(9, 9)).save(r / "d" / "b.png"),
    ),
    "animations": lambda r: (
        (r / "d").mkdir(),
        image().save(r / "d" / "a.gif", save_all=True, append_images=[image(), image()]),
    ),
    "an sRGB profile": lambda r: put(r, "d/a.png", icc_profile=srgb()),
    "a colour profile that is damaged": lambda r: put(
        r, "d/a.png", icc_profile=b"no profile at all"
    ),
    "a folder called `n=1,limit=3`": lambda r: put(
        r, "d/n=1/0.png", *(f"d/n=1,limit=3/{n}.png" for n in range(4))
    ),
    "a zip archive": lambda r: (
        splits(r, "d/train", "d/test"),
        shutil.make_archive(str(r / "d"), "zip", r / "d"),
    ),
    "a tar archive": lambda r: (classes(r, "d"), shutil.make_archive(str(r / "d"), "tar", r / "d")),
    "a compressed tar archive": lambda r: (
        classes(r, "d"),
        shutil.make_archive(str(r / "d"), "gztar", r / "d"),
    ),
    "a zip with damaged pictures": lambda r: (
        put(r, "d/a.png"),
        (r / "d" / "x.png").write_bytes(b"no"),
        shutil.make_archive(str(r / "d"), "zip", r / "d"),
    ),
}


def grey_and_colour(root: Path) -> None:
    """Eight grey images and one in colour."""
    put(root, *(f"d/{n}.png" for n in range(8)), mode="L")
    put(root, "d/x.png")


def damaged(root: Path) -> None:
    """Two good images, one cut short, and one that is no image."""
    put(root, "d/a.png", "d/b.png", "d/x.png")
    whole = (root / "d" / "x.png").read_bytes()
    (root / "d" / "x.png").write_bytes(whole[: len(whole) // 2])
    (root / "d" / "y.png").write_bytes(b"<html>")


def srgb() -> bytes:
    """The profile that Pillow makes for sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@builds("a colour profile that is not sRGB")
def _profile(root: Path) -> None:
    # XYZ is a profile of another space; LAB likewise: a real one of another gamut is sRGB's own with
    # red and green exchanged, which every reader must honour.
    content = srgb()
    red, green = content.index(b"rXYZ", 128), content.index(b"gXYZ", 128)
    swapped = bytearray(content)
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    put(root, "d/a.png", icc_profile=bytes(swapped))


@builds("photographs with an EXIF orientation")
def _exif(root: Path) -> None:
    (root / "d").mkdir()
    for number, orientation in enumerate((1, 3, 6)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image(size=(12, 9)).save(root / "d" / f"{number}.jpg", exif=exif)


@builds("16-bit grey pictures")
def _sixteen(root: Path) -> None:
    (root / "d").mkdir()
    Image.fromarray(DRAW.integers(0, 65536, (8, 8), dtype=np.uint16)).save(root / "d" / "a.png")


@builds("32-bit pictures")
@builds("32-bit pictures, white told")
def _thirty_two(root: Path) -> None:
    (root / "d").mkdir()
    values = DRAW.integers(1, 200, (8, 8), dtype=np.int32)
    values[0, :2] = 0, 200
    Image.fromarray(values).save(root / "d" / "a.tif")


PIXELS = DRAW.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
THREE = np.arange(6) % 3
NAMES = np.array(["dog", "cat"] * 3)
ARRAYS: dict[str, dict[str, Any]] = {
    "an npz with `arr_0` and `arr_1`": {"arr_0": PIXELS, "arr_1": THREE},
    "an npz with names as labels": {"images": PIXELS, "labels": NAMES},
    "an npz with floats as labels": {"images": PIXELS, "labels": THREE.astype(np.float32)},
    "an npz with something else as labels": {"images": PIXELS, "labels": THREE / 2},
    "an npz of `train_images` and `test_images`": {
        "train_images": PIXELS,
        "train_labels": THREE[:, None],
        "test_images": PIXELS[:2],
    },
    "an npz of booleans": {"images": PIXELS[..., 0] > 99},
    "an npz of zeros and ones": {"images": PIXELS[..., 0] // 128},
    "statistics of features (`mu`, `sigma`)": {"mu": np.zeros(3), "sigma": np.eye(3)},
}
for name, arrays in ARRAYS.items():
    BUILDERS[name] = lambda root, arrays=arrays: np.savez(root / "a.npz", **arrays)  # type: ignore[misc]


def table(root: Path, name: str, **columns: Any) -> None:
    """Write a parquet file."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), root / name)


def pictures(count: int) -> pa.Array:
    """Encoded images."""
    return pa.array([encoded() for _ in range(count)], pa.binary())


PARQUETS: dict[str, Callable[[], dict[str, Any]]] = {
    "parquet written by pandas (`large_string`, categories)": lambda: {
        "image": pictures(6),
        "label": pa.array(NAMES.tolist(), pa.large_string()).dictionary_encode(),
    },
    "parquet with labels and gaps": lambda: {
        "image": pictures(6),
        "label": pa.array([0.0, 1.0, None, float("nan"), 0.0, 1.0]),
    },
    "parquet with lists as labels": lambda: {"image": pictures(2), "label": [[0, 1], [1]]},
    "parquet with two columns of pictures, one `image`": lambda: {
        "mask": pictures(2),
        "image": pictures(2),
    },
    "parquet with two columns of pictures": lambda: {"before": pictures(2), "after": pictures(2)},
    "parquet with nested columns": lambda: {
        "data": pa.StructArray.from_arrays(
            [
                pa.StructArray.from_arrays(
                    [pictures(6), pa.array([None] * 6, pa.string())], ["bytes", "path"]
                ),
                pa.array([0, 1] * 3),
            ],
            ["image", "label"],
        )
    },
    "parquet with other columns": lambda: {"image": pictures(1), "caption": ["a"], "width": [3]},
}
for name, make in PARQUETS.items():
    BUILDERS[name] = lambda root, make=make: table(root, "a.parquet", **make())  # type: ignore[misc]


@builds("the hub's `default/train/0000.parquet`")
def _hub(root: Path) -> None:
    for shard in range(12):
        table(root, f"d/default/train/{shard}.parquet", image=pictures(1), label=[shard])
    table(root, "d/default/test/0.parquet", image=pictures(1), label=[0])


@builds("a pattern")
def _pattern(root: Path) -> None:
    for shard in range(2):
        table(root, f"d/train-{shard:05}-of-00002.parquet", image=pictures(6))
    table(root, "d/test-00000-of-00001.parquet", image=pictures(2))


BUILDERS["one of several shards"] = _pattern


@builds("several data sets in one folder")
def _several(root: Path) -> None:
    for name in ("small-train", "big-train", "big-test"):
        table(root, f"d/{name}.parquet", image=pictures(1))


def arrow(path: Path, count: int) -> None:
    """Write a file as the package `datasets` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = pa.table({"image": pictures(count), "label": list(range(count))})
    with pyarrow.ipc.new_stream(str(path), content.schema) as stream:
        stream.write_table(content)


@builds("a folder of `datasets`' `save_to_disk`")
def _saved(root: Path) -> None:
    arrow(root / "d" / "train" / "data-00000-of-00001.arrow", 6)
    arrow(root / "d" / "test" / "data-00000-of-00001.arrow", 2)


@builds("a folder of `datasets`' cache")
def _cached(root: Path) -> None:
    place = root / "d" / "plain_text" / "0.0.0" / "0123456789abcdef"
    arrow(place / "cifar10-train-00000-of-00001.arrow", 6)
    arrow(place / "cifar10-test.arrow", 2)
    arrow(place / "cache-0123456789abcdef.arrow", 3)


def lines() -> list[tuple[str, str, list[str]]]:
    """The lines of the table: what there is, what is typed, what is said."""
    rows = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 4 and cells[1].startswith("`"):
            rows.append((cells[0], cells[1].strip("`"), re.findall(r"`([^`]+)`", cells[3])))
    return rows


def test_the_table_and_the_tests_are_one() -> None:
    """No line is without a test, and no test without a line; there are forty and more."""
    assert sorted(name for name, _, _ in lines()) == sorted(BUILDERS)
    assert len(BUILDERS) >= 40


@pytest.mark.parametrize(("name", "typed", "said"), lines(), ids=[row[0] for row in lines()])
def test_each_line_is_as_it_stands(
    name: str,
    typed: str,
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_cache: None,
) -> None:
    """What is typed says what the table says."""
    monkeypatch.chdir(tmp_path)
    BUILDERS[name](tmp_path)
    heard: list[str] = []
    try:
        heard.append(open_data(typed, Registry(), heard.append).summary())
    except GentkError as error:
        heard.append(str(error))
    assert said
    for sentence in said:
        assert sentence in "\n".join(heard), heard


def test_archives_hold_what_their_folder_does(tmp_path: Path, own_cache: None) -> None:
    """Folder, zip, tar and compressed tar: the same pixels, labels, and fingerprint."""
    splits(tmp_path, "d/train", "d/test")
    for kind in ("zip", "tar", "gztar", "bztar", "xztar"):
        shutil.make_archive(str(tmp_path / kind), kind, tmp_path / "d")
    with tarfile.open(tmp_path / "nested.tar", "w") as archive:
        archive.add(tmp_path / "d", arcname="some/where")
    names = [
        "d",
        "zip.zip",
        "tar.tar",
        "gztar.tar.gz",
        "bztar.tar.bz2",
        "xztar.tar.xz",
        "nested.tar",
    ]
    for options in ("", ",split=test", ",memory=0"):
        prints = {
            open_data(f"folder:{tmp_path / name}{options}", Registry()).fingerprint()
            for name in names
        }
        assert len(prints) == 1


def test_a_run_starts_by_saying_what_it_learns_from(
    small: Callable[..., Any], tmp_path: Path, own_cache: None
) -> None:
    """Images, classes, splits and what was left out come first, and stay in run.json."""
    heard: list[str] = []

    class Ear(Observer):
        def observe(self, event: Event) -> None:
            if isinstance(event, Noticed):
                heard.append(event.message)

    splits(tmp_path, "d/train", "d/test")
    (tmp_path / "d" / "notes.txt").write_text("")
    run = small(data=f"folder:{tmp_path / 'd'}", observers=[Ear()], steps=1)
    assert heard[0].endswith(
        "4 training images, 8 x 8, colour; 2 classes (cat 2, dog 2); splits: train 4, test 2; "
        "768 bytes in memory"
    )
    assert "1 file left out that is not an image: 1 .txt" in heard[1]
    assert run.record["data"]["splits"] == {"train": 4, "test": 2}
    assert "1 .txt" in run.record["data"]["notes"][0]
