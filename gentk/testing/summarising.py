"""The suite of whoever summarises features: matching losses and metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..interfaces import Features, MatchingLoss
from ..statistics import Summarises
from ..summary import Summary
from .likeness import difference
from .suite import Suite, skip

__all__ = ["SummarisingSuite", "random_features", "summarising"]

TOLERANCE = 1e-4


class SummarisingSuite(Suite):
    """What is summarised chunk by chunk: the sum of two summaries is the summary of both."""

    def features(self, count: int, seed: int = 0, shift: float = 0.0) -> Features:
        """Return features of `count` samples: a map and a vector."""
        return random_features(count, seed, shift)

    def summariser(self, text: str | None = None) -> Any:
        """Return the component, prepared as a run prepares it."""
        judge = self.make(text)
        if getattr(judge, "preparation", 0):
            judge.prepare(self.features(judge.preparation, seed=9))
        # A metric of labels is given them with its summaries, a loss of labels with its features.
        if isinstance(judge, MatchingLoss) and "labels" in judge.needs:
            for name in ("summarise", "summarise_data"):
                setattr(judge, name, _labelled(getattr(judge, name)))
        return judge

    def told(self, judge: Any, summary: Summary) -> dict[str, Any]:
        """Return the tensors that the comparison takes from a summary."""
        del judge
        return summary.to_tensors()

    def test_summaries_are_of_the_declared_class(self) -> None:
        """`summary` names the class of what `summarise` returns, and it counts the samples."""
        judge = summarising(self.summariser())
        summary = judge.summarise(self.features(6))
        assert isinstance(judge.summary, type) and issubclass(judge.summary, Summary), (
            f"summary is {judge.summary!r}, not a class of gentk.summary"
        )
        assert isinstance(summary, judge.summary), (
            f"it makes {type(summary).__name__}, declared is {judge.summary.__name__}"
        )
        assert summary.count == 6, f"the summary of 6 samples counts {summary.count}"

    def test_summaries_add_up(self) -> None:
        """The summaries of two parts add up to the summary of the whole."""
        judge = summarising(self.summariser())
        a, b = self.features(6), self.features(4, seed=1)
        first = judge.summarise(a)
        whole = judge.summarise({name: torch.cat([a[name], b[name]]) for name in a}, first)
        both = first + judge.summarise(b, first)
        assert both.count == whole.count, f"the sum counts {both.count} samples of {whole.count}"
        self._alike(judge, whole, both, "the sum of two summaries is not that of the whole")

    def test_summaries_can_be_kept(self) -> None:
        """A summary that is stored and restored, as the cache does it, is the same."""
        judge = summarising(self.summariser())
        summary = judge.summarise(self.features(6)).settled()
        again = type(summary).restore(*summary.store())
        assert again.count == summary.count, (
            f"{summary.count} samples are {again.count} when restored"
        )
        self._alike(judge, summary, again, "what is restored is not what was stored", 1e-9)

    def test_gradient_goes_through_parts(self) -> None:
        """The gradient of the whole, shared out to the parts, is the gradient in one piece."""
        judge = summarising(self.summariser())
        parts = [self.features(6), self.features(4, seed=1)]
        pivot = judge.summarise(self.features(6, seed=2))
        names = list(parts[0])
        for part in parts:
            for value in part.values():
                value.requires_grad_()
        inputs = [value for part in parts for value in part.values()]
        both = {name: torch.cat([part[name] for part in parts]) for name in names}
        whole = judge.summarise(both, pivot)
        tensors = whole.to_tensors()
        weights = {
            name: torch.randn(v.shape, generator=torch.Generator().manual_seed(3)).to(v)
            for name, v in tensors.items()
        }
        wanted = torch.autograd.grad(list(tensors.values()), inputs, list(weights.values()))
        gradients: list[Tensor] = []
        start = 0
        for part, size in zip(parts, (6, 4), strict=True):
            own = judge.summarise(part, pivot).to_tensors()
            try:
                share = whole.share(weights, start, start + size)
                slopes = [share[name] for name in own]
                gradients += torch.autograd.grad(list(own.values()), list(part.values()), slopes)
            except RuntimeError as error:
                raise AssertionError(f"a part cannot take its share: {error}") from error
            start += size
        gap = max(difference(a, b) for a, b in zip(wanted, gradients, strict=True))
        assert gap < TOLERANCE, f"the gradients differ (relative {gap:.1e})"

    def test_features_of_any_layout_are_taken(self) -> None:
        """Channels-last maps give the same, half-precision features nearly."""
        judge = summarising(self.summariser())
        pivot = judge.summarise(self.features(6, seed=2))
        plain = judge.summarise(self.features(6), pivot)
        last = {
            name: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v
            for name, v in self.features(6).items()
        }
        self._alike(
            judge, plain, judge.summarise(last, pivot), "channels-last maps give something else"
        )
        half = {name: value.bfloat16() for name, value in self.features(6).items()}
        try:
            rough = judge.summarise(half, pivot)
        except RuntimeError as error:
            raise AssertionError(f"bfloat16 features are not taken: {error}") from error
        self._alike(judge, plain, rough, "bfloat16 features give something else", 0.1)

    def test_the_fingerprint_follows_what_is_kept(self) -> None:
        """Options that change the summary change the fingerprint; the same spec, the same one."""
        judge = summarising(self.summariser())
        print_ = judge.fingerprint()
        assert summarising(self.summariser()).fingerprint() == print_, "it is another every time"
        mine = judge.summarise(self.features(6)).to_tensors()
        for text in self.others():
            try:
                other = summarising(self.summariser(text))
                theirs = other.summarise(self.features(6)).to_tensors()
            except Exception:
                continue  # Whether it may refuse a value is another check's question.
            differs = mine.keys() != theirs.keys() or any(
                difference(mine[name], theirs[name]) > TOLERANCE for name in mine
            )
            assert not differs or other.fingerprint() != print_, (
                f"{text} keeps something else under the same fingerprint"
            )

    def _alike(
        self, judge: Any, a: Summary, b: Summary, message: str, tolerance: float = TOLERANCE
    ) -> None:
        """Fail unless two summaries say the same."""
        mine, theirs = self.told(judge, a), self.told(judge, b)
        assert mine.keys() == theirs.keys(), message
        gap = max(difference(mine[name], theirs[name]) for name in mine)
        assert gap < tolerance, f"{message} (relative {gap:.1e})"


def _labelled(summarise: Callable[..., Summary]) -> Callable[..., Summary]:
    """Return a `summarise` that takes samples without labels to be of two classes in turn."""

    def with_labels(
        features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Summary:
        count = len(next(iter(features.values())))
        device = next(iter(features.values())).device
        turns = torch.eye(2, device=device)[torch.arange(count, device=device) % 2]
        return summarise(features, like, turns if labels is None else labels)

    return with_labels


def summarising(component: Any) -> Summarises:
    """Return a component that summarises; a loss of another kind is none."""
    if not hasattr(component, "summarise"):
        skip(f"a {type(component).__name__} summarises nothing")
    judge: Summarises = component
    return judge


def random_features(count: int, seed: int = 0, shift: float = 0.0) -> Features:
    """Return a map (count, 3, 4, 4) and a vector (count, 5), normal about 1 + `shift`."""
    draw = torch.Generator().manual_seed(seed)
    return {
        "map": torch.randn(count, 3, 4, 4, generator=draw) + 1 + shift,
        "vector": torch.randn(count, 5, generator=draw) + 1 + shift,
    }
