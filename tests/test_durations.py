"""The record of how long tests take marks them."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
RECORDED = json.loads((ROOT / "tests" / "durations.json").read_text(encoding="utf-8"))
SLOW = 10 / 3


def test_what_is_recorded_as_long_is_marked(request):
    """Half a second is lengthy; what would take ten on a slow machine is slow, and starts first."""
    items = request.session.items
    for item in items:
        seconds = RECORDED.get(item.nodeid, 0)
        marks = {mark.name for mark in item.iter_markers()}
        assert "lengthy" in marks or ("slow" not in marks and seconds < 0.5), item.nodeid
        assert "slow" in marks or seconds < SLOW, item.nodeid
    slow = [item.get_closest_marker("slow") is not None for item in items]
    assert slow == sorted(slow, reverse=True)


def test_the_longest_start_first(request):
    """Files of slow tests stand in the order of their longest test, each in one piece."""
    slow = [item for item in request.session.items if item.get_closest_marker("slow")]
    files = [item.nodeid.partition("::")[0] for item in slow]
    longest = {
        file: max((s for name, s in RECORDED.items() if name.startswith(f"{file}::")), default=0)
        for file in files
    }
    order = list(dict.fromkeys(files))

    assert [longest[file] for file in order] == sorted(longest.values(), reverse=True)
    assert [file for file in order for _ in range(files.count(file))] == files


def test_the_record_names_tests_that_there_are():
    """A file that was moved or deleted takes its entries along: `make durations`."""
    names = {name.partition("::")[0] for name in RECORDED}

    assert [name for name in names if not (ROOT / name).is_file()] == []
