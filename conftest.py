"""How long tests take: what was recorded marks them, and the longest start first.

`tests/durations.json` holds the processor seconds, processes that they start included (forks of
`tests/forked.py` are not), of every test that takes half a second or more. `make durations` writes it
anew. A test that it does not know counts as quick.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How fast a machine is says nothing of a property.
settings.register_profile("gentk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gentk")

RECORD = Path(__file__).parent / "tests" / "durations.json"
SLOWER = 3.0
"""A slow machine takes so many times the recorded seconds."""
PROPERTY = "processor seconds"
LIMITS = {"lengthy": 0.5, "slow": 10 / SLOWER}
"""Marker -> from how many recorded seconds on a test has it."""


def recorded() -> dict[str, float]:
    """Return the seconds of the tests that are not quick, by name."""
    seconds: dict[str, float] = json.loads(RECORD.read_text(encoding="utf-8"))
    return seconds


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer `--record-durations`."""
    parser.addoption(
        "--record-durations", action="store_true", help=f"write {RECORD.name} from this run"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect durations where reports of all workers arrive."""
    if config.getoption("--record-durations") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Record(), "durations")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is recorded as long, before `-m` selects, and start it first, the longest at once.

    Workers take from the end of each other's lists, so whatever stands there starts late: two tests of
    four minutes kept one of two workers busy after the other had gone home.
    """
    known = recorded()
    longest: dict[str, float] = {}
    for name, seconds in known.items():
        file = name.partition("::")[0]
        longest[file] = max(seconds, longest.get(file, 0.0))
    for item in items:
        seconds = known.get(item.nodeid, 0.0)
        if item.get_closest_marker("slow"):
            seconds = max(seconds, LIMITS["slow"])
        for marker, limit in LIMITS.items():
            if seconds >= limit:
                item.add_marker(marker)

    def place(item: pytest.Item) -> tuple[bool, float]:
        if item.get_closest_marker("slow") is None:
            return True, 0.0
        return False, -longest.get(item.nodeid.partition("::")[0], 0.0)

    # A stable sort by file: tests that share a module's fixtures stay together.
    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure a test's processor seconds with those of its fixtures."""
    item.stash[_STARTED] = _used()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send what was used up to here along with the report, workers' too."""
    report = yield
    report.user_properties = [(PROPERTY, _used() - item.stash[_STARTED])]
    return report


_STARTED = pytest.StashKey[float]()


def _used() -> float:
    """Return the processor seconds of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class _Record:
    """Keeps the seconds of a run and writes them when it ends."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # A test has three reports; the last one counts all of it.
        for name, seconds in report.user_properties:
            if name == PROPERTY:
                self.seconds[report.nodeid] = float(str(seconds))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        everything = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
        before = {} if everything and not session.config.option.markexpr else recorded()
        known = {name: s for name, s in before.items() if name not in self.seconds} | self.seconds
        long = {name: round(s, 1) for name, s in known.items() if s >= LIMITS["lengthy"]}
        text = json.dumps(dict(sorted(long.items())), indent=1)
        RECORD.write_text(text + "\n", encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        total = sum(self.seconds.values())
        terminalreporter.write_line(f"{len(self.seconds)} tests, {total:.0f} processor seconds")
