"""Fixtures of this room's tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _alone(own_cache):
    """Keep the statistics of these tests out of the user's cache."""
