"""Hubs: models are fetched from and sent to huggingface.co."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Final

from ..errors import RunError, UsageError
from ..models import PREFIX
from ..registry import Registry
from ..runs.folder import RunFolder
from ..runs.model import LAYOUT, folder_of

__all__ = ["Repository", "from_pretrained"]

ID: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
"""Either part of an id."""


def from_pretrained(name: str | Path, registry: Registry) -> RunFolder:
    """Return the folder of a model: a path, `model:NAME` of an installed distribution, or a hub's id.

    Raises:
        UsageError: It is none of these.
        RunError: It cannot be fetched.
    """
    text = str(name)
    if "/" not in text or text.startswith(PREFIX) or Path(text).exists():
        folder = folder_of(name, registry)
        if folder.path.exists():
            return folder
    if text.count("/") != 1 or text.startswith((".", "/", "~")):
        raise UsageError(
            f"there is no {text!r}; give the folder of a model or a run, model:NAME, or an id of "
            "huggingface.co such as USER/NAME"
        )
    hub = _hub()
    try:
        place = hub.snapshot_download(text)
    except Exception as error:  # A third party's: of the network, of the cache, of the id.
        raise RunError(
            f"{text} cannot be fetched ({type(error).__name__}: {' '.join(str(error).split())[:200]}); "
            "check the id and the network, or give a folder"
        ) from error
    return folder_of(Path(place), registry)


class Repository:
    """A repository of huggingface.co that models are sent to.

    Args:
        name: Its id, USER/NAME.

    Attributes:
        address: Where people look at it.

    Raises:
        UsageError: That is no id.
        RunError: huggingface_hub is not installed.
    """

    def __init__(self, name: str) -> None:
        parts = name.split("/")
        if len(parts) != 2 or not all(map(ID.fullmatch, parts)) or ".." in name or "--" in name:
            raise UsageError(
                f"{name!r} is no id of huggingface.co; type --push USER/NAME, of letters, digits, "
                "dashes, dots and underscores"
            )
        self._hub = _hub()
        self._name = name
        self.address = f"https://huggingface.co/{name}"

    def upload(self, exported: Path) -> None:
        """Send a model's folder or a graph's file, and nothing that lies beside it.

        Raises:
            RunError: The upload fails, as without a token.
        """
        try:
            self._hub.create_repo(self._name, exist_ok=True)
            if exported.is_dir():
                self._hub.upload_folder(
                    repo_id=self._name, folder_path=str(exported), allow_patterns=list(LAYOUT)
                )
            else:
                self._hub.upload_file(
                    repo_id=self._name, path_or_fileobj=str(exported), path_in_repo=exported.name
                )
        except Exception as error:  # A third party's: of the network, of the token.
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise RunError(
                f"{exported} is written, but could not be sent to {self._name} ({reason}); type: hf "
                "auth login, check the id and the network, and type the same command again"
            ) from error


def _hub() -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise RunError(
            f"a hub needs huggingface_hub ({error}); type: pip install 'gentk-core[export]'"
        ) from error
    return huggingface_hub
