"""The suite of extractors."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from ..interfaces import Extractor
from .likeness import difference, same
from .network import COUNT, NetworkSuite, bits, random_images
from .suite import skip
from .trial import composed, trained

__all__ = ["ExtractorSuite"]


class ExtractorSuite(NetworkSuite):
    """Frozen, the same for every batch, differentiable in the images, known by its fingerprint.

    Attributes:
        image: The shape of the images it is tried with; `channels` of the extractor wins.
    """

    kind = "extractor"
    interface: ClassVar[type[Any]] = Extractor

    def inputs(self, network: Any, count: int = COUNT) -> tuple[Tensor, ...]:
        """Return images in the extractor's range."""
        channels = network.channels if isinstance(network.channels, int) else self.image.channels
        return (random_images(self.image._replace(channels=channels), network.range, count),)

    def outputs(self, network: Any, *inputs: Tensor) -> dict[str, Tensor]:
        """Return the features."""
        features: dict[str, Tensor] = network(*inputs)
        return features

    def test_it_declares_what_it_sees(self) -> None:
        """`range`, `channels` and `sees` have values that gentk knows."""
        network = self.make()
        assert network.range in ("unit", "signed"), f"range is {network.range!r}"
        assert network.channels is None or isinstance(network.channels, int), (
            f"channels is {network.channels!r}, not a number or None"
        )
        assert network.sees in ("images", "samples"), f"sees is {network.sees!r}"

    def test_layers_do_not_change(self) -> None:
        """Layers have the same names, order and sizes in every batch, one feature a sample."""
        network = self.ready()
        first: dict[str, tuple[int, ...]] | None = None
        for count in (COUNT, 1, COUNT):
            features = self.found(network, *self.inputs(network, count))
            assert features, "it returns no layer"
            for name, value in features.items():
                assert len(value) == count, f"{name} has {len(value)} rows for {count} images"
            shapes = {name: tuple(value.shape[1:]) for name, value in features.items()}
            first = first or shapes
            assert list(first.items()) == list(shapes.items()), (
                f"layers are {first}, and in another batch {shapes}"
            )

    def test_layers_have_known_layouts(self) -> None:
        """A layer is floating point: a map (N, C, H, W), tokens (N, L, D) or a vector (N, D)."""
        network = self.ready()
        for name, value in self.found(network, *self.inputs(network)).items():
            assert isinstance(name, str), f"the layer {name!r} has no name"
            assert value.dim() in (2, 3, 4), f"{name} is {tuple(value.shape)}, with the batch first"
            assert value.is_floating_point(), f"{name} is {value.dtype}"

    def test_gradient_reaches_the_images(self) -> None:
        """Every layer has a finite gradient in the images, and not zero everywhere."""
        network = self.ready()
        [images] = self.inputs(network)
        images.requires_grad_()
        for name, value in self.outputs(network, images).items():
            assert value.requires_grad, f"{name} is cut off from the images"
            [slope] = torch.autograd.grad(
                value.square().sum(), images, retain_graph=True, allow_unused=True
            )
            assert slope is not None, f"{name} is cut off from the images"
            assert slope.isfinite().all(), f"the gradient of {name} is not finite"
            assert slope.any(), f"the gradient of {name} is zero"

    def test_gradient_stays_away_from_the_weights(self) -> None:
        """No parameter asks for a gradient: end the constructor with `self.freeze()`."""
        asked = [name for name, p in self.make().named_parameters() if p.requires_grad]
        assert not asked, f"{', '.join(asked[:3])} would be trained; end with self.freeze()"

    def test_it_stays_in_eval_mode(self) -> None:
        """It is in eval mode from the start, and stays so whatever is asked."""
        network = self.make()
        assert not any(part.training for part in network.modules()), "it starts in training mode"
        network.train()
        assert not any(part.training for part in network.modules()), "train() changes its mode"

    def test_a_run_leaves_it_alone(self) -> None:
        """After training with it, every parameter and buffer is what it was, to the bit."""
        channels = self.make().channels
        shape = self.image if channels is None else self.image._replace(channels=channels)
        data = f"gentk-partner,size={shape.height},channels={3 if shape.channels == 3 else 1}"
        with composed(self.names, extractor=(self.spec,), data=data) as composition:
            assert composition.space is not None
            before = bits(composition.space)
            trained(composition)
            after = bits(composition.space)
        changed = [name for name in before if not same(before[name], after[name])]
        assert not changed, f"a run changes {', '.join(changed[:3])}"

    def test_the_fingerprint_is_repeatable(self) -> None:
        """The same spec has the same fingerprint, before and after use."""
        network = self.make()
        first = network.fingerprint()
        self.found(network, *self.inputs(network))
        assert isinstance(first, str), f"it is a {type(first).__name__}, not text"
        assert network.fingerprint() == first, "it changes when the extractor is used"
        assert self.make().fingerprint() == first, "a second extractor has another one"

    def test_the_fingerprint_follows_the_weights(self) -> None:
        """Other weights (whatever is in `state_dict`), another fingerprint."""
        state = self.make().state_dict()
        names = [name for name, v in state.items() if v.is_floating_point() and v.numel()]
        if not names:
            skip("it has no weights")
        first = self.make().fingerprint()
        for name in dict.fromkeys([names[0], names[-1]]):
            other = self.make()
            with torch.no_grad():
                other.state_dict()[name].add_(1)
            assert other.fingerprint() != first, (
                f"{name} can change and the fingerprint does not; if it follows from the options, "
                "register it with persistent=False"
            )

    def test_the_fingerprint_follows_the_options(self) -> None:
        """Options that change a layer or its values change the fingerprint."""
        first = self.ready()
        mine, print_ = self.found(first, *self.inputs(first)), first.fingerprint()
        for text in self.others():
            try:
                other = self.make(text)
                theirs = self.found(other, *self.inputs(other))
            except Exception:
                continue  # Whether it may refuse a value is another check's question.
            differs = mine.keys() != theirs.keys() or any(
                difference(mine[name], theirs[name]) > 1e-4 for name in mine
            )
            assert not differs or other.fingerprint() != print_, (
                f"{text} has other features and the same fingerprint"
            )
