"""The curve of one long run: `python docs/results/curve.py [NAME]` (`make results-curve`), resumable.

Trains the recipe of `NAME.toml` and judges its checkpoints on the way: a row of `NAME.jsonl` each.
Renders `NAME.md` and `NAME.png`: distance and loss over images seen, the distance of real training
images as the floor, and the rank correlation of loss and distance.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from scipy.stats import spearmanr

import gentk
from gentk.evaluation.evaluate import evaluate
from gentk.evaluation.plan import Context, Plan
from gentk.evaluation.record import row_of
from gentk.events import Checkpointed, Event, Progress
from gentk.grid import tile
from gentk.interfaces import Observer
from gentk.observers.metrics import MetricsFile
from gentk.observers.progress import ProgressBar
from gentk.sweeps.row import commit, latest
from gentk.sweeps.trial import command_of

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RECENT = 100
"""Steps over which the loss beside a distance is averaged."""


@dataclass(frozen=True)
class Curve:
    """What a file declares, and what was measured of it.

    Attributes:
        name: The file's, without its ending.
    """

    name: str

    @property
    def table(self) -> dict[str, Any]:
        """What the file says."""
        return tomllib.loads(self.file("toml").read_text(encoding="utf-8"))

    @property
    def folder(self) -> Path:
        """The run's."""
        return ROOT / "runs" / "results" / self.name

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows made so far."""
        if not self.file("jsonl").exists():
            return []
        lines = self.file("jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    @property
    def samples(self) -> Path:
        """The picture of its samples."""
        return HERE / f"{self.name}-samples.png"

    def file(self, ending: str) -> Path:
        """Return the file of this name with an ending."""
        return HERE / f"{self.name}.{ending}"


class Judge(Observer):
    """Judges the latest checkpoint each time another share of the budget is used."""

    def __init__(self, curve: Curve, threads: int | None) -> None:
        self.curve = curve
        self.threads = threads

    def observe(self, event: Event) -> None:
        """Append a row if it is time."""
        if not isinstance(event, Checkpointed):
            return
        self.judge(event.progress)

    def judge(self, progress: Progress) -> None:
        """Append a row for the latest checkpoint, unless this share of the budget has one."""
        share = int(min(progress.fraction, 1.0) * self.curve.table["points"] + 1e-9)
        if share <= max((row["share"] for row in self.curve.rows), default=0):
            return
        lines = (self.curve.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        losses = [json.loads(line)["loss"] for line in lines[-RECENT:]]
        row = {
            "share": share,
            "images": progress.images,
            "seconds": progress.seconds,
            "loss": statistics.fmean(losses),
            **judged(self.curve, self.threads),
        }
        with self.curve.file("jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        render(self.curve)


def main() -> None:
    """Train, judge, render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="curve", help="which file declares it")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--render", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    commit()
    curve = Curve(arguments.name)
    if not arguments.render:
        flags = dict(curve.table["run"])
        recipe = flags.pop("recipe")
        judge = Judge(curve, arguments.threads)
        run = gentk.run(
            recipe,
            **flags,
            out=str(curve.folder),
            threads=arguments.threads,
            observers=[MetricsFile(), ProgressBar(), judge],
        )
        assert run.result is not None
        counts = {key: run.result[key] for key in ("steps", "images", "seconds")}
        # A run that was killed while its last checkpoint was judged is judged now.
        judge.judge(Progress(**counts, fraction=1.0))
        tile(run.sample(64)).save(curve.samples, optimize=True)
    render(curve)


def judged(curve: Curve, threads: int | None) -> dict[str, Any]:
    """Judge the run as it is now."""
    judge = curve.table["judge"]
    plan = Plan(judge["data"], ("fd",), tuple(judge["extractors"]), judge["count"])
    measurements = evaluate(str(curve.folder), plan, Context(threads=threads)).of_subject()
    reference = measurements[0].protocol.reference
    return {
        "figures": [{**row_of(one), "subject": curve.name} for one in measurements],
        "samples": measurements[0].protocol.samples,
        "reference": reference.name,
        "reference_count": reference.count,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
    }


def render(curve: Curve) -> None:
    """Write the picture and the page."""
    if curve.rows:
        draw(curve, floor_of(curve))
        curve.file("md").write_text(page(curve), encoding="utf-8")


def page(curve: Curve) -> str:
    """Return the page."""
    rows, table = curve.rows, curve.table
    distances = [row["figures"][0]["value"] for row in rows]
    losses = [row["loss"] for row in rows]
    floor = floor_of(curve)
    lines = [f"# {table['title']}", "", table["text"].strip(), ""]
    lines += ["| minutes | images seen | Frechet distance | loss |", "| --- | --- | --- | --- |"]
    for row, distance in zip(rows, distances, strict=True):
        minutes = f"{row['seconds'] / 60:.0f}"
        lines.append(f"| {minutes} | {row['images']:,} | {distance:.1f} | {row['loss']:.0f} |")
    if len(rows) > 2:
        rank = float(spearmanr(losses, distances).statistic)
        lines += ["", f"Rank correlation (Spearman) of loss and distance: {rank:.2f}."]
    if floor is not None:
        lines += ["", f"The same number of real training images: {floor:.1f} (the floor)."]
    run = dict(table["run"])
    lines += [
        "",
        f"`{command_of(run.pop('recipe'), run)}`, judged by `{table['judge']['extractors'][0]}`, "
        f"{table['judge']['count']:,} samples to the {rows[0]['reference_count']:,} images of "
        f"{Path(rows[0]['reference']).name}; {rows[0]['date']}, commit {rows[0]['commit']}, "
        "one seed.",
        "",
        f"![curve]({curve.name}.png)",
    ]
    if curve.samples.exists():
        lines += ["", f"![samples]({curve.samples.name})"]
    return "\n".join(lines) + "\n"


def floor_of(curve: Curve) -> float | None:
    """Return the floor from the leaderboard, whose judge and counts are the same."""
    for row in latest(HERE / "leaderboard.jsonl").values():
        for one in row.measurements:
            same = (one.name, one.extractor) == ("fd", curve.table["judge"]["extractors"][0])
            if row.subject is not None and row.floor is None and same:
                return one.value
    return None


def draw(curve: Curve, floor: float | None) -> None:
    """Draw distance and loss over images seen."""
    rows = curve.rows
    images = [row["images"] for row in rows]
    distances = [row["figures"][0]["value"] for row in rows]
    losses = [row["loss"] for row in rows]
    figure, left = pyplot.subplots(figsize=(7, 4))
    left.plot(images, distances, "o-", color="tab:blue", label="Frechet distance")
    if floor is not None:
        left.axhline(floor, color="tab:grey", linestyle=":", label="real training images")
    left.set(xlabel="images seen", ylabel="Frechet distance", yscale="log")
    right = left.twinx()
    right.plot(images, losses, "s--", color="tab:orange", label="loss")
    right.set(ylabel="loss", yscale="log")
    figure.legend(loc="center left", bbox_to_anchor=(0.14, 0.3))
    figure.tight_layout()
    figure.savefig(curve.file("png"), dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
