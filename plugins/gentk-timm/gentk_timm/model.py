"""Model: which networks timm knows by name, and how one is built."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import timm
import torch
from timm.models import PretrainedCfg, get_deprecated_models, get_pretrained_cfg
from torch import nn

from gentk.errors import UnknownName, WeightsError, did_you_mean

__all__ = ["build", "config", "full_name", "quiet", "variants"]


def variants() -> list[str]:
    """Return every model of timm, bare and with the tag of each of its sets of weights."""
    return [*timm.list_models(), *timm.list_models(pretrained=True)]


def config(model: str) -> PretrainedCfg:
    """Return what timm records about a model: its weights, mean, std, input size, interpolation.

    Args:
        model: A name of timm, with or without a tag: `vgg19`, `vgg19.tv_in1k`.

    Raises:
        UnknownName: No model of timm has this name.
        WeightsError: The model exists, the tag does not.
    """
    if not timm.is_model(model):
        raise UnknownName(_unknown(model))
    renamed = get_deprecated_models().get(model)
    if renamed:
        raise UnknownName(f"timm has renamed {model!r}; type timm:{renamed}")
    try:
        known = get_pretrained_cfg(model)
    except RuntimeError as error:
        bare, _, tag = model.partition(".")
        tags = ", ".join(name.partition(".")[2] for name in timm.list_pretrained(bare))
        raise WeightsError(
            f"timm:{bare} has no weights with the tag {tag!r}; "
            f"it has {tags or 'none at all: type weights=none or weights=PATH'}"
        ) from error
    known = known or PretrainedCfg()
    known.architecture = known.architecture or model.partition(".")[0]
    return known


def full_name(config: PretrainedCfg) -> str:
    """Return the name of a model with the tag of its weights: `vgg19.tv_in1k`."""
    return ".".join(filter(None, (config.architecture, config.tag)))


def build(model: str, *, seeded: bool) -> nn.Module:
    """Build a network with random weights.

    Args:
        model: A name that `config` accepts.
        seeded: Draw the weights from torch's global random state; otherwise that state is left as
            it was, for weights that will be overwritten.
    """
    with quiet(), torch.random.fork_rng(devices=[], enabled=not seeded):
        network: nn.Module = timm.create_model(model, pretrained=False)
    return network


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the warnings of timm and of the hub's client from people; errors are raised instead."""
    loggers = [logging.getLogger(name) for name in ("timm", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _unknown(model: str) -> str:
    """Return what to say of a name that is none."""
    hint = did_you_mean(model.partition(".")[0], timm.list_models())
    return (
        f"timm has no model {model!r}; {hint}"
        f"`gentk list extractor 'timm:{model[:3]}*'` lists its names"
    )
