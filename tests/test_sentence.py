"""The sentence users know, character by character, with and without VGG19's weights at hand."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import timm
from safetensors.torch import save_file

import gentk

SENTENCE = "gentk run --extractor timm:vgg19 --loss moments --estimator ama"
REPOSITORY = "models--timm--vgg19.tv_in1k"


def environment(folder: Path) -> dict[str, str]:
    """Offline, with the hub's cache and gentk's in `folder`, and the `gentk` of this Python."""
    binaries = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_CACHE": str(folder / "hf" / "hub"),
        "GENTK_CACHE": str(folder / "gentk"),
    }


def fill_cache(folder: Path) -> None:
    """Put random weights where the hub's client would keep those of VGG19's default tag."""
    assert timm.get_pretrained_cfg("vgg19").hf_hub_id == "timm/vgg19.tv_in1k"
    weights = timm.create_model("vgg19", pretrained=False).features.state_dict(prefix="features.")
    snapshot = folder / "hf" / "hub" / REPOSITORY / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    save_file(
        {name: value.contiguous() for name, value in weights.items()},
        snapshot / "model.safetensors",
    )
    refs = folder / "hf" / "hub" / REPOSITORY / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)


@pytest.mark.slow
def test_the_sentence_trains_and_ctrl_c_keeps_it(tmp_path):
    """It trains with default data and generator; Ctrl-C checkpoints, exits 130, and it resumes."""
    fill_cache(tmp_path)
    process = subprocess.Popen(
        shlex.split(SENTENCE),
        cwd=tmp_path,
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    logs = lambda: list(tmp_path.glob("runs/*/metrics.jsonl"))  # noqa: E731
    deadline = time.monotonic() + 600
    while not (logs() and logs()[0].read_text().count("\n") >= 2):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "no two steps in ten minutes"
        time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)

    assert process.returncode == 130, said
    assert "Traceback" not in said
    (folder,) = tmp_path.glob("runs/*")
    record = json.loads((folder / "run.json").read_text())
    assert record["recipe"]["extractor"] == ["timm:vgg19"]
    assert record["recipe"]["data"] == "digits,size=32"
    steps = gentk.load(folder).folder.checkpoints.steps()[-1]
    assert steps >= 2
    again = subprocess.run(
        shlex.split(f"{SENTENCE} --steps {steps + 2}"),
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, steps + 3))


def test_without_weights_the_sentence_says_what_to_do(tmp_path):
    """One line: model and tag, the file wanted, where it would be cached, and the option."""
    done = subprocess.run(
        shlex.split(SENTENCE),
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error")]

    assert done.returncode == 1
    assert "Traceback" not in done.stderr and len(lines) == 1
    for part in ("vgg19.tv_in1k", "model.safetensors", REPOSITORY, "weights=PATH", "weights=none"):
        assert part in lines[0], part
    assert not (tmp_path / "runs").exists()
