"""The code of a third party's parts: another digest after an edit that does something."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from gentk.code import code_of
from gentk_moments.loss import MomentsLoss

SCRIPT = """
    import math
    from functools import lru_cache
    from gentk_moments.loss import MomentsLoss

    NAMES = {"a", "b", "c"}

    def scale(x):
        '''What it does.'''
        return 2 * x

    @lru_cache
    def cached(x):
        return x + 1

    class Helper:
        def value(self):
            return 5

    class Mine(MomentsLoss):
        '''A loss.'''

        power = 2

        @property
        def half(self):
            return 0.5

        @staticmethod
        def plain(x):
            return x - 1

        def summarise(self, features, like=None, labels=None):
            kept = {k: scale(v) for k, v in features.items() if k not in NAMES}
            return self._more(kept, self.power, self.half, self.plain, Helper(), cached)

        def _more(self, *parts):
            return [(lambda one: one)(part) for part in parts]

        def forward(self, data, model):
            return {"loss": 3.0}
"""


def made(text: str):
    """Return the class `Mine` of a script."""
    space = {"__name__": "stranger"}
    exec(compile(textwrap.dedent(text), "stranger.py", "exec"), space)
    return space["Mine"]


FIRST = code_of(made(SCRIPT), ["summarise"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return 2 * x", "return 3 * x"),
        ("return x + 1", "return x + 2"),
        ("return 5", "return 6"),
        ("power = 2", "power = 3"),
        ("return 0.5", "return 0.25"),
        ("return x - 1", "return x - 2"),
        ("lambda one: one", "lambda one: -one"),
        ('"a", "b", "c"', '"a", "b"'),
        ("like=None, labels", "like=0, labels"),
    ],
)
def test_an_edit_of_what_is_reached_shows(before, after):
    """Of a function of the module, a helper class, a constant, a property, a default."""
    assert before in SCRIPT
    assert code_of(made(SCRIPT.replace(before, after)), ["summarise"]) != FIRST


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A loss.", "A loss of mine."),
        ("What it does.", "Twice."),
        ("import math", "import math\n    # A remark."),
        ("3.0", "4.0"),
        ("import math", "import math\n    import json"),
    ],
)
def test_an_edit_of_something_else_does_not(before, after):
    """Of docstrings, remarks, lines, and of methods that summarise does not reach."""
    assert before in SCRIPT
    assert code_of(made(SCRIPT.replace(before, after)), ["summarise"]) == FIRST


def test_without_names_all_methods_count():
    """An edit of forward is another class."""
    first, other = made(SCRIPT), made(SCRIPT.replace("3.0", "4.0"))
    assert code_of(first) != code_of(other) and code_of(first) == code_of(made(SCRIPT))


def test_the_code_of_gentk_and_what_is_inherited_from_it_is_none():
    """Versions tell that: a subclass that summarises as its base does shares its statistics."""

    class Mine(MomentsLoss):
        def forward(self, data, model):
            return super().forward(data, model)

    assert code_of(MomentsLoss) == code_of(Mine, ["summarise"]) == ""
    assert code_of(Mine) != ""


def test_functions_and_what_they_enclose():
    """A function is told by its code and by what it holds on to."""

    def with_(power):
        def own(x):
            return x**power

        return own

    assert code_of(with_(2)) != code_of(with_(3))
    assert code_of(with_(2)) == code_of(with_(2)) != ""


def test_it_is_the_same_in_another_process(tmp_path):
    """The order of sets differs from one process to the next."""
    # Without torch, whose import takes longer than all the rest.
    text = textwrap.dedent(SCRIPT).replace(
        "from gentk_moments.loss import", "MomentsLoss = object  #"
    )
    (tmp_path / "stranger.py").write_text(text)
    line = "import stranger; from gentk.code import code_of; print(code_of(stranger.Mine))"
    told = {
        subprocess.run(
            [sys.executable, "-c", line],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1 and told != {"\n"}


def test_a_long_chain_of_calls_is_followed_to_its_end():
    """It may be longer than Python's stack."""

    def chained(last):
        lines = [f"def f{i}(x):\n    return f{i + 1}(x)" for i in range(3000)]
        lines += [
            f"def f3000(x):\n    return x + {last}",
            "class Mine:\n    def summarise(self, x):",
        ]
        return made("\n".join([*lines, "        return f0(x)"]))

    assert code_of(chained(1)) != code_of(chained(2))
