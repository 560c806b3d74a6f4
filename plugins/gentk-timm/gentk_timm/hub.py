"""Hub: pretrained weights as timm publishes them, in the local cache or fetched into it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlparse

import torch
from huggingface_hub import constants, get_session, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from timm.models import PretrainedCfg

from gentk.errors import WeightsError

from .model import full_name, quiet

__all__ = ["fetch"]

_PATIENCE = 10.0
"""Seconds to wait for the first answer of a server; without a network there is none."""


def fetch(config: PretrainedCfg, *, hint: str | None = None) -> Path:
    """Return the local file of a model's pretrained weights; fetch it if it is not there.

    The cache is looked at first, without a network. Only if one request to the server is answered
    is a download tried, so that a machine without a network does not wait for retries.

    Args:
        config: timm's record of the model.
        hint: A command that brings the weights in another way.

    Raises:
        WeightsError: There are none, or they could not be fetched.
    """
    if config.hf_hub_id:
        repository, _, revision = config.hf_hub_id.partition("@")
        names = _names(config)
        ...
