"""The suite of critics."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..families import Composition
from ..interfaces import BOUNDS, Critic, ImageShape
from .encoder import LATENT
from .likeness import same
from .network import COUNT, random_images
from .partner import GAME, NAME
from .trainable import TrainableSuite
from .trial import composed

__all__ = ["CriticSuite"]

SCORES = ("x", "z", "xz")


class CriticSuite(TrainableSuite):
    """Images, and latents if it looks at pairs, become scores."""

    kind = "critic"
    interface: ClassVar[type[Any]] = Critic

    def supplied(self) -> dict[str, Any]:
        """Return the shape of the images and the dimension of the latents."""
        return {**super().supplied(), "latent": LATENT}

    def inputs(self, network: Any, count: int = COUNT) -> tuple[Tensor, ...]:
        """Return images in the critic's range and, for pairs, latents."""
        return self._inputs(network, network.image, count)

    def outputs(self, network: Any, *inputs: Tensor) -> dict[str, Tensor]:
        """Return the scores."""
        scores: dict[str, Tensor] = network(*inputs)
        return scores

    def trial(self) -> AbstractContextManager[Composition]:
        """Return an adversarial run, with an encoder for pairs."""
        data = f"gentk-partner,size={self.image.height},channels={self.image.channels}"
        encoder = NAME if self.make().pairs else None
        return composed(self.names, loss=GAME, critic=self.spec, encoder=encoder, data=data)

    def check_shape(self, network: Any, image: ImageShape) -> None:
        """Fail unless it scores images of this shape."""
        scores = self.found(network, *self._inputs(network, image))
        for name, score in scores.items():
            assert len(score) == COUNT, f"{name} has {len(score)} scores of {COUNT} images"

    def test_it_declares_what_it_judges(self) -> None:
        """`range` is `unit` or `signed`, `pairs` is true or false."""
        network = self.make()
        assert network.range in BOUNDS, f"range is {network.range!r}"
        assert isinstance(network.pairs, bool), f"pairs is {network.pairs!r}, not true or false"

    def test_scores_are_one_a_sample(self) -> None:
        """Scores are (N,), and called `x` (of images), `z` (latents) or `xz` (pairs)."""
        network = self.ready()
        scores = self.found(network, *self.inputs(network))
        assert scores, "it returns no scores"
        for name, score in scores.items():
            assert name in SCORES, f"{name!r} is none of {', '.join(SCORES)}"
            assert score.shape == (COUNT,), f"{name} is {tuple(score.shape)}, not ({COUNT},)"

    def test_features_are_of_the_pass_that_gives_scores(self) -> None:
        """`judge` returns the scores of a call and what `features` returns, a row a sample."""
        network = self.ready()
        inputs = self.inputs(network)
        latents = inputs[1] if network.pairs else None
        labels = inputs[-1] if network.classes else None
        scores = self.found(network, *inputs)
        with torch.no_grad():
            torch.manual_seed(0)
            judged, features = network.judge(inputs[0], latents, labels)
            torch.manual_seed(0)
            alone = network.features(inputs[0], latents, labels)
        for what, mine, other in (("scores", judged, scores), ("features", features, alone)):
            assert list(mine) == list(other), (
                f"judge returns the {what} {list(mine)}, not {list(other)}"
            )
            for name, value in mine.items():
                assert len(value) == COUNT, (
                    f"{what} {name!r} have {len(value)} rows of {COUNT} images"
                )
                assert same(value, other[name]), f"judge returns other {what} {name!r} than a call"

    def test_gradient_reaches_what_it_judges(self) -> None:
        """The scores have a finite gradient in the images and, for pairs, in the latents."""
        network = self.ready()
        inputs = self.inputs(network)
        for tensor in inputs:
            tensor.requires_grad_()
        scores = [value.sum() for value in self.outputs(network, *inputs).values()]
        total = torch.stack(scores).sum()
        assert total.requires_grad, "the scores are cut off from the images"
        slopes = torch.autograd.grad(total, inputs, allow_unused=True)
        for name, slope in zip(("images", "latents"), slopes, strict=False):
            assert slope is not None, f"the scores are cut off from the {name}"
            assert slope.isfinite().all() and slope.any(), f"the gradient in the {name} is zero"

    def _inputs(self, network: Any, image: ImageShape, count: int = COUNT) -> tuple[Tensor, ...]:
        images = random_images(image, network.range, count)
        if not network.pairs:
            return (images,)
        draw = torch.Generator().manual_seed(1)
        return images, torch.randn(count, LATENT, generator=draw)
