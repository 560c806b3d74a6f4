"""Data statistics: independent of order and chunks, cached by content, safe from damage."""

from __future__ import annotations

import copy

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gentk.cache import Cache
from gentk.data import ImageSet, MemoryPixels
from gentk.errors import DataError
from gentk.feature_space import FeatureSpace
from gentk.files import FileWarning
from gentk.ranges import to_range
from gentk.statistics import chunks_of, summarise_all, summarise_images, summarise_stream
from gentk.testing.ranks import together
from gentk_mmd.kid import KernelDistance
from gentk_moments.frechet import FrechetDistance
from gentk_moments.loss import MomentsLoss
from gentk_timm.extractor import TimmExtractor

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def space():
    """A small real network with random weights."""
    torch.manual_seed(0)
    return FeatureSpace({"net": TimmExtractor("resnet18", weights="none", first=6)}, 3)


@pytest.fixture
def images():
    """Ninety random images."""
    pixels = torch.randint(0, 256, (90, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    return ImageSet(MemoryPixels(pixels.to(torch.uint8)), name="random")


def test_statistics_depend_on_neither_order_nor_chunk_size(space, images):
    """Another order and another chunk size give the same moments, feature by feature (float64)."""
    space = copy.deepcopy(space).double()
    units = images.batch(range(90)).double() / 255
    shuffled = units[torch.randperm(90)]
    loss = MomentsLoss()
    whole = loss.statistics(summarise_stream(iter(units.split(64)), space, loss))
    parts = loss.statistics(summarise_stream(iter(shuffled.split(7)), space, loss))

    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-6, atol=1e-15)


def test_a_summary_is_computed_once_per_content(space, images, tmp_path):
    """The second time it comes from the cache, equal; other pixels or options are other files."""
    cache, loss = Cache(tmp_path), MomentsLoss()
    passes = []
    first = summarise_images(images, space, loss, device=CPU, cache=cache, advance=passes.append)
    done = len(passes)
    again = summarise_images(images, space, loss, device=CPU, cache=cache, advance=passes.append)

    assert done > 0 and len(passes) == done
    assert torch.equal(first.covariance(), again.covariance())
    assert torch.equal(first.pivot, again.pivot) and first.layout == again.layout
    changed = images.batch(range(90))
    changed[0, 0, 0, 0] ^= 1
    other = ImageSet(MemoryPixels(changed), name="random")
    summarise_images(other, space, loss, device=CPU, cache=cache)
    pooled = MomentsLoss(pool="mean")
    summarise_images(images, space, pooled, device=CPU, cache=cache)
    assert len(list(tmp_path.iterdir())) == 3


def test_options_that_do_not_change_the_summary_share_it(space, images, tmp_path):
    """Biased or not, normalised or not: the same sums serve."""
    cache = Cache(tmp_path)
    for loss in (MomentsLoss(), MomentsLoss(unbiased=False), MomentsLoss(normalise="layer")):
        summarise_images(images, space, loss, device=CPU, cache=cache)

    assert len(list(tmp_path.iterdir())) == 1


def test_losses_of_one_fingerprint_and_another_code_share_nothing(space, images, tmp_path):
    """An edited loss, or another author's, is not given what the former one kept."""
    cache, kept = Cache(tmp_path), []
    for power in (1, 2):
        # Two classes as two cells of a notebook make them: one name, one fingerprint.
        class Mine(MomentsLoss):
            of = power

            def summarise(self, features, like=None, labels=None):
                return super().summarise({k: v**self.of for k, v in features.items()}, like)

            def fingerprint(self):
                return "mine-1"

        loss = Mine()
        one = summarise_images(images, space, loss, device=CPU, cache=cache)
        stream = chunks_of(images, device=CPU)
        (other,) = summarise_all(
            stream, space, [loss], count=90, device=CPU, fingerprint="same", cache=cache
        )
        assert torch.equal(one.covariance(), other.covariance())
        kept.append(one.covariance())

    assert not torch.equal(kept[0], kept[1])
    assert len(list(tmp_path.iterdir())) == 4


def test_a_damaged_cache_file_is_computed_again(space, images, tmp_path):
    """A truncated file, or one with a flipped bit, is told of and replaced."""
    cache, loss = Cache(tmp_path), MomentsLoss()
    first = summarise_images(images, space, loss, device=CPU, cache=cache)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 4
    for damage in (whole[:100], bytes(flipped)):
        path.write_bytes(damage)
        with pytest.warns(FileWarning, match="damaged"):
            again = summarise_images(images, space, loss, device=CPU, cache=cache)
        assert torch.equal(first.covariance(), again.covariance())
        assert len(path.read_bytes()) == len(whole) and path.read_bytes() != damage
    summarise_images(images, space, loss, device=CPU, cache=cache)


def test_a_cache_entry_without_a_checksum_is_read(space, images, tmp_path, monkeypatch):
    """Entries of before there were checksums."""
    cache, loss = Cache(tmp_path), MomentsLoss()
    first = summarise_images(images, space, loss, device=CPU, cache=cache)
    (path,) = tmp_path.iterdir()
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        fields = {"summary": file.metadata()["summary"]}
    save_file(tensors, path, metadata=fields)
    monkeypatch.setattr("gentk.cache._write", None)
    again = summarise_images(images, space, loss, device=CPU, cache=cache)

    assert torch.equal(first.covariance(), again.covariance())


def test_a_cache_that_cannot_be_written_is_done_without(space, images, tmp_path):
    """A file where the folder should be costs a recomputation, nothing else."""
    (tmp_path / "file").touch()
    loss = MomentsLoss()
    with pytest.warns(FileWarning, match="cannot be written"):
        summary = summarise_images(images, space, loss, device=CPU, cache=Cache(tmp_path / "file"))
    assert summary.count == 90


def test_no_images_are_refused(space):
    """An empty stream is one sentence."""
    with pytest.raises(DataError, match="no images"):
        summarise_stream(iter([]), space, MomentsLoss())


def test_the_data_through_the_models_path_has_loss_zero(space, images):
    """Real images as tanh images through the model's side give the data's statistics."""
    units = images.batch(range(90)).float() / 255
    loss = MomentsLoss()
    data = summarise_stream(iter(units.split(64)), space, loss)
    signed = to_range(units, "unit", "signed")
    model = loss.summarise(space(signed, "signed"), data)
    terms = loss(loss.reference(data), loss.statistics(model))
    size = loss.statistics(data)

    assert terms["mean"] < 1e-9 * size["mean"].square().sum()
    assert terms["covariance"] < 1e-9 * size["covariance"].square().sum()


class Counting(FeatureSpace):
    """A space that counts the images it sees, of all ranks."""

    seen = 0

    def of_images(self, images):
        Counting.seen += len(images)
        return super().of_images(images)


def everything(images, space, cache, world=None):
    """Summaries of three kinds: full moments, variances, and the samples themselves."""
    judges = [FrechetDistance(), MomentsLoss(), KernelDistance()]
    return summarise_all(
        chunks_of(images),
        space,
        judges,
        count=len(images),
        device=CPU,
        fingerprint=images.fingerprint(),
        cache=cache,
        peers=world,
    )


@pytest.mark.parametrize("size", [2, 3, 5])
def test_processes_share_a_pass_and_one_cache(space, images, tmp_path, size):
    """Each sees its part and the first chunk; all have the total of one process, which rank 0 keeps."""
    small = Counting(dict(zip(space.names, space.extractors, strict=True)), 3).double()
    alone = everything(images, small, None)
    folders = [Cache(tmp_path / str(rank)) for rank in range(size)]
    Counting.seen = 0
    ours = together(size, lambda world: everything(images, small, folders[world.rank], world))
    # 90 images are two chunks: of several ranks one has the second, and looks at the first's pivot.
    assert Counting.seen == 90 + 64
    for own in ours:
        for summary, expected in zip(own, alone, strict=True):
            assert summary.count == expected.count == 90
            for name, value in expected.to_tensors().items():
                tolerance = {"rtol": 1e-12, "atol": 1e-12 * float(value.abs().max())}
                torch.testing.assert_close(summary.to_tensors()[name], value, **tolerance)
    assert torch.equal(ours[0][2].rows, alone[2].rows)

    kept = [len(list(cache.folder.glob("*.safetensors"))) for cache in folders]
    assert kept == [2] + [0] * (size - 1)
    Counting.seen = 0
    judges = [FrechetDistance(), MomentsLoss()]

    def again(world):
        return summarise_all(
            chunks_of(images),
            small,
            judges,
            count=90,
            device=CPU,
            fingerprint=images.fingerprint(),
            cache=folders[world.rank],
            peers=world,
        )

    for own in together(size, again):
        for mine, theirs in zip(own, ours[0][:2], strict=True):
            same = theirs.to_tensors()
            assert all(torch.equal(value, same[key]) for key, value in mine.to_tensors().items())
    assert Counting.seen == 0
