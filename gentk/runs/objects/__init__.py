"""Objects: what Python gives instead of names, `gentk.run(generator=G, data=images)`."""

from __future__ import annotations

from .given import Given
from .identity import Own, own
from .registered import register

__all__ = ["Given", "Own", "own", "register"]
