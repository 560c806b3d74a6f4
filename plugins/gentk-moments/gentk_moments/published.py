"""Published statistics: a mean and a covariance of features in a file, in the place of real images."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gentk.errors import DataError, Incompatible
from gentk.files import regular

__all__ = ["published"]

NAMES = ("mu", "sigma")


def published(path: Path, size: int) -> tuple[Tensor, Tensor]:
    """Return the mean (D,) and the covariance (D, D), float64, of a `.npz` file with `mu` and `sigma`.

    Such files are made by pytorch-fid, ADM, clean-fid and others.

    Args:
        path: The file.
        size: How many features there are here: D.

    Raises:
        DataError: The file is not there, damaged, or holds something else.
        Incompatible: It is about another number of features.
    """
    try:
        regular(path.expanduser())
        with np.load(path.expanduser(), allow_pickle=False) as archive:
            held = {name: np.asarray(archive[name], dtype=np.float64) for name in NAMES}
    except KeyError as error:
        raise DataError(
            f"{path} has no statistics: it must be an npz file with the arrays mu and sigma"
        ) from error
    except (
        OSError,
        ValueError,
        EOFError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise DataError(
            f"{path} cannot be read as statistics ({error}): it must be an npz file with the arrays mu "
            "and sigma"
        ) from error
    mean, cov = held["mu"], held["sigma"]
    if mean.ndim != 1 or cov.shape != (len(mean), len(mean)) or not np.isfinite(cov).all():
        raise DataError(f"{path} has mu of {mean.shape} and sigma of {cov.shape}: (D,) and (D, D)")
    if len(mean) != size:
        raise Incompatible(
            f"{path} is about {len(mean)} features and the extractor has {size}; type --extractor with "
            "the network and layer that it was made with"
        )
    return torch.from_numpy(mean), torch.from_numpy((cov + cov.T) / 2)
