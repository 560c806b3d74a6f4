"""What fits into memory, also where the system does not say how much there is."""

from __future__ import annotations

import os

import pytest
from torch import nn

from gentk.errors import Incompatible
from gentk.runs import affordable


def huge() -> nn.Module:
    """A network of 16 TiB of weights."""
    return nn.Linear(2**21, 2**21)


def test_what_does_not_fit_is_refused():
    """By its weights, before it is built."""
    with pytest.raises(Incompatible, match="mlp"):
        affordable.check_affordable(huge, "mlp")


@pytest.mark.parametrize("way", ["absent", "refuses", "unknown"])
def test_nothing_is_weighed_where_memory_is_not_known(monkeypatch, tmp_path, way):
    """Windows has no sysconf; elsewhere it may not know the name, or answer -1."""
    monkeypatch.setattr(affordable, "LIMITS", (tmp_path / "none",))
    if way == "absent":
        monkeypatch.delattr(os, "sysconf")
    else:

        def sysconf(name: str) -> int:
            if way == "refuses":
                raise ValueError("unrecognized configuration name")
            return -1 if name == "SC_PHYS_PAGES" else 4096

        monkeypatch.setattr(os, "sysconf", sysconf)

    affordable.check_affordable(huge, "mlp")


def test_a_container_says_how_much_there_is(monkeypatch, tmp_path):
    """Also where sysconf does not."""
    limit = tmp_path / "memory.max"
    limit.write_text("1000\n")
    monkeypatch.setattr(affordable, "LIMITS", (limit, tmp_path / "none"))
    monkeypatch.delattr(os, "sysconf")

    with pytest.raises(Incompatible, match="mlp"):
        affordable.check_affordable(lambda: nn.Linear(10, 100), "mlp")
