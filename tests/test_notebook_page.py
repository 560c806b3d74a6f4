"""docs/notebook.md: its cells run in an empty folder as in a notebook, the stop button included."""

from __future__ import annotations

import _thread
import ast
import math
import re
import threading
import time
from pathlib import Path

import pytest

import gentk

PAGE = Path(__file__).parents[1] / "docs" / "notebook.md"
CELLS = re.findall(r"^```python\n(.+?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
TRAINS = 'out="runs/mine"'
LOG = Path("runs/mine/metrics.jsonl")


def shown(cell: str, names: dict[str, object]) -> object:
    """Run a cell and return what a notebook would show: the value of a last expression."""
    *head, last = ast.parse(cell).body
    if not isinstance(last, ast.Expr):
        exec(compile(cell, "cell", "exec"), names)
        return None
    exec(compile(ast.Module(head, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def press_stop() -> None:
    """Do what the stop button does, once training has logged its first steps."""
    while not (LOG.exists() and LOG.read_text(encoding="utf-8")):
        time.sleep(0.005)
    _thread.interrupt_main()


@pytest.mark.slow
def test_the_cells_run_from_top_to_bottom(tmp_path, monkeypatch, own_cache, one_thread, capsys):
    """A model, own photos, network and loss; stopped and gone on; judged, compared, handed on."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    values, stopped = [], []
    for cell in CELLS:
        if TRAINS in cell and not stopped:
            threading.Thread(target=press_stop, daemon=True).start()
            with pytest.raises(KeyboardInterrupt):
                shown(cell, names)
            stopped.append(gentk.load("runs/mine", **{"generator": names["G"]}).steps)
        else:
            values.append(shown(cell, names))

    model, drawn, photos, plot, evaluation, comparison, report = filter(None, values)
    assert "digits,size=32" in model._repr_html_()
    assert drawn.width > drawn.height > 64
    assert photos.mode == "RGB"
    assert 0 < stopped[0] < names["run"].result["steps"] == names["run"].metrics.rows
    assert plot._repr_png_()
    assert all(math.isfinite(one.value) for one in evaluation.measurements)
    assert len(comparison.groups) == 2
    assert "runs/mine" in report.read_text(encoding="utf-8")
    assert "'moments'" in capsys.readouterr().out
    assert names["elsewhere"].steps == names["run"].steps
