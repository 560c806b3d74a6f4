"""Start-up: what commands import."""

from __future__ import annotations

import pytest

HEAVY = ("torch", "torchvision", "timm", "numpy", "pydantic", "PIL", "sklearn", "pyarrow")
PROBE = """
import sys
sys.argv = ["gentk", *{words!r}]
from gentk.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", *(name for name in {names!r} if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("words", "forbidden"),
    [
        (["--help"], (*HEAVY, "rich", "pluggy", "importlib.metadata")),
        (["--version"], (*HEAVY, "rich", "pluggy", "importlib.metadata")),
        (["run", "--help"], (*HEAVY, "rich", "pluggy")),
        (["list"], HEAVY),
        (["list", "--json"], (*HEAVY, "rich")),
        (["list", "extractor", "*"], HEAVY),
        (["show", "recipe", "quickstart"], HEAVY),
        (["list", "model"], HEAVY),
        (["show", "model:digits"], HEAVY),
    ],
)
def test_light_commands_import_nothing_heavy(shell, words, forbidden) -> None:
    """Help and lists are there at once: they import no library of arrays, models or schemas."""
    done = shell(PROBE.format(words=words, names=forbidden))

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_drawn_list_imports_no_torch(shell) -> None:
    """On a terminal, where the list is drawn, rich comes in and still nothing heavy."""
    draw = PROBE.replace("import sys\n", "import sys\nsys.stdout.isatty = lambda: True\n", 1)

    done = shell(draw.format(words=["list"], names=("rich.table", *HEAVY)))

    assert done.stdout.splitlines()[-1] == "LOADED rich.table", done.stderr
