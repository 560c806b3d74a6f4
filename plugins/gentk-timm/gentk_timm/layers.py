"""Layers: which outputs of a network are its features."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from gentk.errors import BadOption, Incompatible, UnknownName, did_you_mean

from .taps import Call, Entry, Tap, trace

__all__ = ["BATCH", "bounded", "select", "tap"]

BATCH = 2
"""Samples in a dry run: what is not 2 long on its first axis has no row for each sample."""

# Where torch and timm keep their non-linearities; those that live elsewhere; and those whose values
# are the weights of a gate or of attention, and never features.
_HOMES = {
    "timm.layers.activations",
    "timm.layers.activations_me",
    "torch.nn.modules.activation",
}
_ELSEWHERE = {"GammaAct", "SquaredReLU", "StarReLU"}
_GATES = {
    "HardSigmoid",
    "HardSigmoidMe",
    "Hardsigmoid",
    "LogSoftmax",
    "MultiheadAttention",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
}


def select(network: nn.Module, layers: Sequence[str], images: Tensor) -> tuple[Entry, list[Call]]:
    """Run the network once and return the calls that `layers` asks for, in the order they run.

    Args:
        network: A network of timm.
        layers: `all`, `stages`, names of modules, or several of these.
        images: `BATCH` square images of a size that the network takes.

    Returns:
        The method to run, `forward` only if a layer of the head is asked for; and the calls.

    Raises:
        UnknownName: A name that no module has, or the name of one that does not run.
        Incompatible: The network has no layer of the kind asked for.
    """
    entry: Entry = "forward_features"
    body = calls = trace(network, entry, images)
    if any(item not in ("all", "stages") and not _named(calls, item) for item in layers):
        entry = "forward"
        calls = trace(network, entry, images)
    chosen: set[Call] = set()
    for item in layers:
        if item == "all":
            matching = _non_linearities(network, body)
        elif item == "stages":
            matching = _stages(network, body)
        else:
            matching = _named(calls, item)
            if not matching:
                raise UnknownName(_unknown(item, calls))
        if not matching:
            raise Incompatible(
                f"layers={item} finds nothing in this network; type names of modules that run in "
                f"it, such as {_examples(calls)}"
            )
        chosen.update(matching)
    return entry, [call for call in calls if call in chosen]


def bounded(calls: Sequence[Call], first: int | None, last: int | None) -> Sequence[Call]:
    """Return the first or the last of the calls.

    Raises:
        BadOption: Both bounds are given, or one is not between 1 and the number of calls.
    """
    if first is not None and last is not None:
        raise BadOption(f"first={first} and last={last} exclude each other; type one of them")
    for name, bound in (("first", first), ("last", last)):
        if bound is not None and not 1 <= bound <= len(calls):
            raise BadOption(
                f"{name}={bound} does not fit: `layers` selects {len(calls)} layers, "
                f"type {name}=1 to {name}={len(calls)}"
            )
    return calls[:first] if last is None else calls[-last:]


def tap(network: nn.Module, call: Call) -> Tap:
    """Return how to tap a call: with its axes in the order (N, C, H, W), (N, L, D) or (N, D).

    Raises:
        Incompatible: Its output is not one tensor with a row for each sample.
    """
    shape = call.shape
    if shape is None or shape[0] != BATCH or not 2 <= len(shape) <= 4:
        reason = f"has the shape {shape} for {BATCH} images" if shape else "is not one tensor"
        raise Incompatible(
            f"the layer {call.name!r} cannot be a feature: its output {reason}; type another layer"
        )
    return Tap(call, channels_last=len(shape) == 4 and _is_channels_last(network, shape))


def _is_channels_last(network: nn.Module, shape: tuple[int, ...]) -> bool:
    """Say whether a map is (N, H, W, C): the images were square, so H = W tells, or timm does."""
    _, a, b, c = shape
    if (a == b) != (b == c):
        return a == b
    declared = getattr(network, "output_fmt", "NCHW")
    return str(getattr(declared, "value", declared)) == "NHWC"


def _non_linearities(network: nn.Module, calls: Sequence[Call]) -> list[Call]:
    """Return the calls of all non-linearities; a block of attention and MLP counts as one.

    Gates (squeeze-excite and the like) are left out: they end in a sigmoid, and their inner
    non-linearities see maps that are pooled to one position or one channel.
    """
    modules = dict(network.named_modules())
    blocks = {call.path for call in calls if _is_block(modules[call.path]) and _has_rows(call)}
    return [
        call
        for call in calls
        if (call.path in blocks or (_is_non_linearity(modules[call.path]) and _is_spread(call)))
        and not _ancestors(call.path) & blocks
    ]


def _stages(network: nn.Module, calls: Sequence[Call]) -> list[Call]:
    """Return the calls of the modules that end the stages, by timm's own list."""
    ends = {info["module"] for info in getattr(network, "feature_info", ())}
    return [call for call in calls if call.path in ends and _has_rows(call)]


def _named(calls: Sequence[Call], name: str) -> list[Call]:
    """Return the calls of one module, or the one call that `MODULE#2` names."""
    return [call for call in calls if name in (call.path, call.name)]


def _has_rows(call: Call) -> bool:
    """Say whether the output is a map or tokens for each sample."""
    shape = call.shape
    return shape is not None and shape[0] == BATCH and len(shape) in (3, 4)


def _is_spread(call: Call) -> bool:
    """Say whether the output has more than one position and more than one channel."""
    return _has_rows(call) and 1 not in (call.shape or ())


def _is_non_linearity(module: nn.Module) -> bool:
    kind = type(module)
    if kind.__name__ in _GATES:
        return False
    return kind.__module__ in _HOMES or kind.__name__ in _ELSEWHERE


def _is_block(module: nn.Module) -> bool:
    """Say whether a module is a block of a transformer: attention, then an MLP."""
    parts = [name for name, _ in module.named_children()]
    attends = any(name.startswith("attn") for name in parts)
    return attends and any(name.startswith(("mlp", "ffn")) for name in parts)


def _ancestors(path: str) -> set[str]:
    parts = path.split(".")
    return {".".join(parts[:depth]) for depth in range(1, len(parts))}


def _unknown(name: str, calls: Sequence[Call]) -> str:
    hint = did_you_mean(name, dict.fromkeys(call.name for call in calls))
    return (
        f"no layer {name!r} runs in this network; {hint}type layers=all, layers=stages, or names "
        f"of its modules joined by '+', such as {_examples(calls)}"
    )


def _examples(calls: Iterable[Call]) -> str:
    names = [call.path for call in calls if _has_rows(call)]
    return "+".join(dict.fromkeys([*names[:1], *names[-1:]]))
