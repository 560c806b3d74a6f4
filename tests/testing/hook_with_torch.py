"""A hook module that imports torch."""

import torch  # noqa: F401
