"""Pseudo-labels: the clusters of an extractor's features as the classes of data without any."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..cache import Cache
from ..clusters import assign, cluster
from ..data.imageset import ImageSet
from ..data.pseudo import PseudoLabels
from ..engine.device import choose_device
from ..registry import Registry
from .features import extractor_space

__all__ = ["pseudo_labelled"]

Notice = Callable[[str], None]
Advance = Callable[[str, int, int], None]


def pseudo_labelled(
    images: ImageSet,
    training: ImageSet,
    asked: PseudoLabels,
    registry: Registry,
    notice: Notice = lambda message: None,
    advance: Advance | None = None,
) -> ImageSet:
    """Return images labelled with the clusters of training images.

    Args:
        images: What is to be labelled.
        training: What the clusters are of: the same images, or those that are learnt from.
        asked: How many clusters, in whose features.
        registry: Where the extractor is looked up.
        notice: Called with sentences people should read.
        advance: Called with what is being done, the number done, and how many there are.
    """
    device = choose_device("auto")
    space = extractor_space((asked.extractor,), registry, images.shape, device, notice)
    told = partial(_tell, advance, len(training)) if advance is not None else None
    clusters = cluster(
        training,
        space,
        asked.number,
        seed=training.view.split_seed,
        device=device,
        cache=Cache(),
        advance=told,
    )
    if images is not training:
        clusters = assign(images, space, clusters.centres, device=device, cache=Cache())
    return images.labelled(clusters.labels, [str(index) for index in range(asked.number)])


def _tell(advance: Advance, count: int, done: int) -> None:
    advance("pseudo-labels", done, count)
