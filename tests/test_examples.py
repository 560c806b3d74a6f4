"""Examples are code that runs."""

from __future__ import annotations

import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_python_api_example_runs(tmp_path, monkeypatch, capsys):
    """compose, run and load, with small parts: a picture comes out."""
    monkeypatch.setenv("GENTK_CACHE", str(tmp_path / "cache"))
    example = runpy.run_path(str(EXAMPLES / "python_api.py"))
    example["main"](
        data="digits,limit=64",
        extractor=["pixels"],
        generator="mlp,widths=16",
        steps=3,
        out=str(tmp_path / "run"),
        observer=["metrics"],
    )

    assert (tmp_path / "run" / "python-api.png").stat().st_size > 0
    assert "64 images" in capsys.readouterr().out
