"""Two thousand images in every container: pixels, labels and fd are those of other libraries."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch_fidelity.datasets import ImagesPathDataset
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchvision.datasets import ImageFolder

from gentk.data import ImageSet
from gentk.evaluation.evaluate import evaluate
from gentk.evaluation.plan import Plan
from gentk.registry import Registry
from gentk.runs.images import open_data

COUNT = 2000
# Names in whose order people count otherwise than sorting does.
CLASSES = ("0", "1", "10", "2", "Zebra", "ant", "b c", "n01440764", "zoo", "\u00e9t\u00e9")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images in a folder, archives, NumPy, parquet and Arrow files."""
    root = tmp_path_factory.mktemp("agreement")
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (COUNT, 12, 12, 3), dtype=np.uint8)
    for number, values in enumerate(pixels):
        path = root / "d" / CLASSES[number % len(CLASSES)] / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path, compress_level=1)
    for kind in ("zip", "tar", "gztar"):
        shutil.make_archive(str(root / kind), kind, root / "d")
    theirs = ImageFolder(str(root / "d"))
    names = [theirs.classes[label] for _, label in theirs.samples]
    stack = np.stack([np.asarray(Image.open(path)) for path, _ in theirs.samples])
    np.savez(root / "a.npz", arr_0=stack, arr_1=np.array(names))
    table = pa.table({"image": [Path(p).read_bytes() for p, _ in theirs.samples], "label": names})
    for shard, start in enumerate(range(0, COUNT, 180)):
        place = root / "p" / f"train-{shard}-of-12.parquet"
        place.parent.mkdir(exist_ok=True)
        pq.write_table(table.slice(start, 180), place)
    with pyarrow.ipc.new_stream(str(root / "a.arrow"), table.schema) as stream:
        stream.write_table(table)
    return root


CONTAINERS = (
    "folder:d",
    "folder:d,memory=0",
    "folder:zip.zip",
    "folder:tar.tar",
    "folder:gztar.tar.gz",
    "npz:a.npz",
    "parquet:p",
    "parquet:p,memory=0",
    "arrow:a.arrow",
)


def opened(root: Path, name: str) -> ImageSet:
    """Open a container below the root."""
    kind, _, path = name.partition(":")
    return open_data(f"{kind}:{root / path}", Registry())


def chunks(images: ImageSet) -> Iterator[torch.Tensor]:
    """All images."""
    return iter(images.chunks(500))


@pytest.mark.parametrize("name", CONTAINERS)
def test_pixels_and_labels_are_torchvisions(
    root: Path, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Order, pixels, class names and class indices are those of `ImageFolder`."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path))
    images = opened(root, name)
    theirs = ImageFolder(str(root / "d"))
    assert images.classes == theirs.classes
    assert images.labels is not None
    assert images.labels.tolist() == theirs.targets
    expected = np.stack([np.asarray(theirs[i][0]) for i in range(COUNT)]).transpose(0, 3, 1, 2)
    assert (torch.cat(list(chunks(images))).numpy() == expected).all()


def test_pixels_and_fd_are_torch_fidelitys(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What torch-fidelity reads is what gentk reads, and fd of the same features its FID."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path))
    images = opened(root, "folder:d")
    theirs = ImagesPathDataset([path for path, _ in ImageFolder(str(root / "d")).samples])
    read = torch.stack([theirs[i] for i in range(COUNT)])
    assert torch.equal(read, torch.cat(list(chunks(images))))
    other = tmp_path / "other"
    other.mkdir()
    for number in range(100):
        noise = np.random.default_rng(number).integers(0, 200, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(noise).save(other / f"{number}.png")
    judged = torch.cat(list(chunks(open_data(f"folder:{other}", Registry()))))
    statistics = [
        fid_features_to_statistics((images.double() / 255).mean((2, 3)))
        for images in (read, judged)
    ]
    fid = fid_statistics_to_metric(*statistics, verbose=False)
    expected = fid["frechet_inception_distance"]
    for name in ("folder:zip.zip", "npz:a.npz", "parquet:p", "arrow:a.arrow"):
        kind, _, path = name.partition(":")
        plan = Plan(
            data=f"{kind}:{root / path}",
            extractors=("pixels",),
            metrics=("fd,interval=false",),
            count=100,
        )
        (measured, *_) = evaluate(str(other), plan).measurements
        assert measured.value == pytest.approx(expected, rel=1e-5)
