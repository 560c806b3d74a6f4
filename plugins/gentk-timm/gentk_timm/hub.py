"""Hub: pretrained weights as timm publishes them, in the local cache or fetched into it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlparse

import timm
import torch
from huggingface_hub import constants, get_session, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from timm.models import PretrainedCfg, get_pretrained_cfg

from gentk.errors import WeightsError
from gentk.interfaces import WeightsFile

from .model import full_name, quiet

__all__ = ["fetch", "here", "published"]

_PATIENCE = 10.0
"""Seconds that a server has to answer the first request."""


def fetch(config: PretrainedCfg, *, hint: str = "", instead: Sequence[str] = ()) -> Path:
    """Return the local file with a model's pretrained weights; download it if it is not there.

    The cache is looked at first and needs no network. A download is only begun after one plain
    request was answered, so that a machine without a network is told so at once instead of after
    the client's retries.

    Args:
        config: timm's record of the model.
        hint: What to type to get the weights in another way.
        instead: Models whose weights are here besides those in the cache, for the refusal.

    Raises:
        WeightsError: There are none, or they could not be fetched.
    """
    name = full_name(config)
    place = _place(config)
    try:
        with quiet():
            return place.cached() or place.download()
    except Exception as error:  # every version of the client has other errors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"timm:{name} needs {place.title}, which is not in {place.folder} and could not be "
            f"fetched ({reason}); type {hint}weights=PATH for a local copy of that file, or "
            f"weights=none for random weights{_instead(instead)}"
        ) from error


def published(config: PretrainedCfg) -> WeightsFile:
    """Return which file a model's pretrained weights are in; raise `WeightsError` if there are none."""
    place = _place(config)
    path = place.cached()
    return WeightsFile(place.title, path or place.kept, path is not None, place.digest(path))


def here() -> list[str]:
    """Return the models, with tags, whose pretrained weights are in the cache."""
    names = []
    with quiet():
        for name in timm.list_pretrained():
            config = get_pretrained_cfg(name, allow_unregistered=False)
            known = config is not None and (config.hf_hub_id or config.url)
            if config is not None and known and _place(config).cached() is not None:
                names.append(name)
    return names


def _place(config: PretrainedCfg) -> _Place:
    """Return where a model's weights are published."""
    if config.hf_hub_id:
        return _Repository(config.hf_hub_id, config.hf_hub_filename)
    if config.url:
        return _Link(config.url if isinstance(config.url, str) else config.url[0])
    raise WeightsError(
        f"timm:{full_name(config)} has no pretrained weights; type weights=PATH for a local file, or "
        f"weights=none for random weights"
    )


def _instead(packaged: Sequence[str]) -> str:
    """Return what to say of networks whose weights are here."""
    names = [*packaged, *(name for name in here() if name not in packaged)]
    if not names:
        return ""
    shown = ", ".join(f"timm:{name}" for name in names[:4])
    return f"; weights that are here: {shown}{', ... (gentk weights list)' * (len(names) > 4)}"


class _Place(ABC):
    """Where a file is published, and where its copy is kept.

    Attributes:
        title: The file and where it is published, in words.
        folder: Where a fetched copy is kept.
        kept: The same, and the file where it is known beforehand.
    """

    title: str
    folder: Path
    kept: Path

    @abstractmethod
    def digest(self, path: Path | None) -> str | None:
        """Return the SHA-256 that was published of the file, as far as it is known; None if not."""

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
        self.folder = self.kept = Path(constants.HF_HUB_CACHE) / folder

    def digest(self, path: Path | None) -> str | None:
        # The cache calls large files by their digest, and links to them.
        name = "" if path is None else path.resolve().name
        return name if re.fullmatch(r"[0-9a-f]{64}", name) else None

    def cached(self) -> Path | None:
        for file in self.files:
            place = try_to_load_from_cache(self.repository, file, revision=self.revision)
            if isinstance(place, str):
                return Path(place)
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
        self.kept = self.folder / self.file

    def digest(self, path: Path | None) -> str | None:
        # As torch.hub has it: what stands before the ending is the beginning of the digest.
        told = re.search(r"-([0-9a-f]{8,64})\.", self.file)
        return told[1] if told else None

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
