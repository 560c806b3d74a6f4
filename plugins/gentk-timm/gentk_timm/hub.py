"""Hub: pretrained weights as timm publishes them, in the local cache or fetched into it."""

from __future__ import annotations

from abc import ABC, abstractmethod
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
"""Seconds that a server has to answer the first request."""


def fetch(config: PretrainedCfg, *, hint: str = "") -> Path:
    """Return the local file with a model's pretrained weights; download it if it is not there.

    The cache is looked at first and needs no network. A download is only begun after one plain
    request was answered, so that a machine without a network is told so at once instead of after
    the client's retries.

    Args:
        config: timm's record of the model.
        hint: What to type to get the weights in another way.

    Raises:
        WeightsError: There are none, or they could not be fetched.
    """
    name = full_name(config)
    place: _Place
    if config.hf_hub_id:
        place = _Repository(config.hf_hub_id, config.hf_hub_filename)
    elif config.url:
        place = _Link(config.url if isinstance(config.url, str) else config.url[0])
    else:
        raise WeightsError(
            f"timm:{name} has no pretrained weights; type weights=PATH for a local file, or "
            f"weights=none for random weights"
        )
    try:
        with quiet():
            return place.cached() or place.download()
    except Exception as error:  # every version of the client has other errors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"timm:{name} needs {place.title}, which is not in {place.folder} and could not be "
            f"fetched ({reason}); type {hint}weights=PATH for a local copy of that file, or "
            f"weights=none for random weights"
        ) from error


class _Place(ABC):
    """Where a file is published, and where its copy is kept.

    Attributes:
        title: The file and where it is published, in words.
        folder: Where a fetched copy is kept.
    """

    title: str
    folder: Path

    @abstractmethod
    def cached(self) -> Path | None:
        """Return the local copy, without a network; None if there is none."""

    @abstractmethod
    def download(self) -> Path:
        """Download the file and return the copy."""


class _Repository(_Place):
    """A repository of the Hugging Face hub, `OWNER/NAME` or `OWNER/NAME@REVISION`."""

    def __init__(self, repository: str, file: str | None) -> None:
        self.repository, _, revision = repository.partition("@")
        self.revision = revision or None
        # In timm's order of preference; the second is a pickle, read with weights_only.
        self.files = [file] if file else ["model.safetensors", "pytorch_model.bin"]
        self.title = f"{self.files[0]} of {constants.ENDPOINT}/{self.repository}"
        folder = "--".join(["models", *self.repository.split("/")])
        self.folder = Path(constants.HF_HUB_CACHE) / folder

    def cached(self) -> Path | None:
        for file in self.files:
            found = try_to_load_from_cache(self.repository, file, revision=self.revision)
            if isinstance(found, str):
                return Path(found)
        return None

    def download(self) -> Path:
        if constants.HF_HUB_OFFLINE:
            raise ConnectionError("HF_HUB_OFFLINE is set")
        get_session().head(constants.ENDPOINT, timeout=_PATIENCE)
        for file in self.files:
            try:
                return Path(hf_hub_download(self.repository, file, revision=self.revision))
            except LocalEntryNotFoundError:  # the network went away
                raise
            except EntryNotFoundError:  # the repository has the other format
                continue
        raise FileNotFoundError(f"the repository has no {' or '.join(self.files)}")


class _Link(_Place):
    """A plain address, cached where torch caches such files; a few models have only that."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.file = Path(urlparse(url).path).name
        self.title = url
        self.folder = Path(torch.hub.get_dir()) / "checkpoints"

    def cached(self) -> Path | None:
        path = self.folder / self.file
        return path if path.is_file() else None

    def download(self) -> Path:
        if constants.HF_HUB_OFFLINE:
            raise ConnectionError("HF_HUB_OFFLINE is set")
        get_session().head(self.url, timeout=_PATIENCE)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / self.file
        torch.hub.download_url_to_file(self.url, str(path))
        return path
