"""Progress: a bar on a terminal, a few lines elsewhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gentk.events import Noticed, Progress, RunEnded, RunFailed, RunStarted, Stepped
from gentk.observers.progress import ProgressBar


def started(done: int = 0, budget: int = 1000) -> RunStarted:
    """Return the start of a run of `budget` steps, `done` of them taken before."""
    return RunStarted(at(done, budget), Path("runs/x"), {}, budget, None)


def at(step: int, budget: int = 1000) -> Progress:
    """Return the progress after a step: 64 images each, ten steps a second."""
    return Progress(step, step * 64, step / 10, step / budget)


def stepped(step: int, loss: float = 1.0, budget: int = 1000) -> Stepped:
    """Return the event of one step."""
    row = {"step": float(step), "images": step * 64.0, "loss": loss, "loss/tracked": -5.0}
    return Stepped(at(step, budget), [row])


def test_lines_every_tenth(capsys) -> None:
    """Off a terminal there is a line at the start and one every tenth of the budget."""
    bar = ProgressBar()
    bar.observe(started())
    for step in range(1, 1001):
        bar.observe(stepped(step))
    lines = capsys.readouterr().err.splitlines()

    assert lines[0] == "training in runs/x"
    assert [line.split()[0] for line in lines[1:]] == [f"{n}%" for n in range(10, 101, 10)]
    assert lines[5].split() == [
        "50%",
        "500/1,000",
        "steps",
        "640",
        "img/s",
        "0:50",
        "left",
        "loss",
        "1",
    ]


@pytest.mark.parametrize(("seconds", "shown"), [(90.0, "0:45/1:30"), (7200.0, "1:00:00/2:00:00")])
def test_a_budget_of_time_is_shown_as_time(capsys, seconds, shown) -> None:
    """Where minutes are the budget, what is used of them stands where steps have their total."""
    bar = ProgressBar()
    bar.observe(RunStarted(Progress(), Path("runs/x"), {}, None, seconds))
    half = Progress(500, 32_000, seconds / 2, 0.5)
    bar.observe(Stepped(half, [{"step": 500.0, "loss": 1.0}]))
    words = capsys.readouterr().err.splitlines()[-1].split()

    assert words[:4] == ["50%", "500", "steps", shown]
    assert words[-4:] == [shown.split("/")[0], "left", "loss", "1"]


@pytest.mark.parametrize("budget", [1, 3, 7, 100_000])
def test_never_more_lines_than_tenths(capsys, budget) -> None:
    """However long a run is, it prints at most a line a tenth; the last says 100 %."""
    bar = ProgressBar()
    bar.observe(started(budget=budget))
    for step in range(1, budget + 1, max(1, budget // 500)):
        bar.observe(stepped(step, budget=budget))
    bar.observe(stepped(budget, budget=budget))
    lines = capsys.readouterr().err.splitlines()

    assert 2 <= len(lines) <= 11
    assert lines[-1].startswith("100%")


def test_resumed_run_counts_from_where_it_was(capsys) -> None:
    """After a resume rate and time left are those of this session, and no tenth is told again."""
    bar = ProgressBar()
    bar.observe(started(done=500))
    bar.observe(stepped(501))
    slow = Progress(600, 600 * 64, 50 + 20.0, 0.6)  # 100 steps in 20 s, not 10
    bar.observe(Stepped(slow, [{"loss": 1.0}]))
    lines = capsys.readouterr().err.splitlines()

    assert lines[0] == "going on from step 500 in runs/x"
    assert lines[1].split() == [
        "60%",
        "600/1,000",
        "steps",
        "320",
        "img/s",
        "1:20",
        "left",
        "loss",
        "1",
    ]
    assert len(lines) == 2


def test_loss_is_the_batch_s_own_and_smoothed(capsys) -> None:
    """What is shown is m <- 0.9 m + 0.1 loss of the term `loss`, started at the first."""
    bar = ProgressBar()
    bar.observe(started(budget=10))
    expected = 8.0
    for step, loss in enumerate([8.0, 4.0, 2.0, 0.0], start=1):
        bar.observe(stepped(step, loss, budget=10))
        expected = 0.9 * expected + 0.1 * loss
    shown = re.findall(r"loss (\S+)", capsys.readouterr().err)

    assert float(shown[0]) == 8.0
    assert float(shown[-1]) == pytest.approx(expected, rel=1e-3)


def test_notices_are_lines_and_failures_are_not(capsys) -> None:
    """Notices are told; errors are left to whoever started the run."""
    bar = ProgressBar()
    bar.observe(started())
    bar.observe(Noticed(at(0), "3 damaged images [of x] are skipped"))
    bar.observe(RunFailed(at(0), RuntimeError("secret")))
    captured = capsys.readouterr()

    assert captured.err.splitlines()[1:] == ["note: 3 damaged images [of x] are skipped"]
    assert captured.out == ""


@pytest.mark.parametrize("end", [RunEnded(at(1000), {}), RunFailed(at(10), KeyboardInterrupt())])
def test_terminal_gets_a_bar_that_ends(capsys, monkeypatch, end) -> None:
    """On a terminal a bar shows the same facts, lets notices pass, and gives the terminal back."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "120")
    bar = ProgressBar()
    bar.observe(started())
    bar.observe(stepped(500, 0.25))
    bar.observe(Noticed(at(500), "[bold]not markup[/bold]"))
    assert bar._bar is not None and bar._bar.live.is_started

    bar.observe(end)
    text = capsys.readouterr().err

    assert not bar._bar.live.is_started
    assert "500/1,000 steps  640 img/s  0:50 left  loss 0.25" in text
    assert "note: [bold]not markup[/bold]" in text


def test_a_bar_leaves_room_for_what_the_terminal_echoes(monkeypatch) -> None:
    """Else ^C behind a bar as wide as the terminal wraps, and the bar is drawn a second time."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")

    bar = ProgressBar()
    bar.observe(started())
    bar.observe(stepped(500, 0.25))
    drawn = bar._bar.console.render_lines(bar._bar.get_renderable(), pad=False)
    bar.observe(RunEnded(at(1000), {}))

    lengths = [sum(segment.cell_length for segment in line) for line in drawn]
    assert lengths and max(lengths) <= 80 - len("^C^C")


def test_a_notebook_has_one_bar_that_is_drawn_in_its_place(monkeypatch, capsys) -> None:
    """What rich makes of a bar for a notebook is shown once and then replaced, a few times a second."""
    shown, drawn = [], []

    class Handle:
        def update(self, bar: object) -> None:
            drawn.append(bar._repr_mimebundle_((), ()))

    def display(value: object, display_id: bool = False) -> Handle | None:
        shown.append(value._repr_mimebundle_((), ()))
        return Handle() if display_id else None

    module = ModuleType("IPython.display")
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich._console", None)
    bar = ProgressBar()
    bar.observe(started())
    for step in range(1, 1001):
        bar.observe(stepped(step))
    bar.observe(Noticed(at(1000), "a <b> is bold"))
    bar.observe(RunEnded(at(1000), {}))

    texts = [one["text/plain"] for one in shown]
    assert [text.strip() for text in texts if "%" not in text] == [
        "training in runs/x",
        "note: a <b> is bold",
    ]
    assert sum("%" in text for text in texts) == 1
    assert "a &lt;b&gt; is bold" in shown[-1]["text/html"]
    assert 2 <= len(drawn) < 200
    assert "100%" in drawn[-1]["text/html"]
    assert "1,000/1,000 steps" in drawn[-1]["text/plain"]
    assert capsys.readouterr().err == ""
