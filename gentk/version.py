"""The name of the distribution that the package gentk comes in, and the version of all first-party ones.

Every first-party pyproject.toml reads its version from here; how they pin each other is tested.
"""

from __future__ import annotations

__all__ = ["DISTRIBUTION", "__version__"]

__version__ = "0.1.0"

DISTRIBUTION = "gentk-core"
"""What installs the package `gentk`: on the public index the name `gentk` is another project's."""
