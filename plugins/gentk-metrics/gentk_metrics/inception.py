"""The Inception network that published FID, KID and IS are taken in, through torch-fidelity.

The network, its weights (converted from TensorFlow's of 2015-12-05) and its resize to 299 x 299
(TensorFlow 1's bilinear, not antialiased) are torch-fidelity's, so that figures are comparable with
everyone's. Values are rounded to 8 bits, as the network is fed with files.

Source: C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
arXiv:1512.00567; A. Obukhov et al., torch-fidelity, https://github.com/toshas/torch-fidelity.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from gentk.digest import state_digest
from gentk.errors import GentkError, Incompatible, WeightsError
from gentk.interfaces import Extractor, Features, WeightsFile

from .ready import WHERE

__all__ = ["Inception"]

HINT = "--extractor inception,weights=PATH"


class Inception(Extractor):
    """Features of the standard Inception network; `2048` is pool3, of FID and KID.

    Args:
        layer: `2048` for FID, KID and precision and recall; `logits_unbiased` for IS; `64`, `192` and
            `768` are means of earlier maps.
        weights: Path of the .pth file; None for torch's hub, which is where it is downloaded to.

    Raises:
        WeightsError: The file is not there, is something else, or cannot be downloaded.
        GentkError: torch-fidelity is not installed.
    """

    range = "unit"
    channels = 3

    def __init__(
        self,
        *,
        layer: Literal["64", "192", "768", "2048", "logits_unbiased", "logits"] = "2048",
        weights: Path | None = None,
    ) -> None:
        super().__init__()
        self.layer = layer
        path = _downloaded() if weights is None else weights.expanduser()
        self.network = _network(path, layer)
        self.freeze()
        self._digest: str | None = None

    @classmethod
    def weights_file(cls, argument: str | None) -> WeightsFile:
        """Return torch-fidelity's file, where torch's hub keeps it."""
        path = Path(torch.hub.get_dir()) / "checkpoints" / WHERE
        digest = WHERE.removesuffix(".pth").rpartition("-")[2]
        return WeightsFile(_theirs().URL_INCEPTION_V3, path, path.is_file(), digest)

    @classmethod
    def weights_here(cls) -> list[str]:
        """Return one name if the file is here."""
        return [""] if (Path(torch.hub.get_dir()) / "checkpoints" / WHERE).is_file() else []

    def forward(self, images: Tensor) -> Features:
        """Return the layer's features, (N, D); raise `Incompatible` if a gradient is wanted."""
        if images.requires_grad:
            raise Incompatible(
                "extractor 'inception' judges and does not train: its input is rounded to 8 bits; type "
                "--extractor timm:inception_v3 for a network of its kind"
            )
        (features,) = self.network((images * 255).round().clamp(0, 255).to(torch.uint8))
        return {self.layer: features}

    def describe(self) -> dict[str, Any]:
        """Return how images are prepared."""
        return {"size": 299, "interpolation": "bilinear of TensorFlow 1, not antialiased"}

    def fingerprint(self) -> str:
        """Return a digest of layer and weights."""
        if self._digest is None:
            self._digest = state_digest(
                sorted(self.network.state_dict().items()),
                head=f"inception {self.layer}",
                label="{name} {shape}",
            )
        return self._digest


def _network(path: Path, layer: str) -> torch.nn.Module:
    """Return torch-fidelity's network; nothing is unpickled but tensors."""
    theirs = _theirs()
    try:
        # Read here first: torch-fidelity would unpickle whatever is in the file.
        torch.load(path, map_location="cpu", weights_only=True)
        network: torch.nn.Module = theirs.FeatureExtractorInceptionV3(
            "inception", [layer], str(path)
        )
    except FileNotFoundError as error:
        raise WeightsError(
            f"there are no Inception weights at {path}; download {theirs.URL_INCEPTION_V3} and type "
            f"{HINT}"
        ) from error
    except Exception as error:
        raise WeightsError(
            f"{path} does not hold the weights of torch-fidelity's Inception "
            f"({type(error).__name__}); download {theirs.URL_INCEPTION_V3} and type {HINT}"
        ) from error
    return network


def _downloaded() -> Path:
    """Return the weights in torch's hub, fetched if they are not there yet."""
    url = _theirs().URL_INCEPTION_V3
    path = Path(torch.hub.get_dir()) / "checkpoints" / WHERE
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.redirect_stdout(sys.stderr):
                torch.hub.download_url_to_file(url, str(path), progress=False)
        except OSError as error:
            reason = " ".join(str(error).split())
            raise WeightsError(
                f"the Inception weights cannot be downloaded ({reason}); where there is a network, "
                f"download {url}, and type {HINT}"
            ) from error
    return path


def _theirs() -> Any:
    """Return torch-fidelity's module."""
    try:
        return importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    except ImportError as error:
        raise GentkError(
            "extractor 'inception' is torch-fidelity's, which is not here "
            f"({error}); type: pip install 'gentk-metrics[fidelity]'"
        ) from error
