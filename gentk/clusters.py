"""Clusters: k-means of the features of a data set, which give every image a pseudo-label.

    centres = argmin_c sum_i min_k |f(x_i) - c_k|^2,    label_i = argmin_k |f(x_i) - c_k|^2

f are an extractor's features, all layers side by side. Centres are those of scikit-learn (k-means++,
then Lloyd's iteration) on as many images, drawn at random, as have features of `HELD` bytes; all images
are then assigned, chunk by chunk. Clusters are numbered by their size, the largest first.

Source: S. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory, 1982;
D. Arthur, S. Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007. As labels of a
conditional generator: M. Lucic et al., High-Fidelity Image Generation With Fewer Labels, 2019,
arXiv:1903.02271.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from .cache import Cache
from .data.imageset import ImageSet, to_unit
from .data.permutation import permutation
from .digest import state_digest
from .errors import DataError
from .feature_space import FeatureSpace
from .summary import Samples

__all__ = ["Clustering", "assign", "cluster"]

CHUNK = 64
"""Images per chunk, so that labels do not depend on anybody's batch."""

HELD = 2**28
"""Features that centres are fitted on are held in memory up to so many bytes."""

CHOICE = 6
"""The key of the permutation that chooses them."""


@dataclass(frozen=True)
class Clustering:
    """The clusters of a data set.

    Attributes:
        centres: (K, D) float32.
        labels: The cluster of each image, (N,) int64.
    """

    format: ClassVar[int] = 1

    centres: Tensor
    labels: Tensor

    def store(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return centres and labels; there is nothing else."""
        return {"centres": self.centres, "labels": self.labels}, {}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> Self:
        """Make a clustering from what `store` returned."""
        return cls(tensors["centres"], tensors["labels"])


@torch.no_grad()
def cluster(
    images: ImageSet,
    space: FeatureSpace,
    number: int,
    *,
    seed: int = 0,
    device: torch.device,
    cache: Cache | None = None,
    advance: Callable[[int], None] | None = None,
) -> Clustering:
    """Find clusters of images, from the cache where it has been done before.

    Args:
        images: The data.
        space: Where features are taken.
        number: How many clusters.
        seed: Of k-means++.
        device: Where to compute features.
        cache: Where to look and keep; None computes always.
        advance: Called with the number of images whose features are made.

    Raises:
        DataError: There are fewer different images than clusters.
    """

    def compute() -> Clustering:
        order = torch.from_numpy(permutation(len(images), CHOICE, seed))
        size = 4 * _rows(images, space, order[:2], device).shape[1]
        chosen = order[: max(number, HELD // size)]
        rows = _rows(images, space, chosen, device, advance)
        centres = _fit(rows, number, seed, images.name)
        # All images are the fitted ones, as a rule: their features are at hand.
        if len(chosen) == len(images):
            labels = torch.empty(len(images), dtype=torch.int64)
            labels[chosen] = _nearest(rows, centres)
        else:
            labels = _assigned(images, space, centres, device, advance)
        sizes = torch.bincount(labels, minlength=number)
        ranks = torch.argsort(sizes, descending=True, stable=True)
        return Clustering(centres[ranks], torch.argsort(ranks)[labels])

    if cache is None:
        return compute()
    key = [images.fingerprint(), space.fingerprint(), f"kmeans {number} seed={seed}"]
    return cache.fetch(key, Clustering, compute)


@torch.no_grad()
def assign(
    images: ImageSet,
    space: FeatureSpace,
    centres: Tensor,
    *,
    device: torch.device,
    cache: Cache | None = None,
) -> Clustering:
    """Give images the clusters of others, whose centres are given: (K, D)."""

    def compute() -> Clustering:
        return Clustering(centres, _assigned(images, space, centres, device))

    if cache is None:
        return compute()
    near = state_digest([("centres", centres)])
    key = [images.fingerprint(), space.fingerprint(), f"nearest {near}"]
    return cache.fetch(key, Clustering, compute)


def _fit(rows: Tensor, number: int, seed: int, name: str) -> Tensor:
    """Return the centres of k-means, (number, D)."""
    # Imported here: it takes a second, and few runs have pseudo-labels.
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    different = len(torch.unique(rows, dim=0)) if len(rows) < 4 * number else len(rows)
    if different >= number:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                means = KMeans(number, n_init=1, random_state=seed).fit(rows.numpy())
                return torch.from_numpy(means.cluster_centers_).to(torch.float32)
            except ConvergenceWarning:
                different = len(torch.unique(rows, dim=0))
    raise DataError(
        f"{name} has {different} images with different features, too few for {number} clusters; write "
        f"labels=kmeans:{max(2, different)}:EXTRACTOR"
    )


def _assigned(
    images: ImageSet,
    space: FeatureSpace,
    centres: Tensor,
    device: torch.device,
    advance: Callable[[int], None] | None = None,
) -> Tensor:
    """Return the nearest centre of every image."""
    labels = [
        _nearest(_rows(images, space, part, device), centres)
        for part in torch.arange(len(images)).split(CHUNK)
    ]
    return torch.cat(labels)


def _rows(
    images: ImageSet,
    space: FeatureSpace,
    chosen: Tensor,
    device: torch.device,
    advance: Callable[[int], None] | None = None,
) -> Tensor:
    """Return the features of some images, (n, D) float32 on the CPU."""
    parts, done = [], 0
    for chunk in images.chunks(CHUNK, chosen):
        features = space.of_images(to_unit(chunk.to(device)))
        parts.append(Samples.of(features).rows.float().cpu())
        done += len(chunk)
        if advance is not None:
            advance(done)
    return torch.cat(parts)


def _nearest(rows: Tensor, centres: Tensor) -> Tensor:
    """Return the index of the centre that is nearest to each row."""
    return torch.cdist(rows.double(), centres.double()).argmin(1)
