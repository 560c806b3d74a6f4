"""The extractor `inception`: torch-fidelity's network, and what is said where it cannot be had."""

from __future__ import annotations

import sys
import urllib.error

import pytest
import torch

from gentk.errors import GentkError, Incompatible, WeightsError
from gentk.registry import Registry
from gentk_metrics.inception import Inception

WHY = "torch-fidelity is absent, so NOTHING here is checked: pip install 'gentk-metrics[fidelity]'"
theirs = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3", reason=WHY)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of weights of the right shapes, random."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda url, progress: {})
        patch.setattr(
            theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None
        )
        network = theirs.FeatureExtractorInceptionV3("x", ["2048"], verbose=False)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path


def test_its_features_are_torch_fidelitys(weights):
    """The same network, fed with the same 8-bit images."""
    images = torch.randint(0, 256, (2, 3, 20, 20), dtype=torch.uint8)
    network = theirs.FeatureExtractorInceptionV3("x", ["2048", "logits_unbiased"], str(weights))
    expected = network(images)
    for layer, value in zip(("2048", "logits_unbiased"), expected, strict=True):
        text = f"inception,layer={layer},weights={weights}"
        extractor = Registry().build("extractor", text)[0]
        assert torch.equal(extractor(images.float() / 255)[layer], value)
    assert extractor.fingerprint() != Inception(weights=weights).fingerprint()
    with pytest.raises(Incompatible, match="does not train"):
        extractor((images.float() / 255).requires_grad_())


def test_without_a_network_it_says_what_to_download(monkeypatch, tmp_path):
    """One sentence with the address and the option."""

    def offline(*arguments, **options):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(WeightsError, match=r"download https://\S+, and type .*weights=PATH"):
        Inception()


def test_wrong_files_are_refused(tmp_path):
    """No file, and a file of something else."""
    with pytest.raises(WeightsError, match="there are no Inception weights"):
        Inception(weights=tmp_path / "none.pth")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="does not hold"):
        Inception(weights=tmp_path / "other.pth")


def test_without_torch_fidelity_it_says_what_to_install(monkeypatch):
    """One sentence."""
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(GentkError, match=r"pip install 'gentk-metrics\[fidelity\]'"):
        Inception()
