"""The three verbs of gentk in Python: compose, run, load (`python examples/python_api.py`)."""

from __future__ import annotations

from typing import Any

import gentk
from gentk.grid import tile


def main(**changes: Any) -> None:
    """Train GFMN with a moving average, open the run again, and draw from it."""
    settings = {"estimator": "ma,alpha=0.1", "steps": 500, "out": "runs/python-api", **changes}

    # Everything is checked and built before anything is trained.
    composition = gentk.compose("gfmn", **settings)
    print(f"{composition.images.name}: {len(composition.images)} images {composition.images.shape}")
    print(f"loss: {type(composition.loss).__name__}, estimator: {composition.estimator}")

    # The same arguments again would resume the run, or return it at once.
    trained = gentk.run("gfmn", **settings)
    result = trained.result or {}
    print(f"loss {result['loss']:.1f} after {result['images']:,} images")

    again = gentk.load(settings["out"])
    picture = tile(again.sample(64, seed=1))
    picture.save(again.folder.path / "python-api.png")
    print(f"wrote {again.folder.path / 'python-api.png'}")


if __name__ == "__main__":
    main()
