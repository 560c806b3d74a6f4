"""Extractors that are wrong in one way each; those of all kinds and of all networks are here too."""

from __future__ import annotations

import hashlib
import uuid

import torch
from torch import nn

from gentk.interfaces import Extractor


class Right(Extractor):
    """A map of fixed random features and its mean: nothing is wrong with it."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))
        self.freeze()

    def forward(self, images):
        maps = nn.functional.conv2d(images, self.weight, padding=1)
        return {"map": maps, "vector": maps.relu().mean((2, 3))}

    def fingerprint(self):
        digest = hashlib.sha256(type(self).__name__.encode())
        for value in self.state_dict().values():
            digest.update(value.contiguous().numpy().tobytes())
        return digest.hexdigest()


class Silent(Right):
    pass


class Noisy(Right):
    """Its features are louder or softer by chance."""

    def forward(self, images):
        return super().forward(images * (1 + torch.rand(())))


class Sociable(Right):
    """A sample's features depend on its batch mates."""

    def forward(self, images):
        return super().forward(images - images.mean(0, keepdim=True))


class Strided(Right):
    """It reads memory as it lies."""

    def forward(self, images):
        _, c, h, w = images.shape
        return super().forward(images.as_strided(images.shape, (c * h * w, h * w, w, 1)))


class Narrow(Right):
    """It has a constant in float32."""

    def forward(self, images):
        found = super().forward(images)
        return found | {"vector": found["vector"] @ torch.eye(4, device=images.device)}


class Elsewhere(Right):
    """It makes a tensor on the CPU."""

    def forward(self, images):
        found = super().forward(images)
        return found | {"vector": found["vector"] @ torch.eye(4).to(found["vector"])}


class Loose(Right):
    """It holds a tensor that is no buffer."""

    def __init__(self):
        super().__init__()
        self.table = torch.eye(4)

    def forward(self, images):
        found = super().forward(images)
        self.table = self.table.to(found["vector"])
        return found | {"vector": found["vector"] @ self.table}


class Forgetful(Right):
    """What it computes depends on a number that is not in its state."""

    def __init__(self):
        super().__init__()
        self.gain = 0.5 + float(torch.rand(()))

    def forward(self, images):
        return super().forward(images * self.gain)


class Grabbing(Right):
    """It changes its input."""

    def forward(self, images):
        images.detach().clamp_(0.25, 0.75)
        return super().forward(images)


class Undeclared(Right):
    """It sees what gentk does not know."""

    sees = "pictures"


class Moody(Right):
    """It has one layer less for a single image."""

    def forward(self, images):
        found = super().forward(images)
        return {"map": found["map"]} if len(images) == 1 else found


class Flat(Right):
    """A layer has one axis more than a map."""

    def forward(self, images):
        return {"volume": super().forward(images)["vector"][:, :, None, None, None]}


class Cut(Right):
    """A layer is cut off from the images."""

    def forward(self, images):
        found = super().forward(images)
        return found | {"vector": found["vector"].detach()}


class Warm(Right):
    """It is not frozen."""

    def __init__(self):
        super().__init__()
        self.requires_grad_(True)


class Trained(Right):
    """It can be put into training mode."""

    def train(self, mode=True):
        return nn.Module.train(self, mode)


class Counting(Right):
    """It counts calls in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, images):
        self.calls += 1
        return super().forward(images)


class Unrepeatable(Right):
    """Every fingerprint is another one."""

    def fingerprint(self):
        return uuid.uuid4().hex


class Blind(Right):
    """Its fingerprint does not see its weights."""

    def fingerprint(self):
        return "blind-1"


class Deaf(Right):
    """Its fingerprint does not hear of its options.

    Args:
        gain: Factor of the images.
    """

    def __init__(self, *, gain: float = 1.0):
        super().__init__()
        self.gain = gain

    def forward(self, images):
        return super().forward(images * self.gain)


WRONG = {
    "test_it_says_what_it_is": Silent,
    "test_the_same_input_gives_the_same_output": Noisy,
    "test_batch_mates_do_not_matter": Sociable,
    "test_memory_format_does_not_matter": Strided,
    "test_number_types_do_not_matter": Narrow,
    "test_it_moves_as_a_whole": Loose,
    "test_tensors_are_made_where_they_are_used": Elsewhere,
    "test_its_state_dict_is_all_of_it": Forgetful,
    "test_inputs_are_left_alone": Grabbing,
    "test_it_declares_what_it_sees": Undeclared,
    "test_layers_do_not_change": Moody,
    "test_layers_have_known_layouts": Flat,
    "test_gradient_reaches_the_images": Cut,
    "test_gradient_stays_away_from_the_weights": Warm,
    "test_it_stays_in_eval_mode": Trained,
    "test_a_run_leaves_it_alone": Counting,
    "test_the_fingerprint_is_repeatable": Unrepeatable,
    "test_the_fingerprint_follows_the_weights": Blind,
    "test_the_fingerprint_follows_the_options": Deaf,
}
REFUSED = (Undeclared,)
