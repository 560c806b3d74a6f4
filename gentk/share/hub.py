"""Hubs: models are fetched from and sent to huggingface.co."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from ..errors import RunError, UsageError
from ..models import PREFIX
from ..registry import Registry
from ..runs.folder import RunFolder
from ..runs.model import folder_of

__all__ = ["from_pretrained", "push"]


def from_pretrained(name: str | Path, registry: Registry) -> RunFolder:
    """Return the folder of a model: a path, `model:NAME` of an installed distribution, or a hub's id.

    Raises:
        UsageError: It is none of these.
        RunError: It cannot be fetched.
    """
    text = str(name)
    if text.startswith(PREFIX) or Path(text).exists():
        return folder_of(name, registry)
    if text.count("/") != 1 or text.startswith((".", "/", "~")):
        raise UsageError(
            f"there is no {text!r}; give the folder of a model or a run, model:NAME, or an id of "
            "huggingface.co such as USER/NAME"
        )
    try:
        place = _hub().snapshot_download(text)
    except Exception as error:  # A third party's: of the network, of the cache, of the id.
        raise RunError(
            f"{text} cannot be fetched ({type(error).__name__}: {' '.join(str(error).split())[:200]}); "
            "check the id and the network, or give a folder"
        ) from error
    return folder_of(Path(place), registry)


def push(folder: Path, repository: str) -> str:
    """Upload a model's folder to huggingface.co and return its address.

    Raises:
        RunError: The upload fails, as without a token.
    """
    hub = _hub()
    try:
        hub.create_repo(repository, exist_ok=True)
        hub.upload_folder(repo_id=repository, folder_path=str(folder))
    except Exception as error:  # A third party's: of the network, of the token.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise RunError(
            f"{folder} could not be sent to {repository} ({reason}); type: hf auth login, and check "
            "the id and the network"
        ) from error
    return f"https://huggingface.co/{repository}"


def _hub() -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise RunError(
            f"a hub needs huggingface_hub ({error}); type: pip install 'gentk-core[export]'"
        ) from error
    return huggingface_hub
