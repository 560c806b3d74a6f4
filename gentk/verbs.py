"""Verbs: what gentk does, as functions for a script or a notebook. `import gentk` offers them.

They are the commands of the same names: the same recipes, the same folders, the same sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from torch import Tensor

from .errors import RunError, UsageError, did_you_mean
from .evaluation.evaluate import Evaluation
from .evaluation.evaluate import evaluate as _evaluate
from .evaluation.plan import Context, Plan
from .evaluation.record import append_to_run
from .families.base import Advance
from .families.composition import Composition
from .interfaces import Observer
from .keywords import ObjectKeys, RecipeKeys
from .markup import caption, page, picture, rows_of
from .registry import Registry
from .runs import trained
from .runs.composing import compose as _compose
from .runs.objects import Given, own, register
from .runs.resolving import table_of
from .runs.training import run as _run
from .wording import in_python, spoken

if TYPE_CHECKING:
    from .runs.plot import Plot

__all__ = [
    "Run",
    "compose",
    "evaluate",
    "listed",
    "load",
    "own",
    "path_of",
    "places_of",
    "register",
    "run",
    "run_of",
    "sample",
    "texts_of",
]


class Run(trained.Run):
    """A run's folder, opened: to sample from, to judge, to look at.

    Attributes:
        generator: The network in eval mode. Its images are in `generator.range`, `signed` for
            [-1, 1]; `sample` and `images` return them in [0, 1].
    """

    sample = in_python()(trained.Run.sample)
    latents = in_python()(trained.Run.latents)
    reconstruct = in_python()(trained.Run.reconstruct)

    def evaluate(
        self,
        *,
        against: str | None = None,
        metrics: str | Sequence[str] | None = None,
        extractors: str | Sequence[str] = (),
        count: int = 5000,
        seed: int = 0,
        sanity: bool = False,
        ratio: bool = True,
        standard: bool = False,
        threads: int | None = None,
    ) -> Evaluation:
        """Compare its samples with data, as `gentk.evaluate` does."""
        return evaluate(
            self,
            against=against,
            metrics=metrics,
            extractors=extractors,
            count=count,
            seed=seed,
            sanity=sanity,
            ratio=ratio,
            standard=standard,
            threads=threads,
        )

    def plot(self, *names: str) -> Plot:
        """Draw what it logged over its steps: a matplotlib figure.

        Args:
            names: Columns of `metrics`; by default all.

        Raises:
            RunError: matplotlib is not installed, nothing was logged, or there is no such column.
        """
        try:
            from .runs.plot import plot
        except ImportError as error:
            raise RunError(
                f"a plot needs matplotlib ({error}); type: pip install matplotlib, or use the columns "
                "of run.metrics"
            ) from error
        return plot({self.name: self.metrics}, names, self.name)

    def _ipython_display_(self) -> None:
        """Show it in a notebook by one face: the page holds the picture that `_repr_png_` is."""
        from IPython.display import display

        display({"text/plain": repr(self), "text/html": self._repr_html_()}, raw=True)

    def _repr_png_(self) -> bytes | None:
        """Show its newest sample grid in a notebook."""
        grids = self.folder.grids()
        return grids[-1].read_bytes() if grids else None

    def _repr_html_(self) -> str:
        """Show what it is, what came out and its newest sample grid in a notebook."""
        keys = (
            *("data", "extractor", "generator", "encoder", "critic", "loss", "penalty"),
            *("estimator", "seed"),
        )
        used = [(key, getattr(self.recipe, key)) for key in keys]
        facts = [(key, _text(value)) for key, value in used if value is not None]
        facts += [(key, _text(value)) for key, value in (self.result or {}).items()]
        png = self._repr_png_()
        drawn = "" if png is None else picture(png, f"samples of the run {self.name}")
        return page(caption(repr(self)), drawn, rows_of((), facts))


@in_python()
def compose(
    recipe: str | Path | None = None,
    *,
    registry: Registry | None = None,
    **keys: Unpack[RecipeKeys],
) -> Composition:
    """Check a recipe and build its parts, without training them.

    Args:
        recipe: Name of a recipe, or path of a TOML file; `gfmn` by default.
        registry: Where names are looked up; by default everything installed.
        keys: Keys of a recipe, over the recipe's values: names, or objects.

    Raises:
        GentkError: Anything unknown, ill-typed, missing or unfit, in one sentence.
    """
    given = Given(Registry.of(registry))
    texts = texts_of(keys, recipe, given)
    return _compose(_word(recipe), registry=given.registry, **texts)


@in_python()
def run(
    recipe: str | Path | None = None,
    *,
    registry: Registry | None = None,
    observers: list[Observer] | None = None,
    advance: Advance | None = None,
    **keys: Unpack[RecipeKeys],
) -> Run:
    """Train a recipe, going on from its last checkpoint if it has one.

    Args:
        recipe: Name of a recipe, or path of a TOML file; `gfmn` by default.
        registry: Where names are looked up; by default everything installed.
        observers: Who is told, instead of those the recipe names.
        advance: Called with what is being done before training starts, the number done, the total.
        keys: Keys of a recipe, over the recipe's values: names, or objects.

    Raises:
        GentkError: Anything that keeps the run from starting or going on, in one sentence.
        KeyboardInterrupt: After Ctrl-C; a checkpoint has been written, the same call goes on.
    """
    for one in observers or ():
        if not isinstance(one, Observer):
            raise UsageError(
                f"observers are of gentk.interfaces.Observer, not {type(one).__name__}; give "
                "observer='NAME' for those that have a name"
            )
    given = Given(Registry.of(registry))
    texts = texts_of(keys, recipe, given)
    finished = _run(
        _word(recipe),
        registry=given.registry,
        observers=observers,
        advance=advance,
        wording=spoken,
        **texts,
    )
    return _opened(finished)


@in_python()
def load(
    folder: str | Path,
    *,
    registry: Registry | None = None,
    device: str = "auto",
    **objects: Unpack[ObjectKeys],
) -> Run:
    """Open the folder of a run.

    Args:
        folder: The folder.
        registry: Where names are looked up; by default everything installed.
        device: Where to compute, as in recipes.
        objects: The objects that the run was made with, under the same keys: those that are needed for
            what is done with it. To sample, its networks.

    Raises:
        RunError: It is no run's folder, or has no checkpoint yet.
        UnknownName: The run was made with a network of Python that is not given.
    """
    if not isinstance(folder, str | Path):
        raise UsageError(f"{type(folder).__name__} is no folder; give the path of a run's folder")
    given = Given(Registry.of(registry))
    for kind, value in objects.items():
        if kind not in ObjectKeys.__annotations__:
            near = did_you_mean(kind, ObjectKeys.__annotations__)
            raise UsageError(
                f"load takes no {kind!r}; {near}objects are {', '.join(ObjectKeys.__annotations__)}"
            )
        for one in value if isinstance(value, list | tuple) and kind != "data" else (value,):
            if one is not None:
                given.hold(kind, one)
    opened = _opened(trained.load(folder, registry=given.registry, device=device))
    given.check_recorded(opened.recipe)
    return opened


@in_python()
def sample(
    run: trained.Run | str | Path,
    count: int = 64,
    *,
    seed: int = 0,
    truncation: float | None = None,
    label: int | str | None = None,
) -> Tensor:
    """Return samples of a run, (count, C, H, W) float32 in [0, 1] on the CPU; same seed, same.

    Args:
        run: The run, or its folder.
        count: How many.
        seed: The seed.
        truncation: The largest |z|: smaller ones give up variety for typical samples.
        label: Of a conditional generator: the class of all, by index or name; drawn without it.

    Raises:
        GentkError: There is no such run or class, or a number is none.
    """
    return run_of(run).sample(count, seed=seed, truncation=truncation, label=label)


@in_python(extractor="extractors", metric="metrics")
def evaluate(
    subject: trained.Run | str | Path,
    *,
    against: str | None = None,
    metrics: str | Sequence[str] | None = None,
    extractors: str | Sequence[str] = (),
    count: int = 5000,
    seed: int = 0,
    sanity: bool = False,
    ratio: bool = True,
    standard: bool = False,
    device: str = "auto",
    threads: int | None = None,
    registry: Registry | None = None,
    advance: Advance | None = None,
) -> Evaluation:
    """Compare samples with data; a run's values are kept in its folder, for `compare`.

    Args:
        subject: A run or its folder, a folder or npz file of images, or data by name.
        against: The reference; of a run by default the test split of its own data.
        metrics: What to compute, such as `["fd", "kid"]`; `fd` by default.
        extractors: In whose features; by default in those of one that no recipe trains on.
        count: How many samples to compare.
        seed: The seed of the samples.
        sanity: Judge real images, noise, blurred images and one repeated image too.
        ratio: Report the ratio of `fd` to that of as many real images, `fdr`.
        standard: Take the published Inception metrics instead of `metrics`.
        device: Where to compute; of a run that is open already, where it is.
        threads: CPU threads; torch's own choice without it.
        registry: Where names are looked up; by default everything installed.
        advance: Called with what is being done, the number done, and the total.

    Raises:
        GentkError: Anything unknown, missing or unfit, in one sentence.
    """
    if isinstance(subject, trained.Run):
        registry = subject.registry.refreshed() if registry is None else Registry.of(registry)
        device = str(subject.device) if device == "auto" else device
        place = str(subject.folder.path)
    elif isinstance(subject, str | Path):
        place = str(subject)
    else:
        raise UsageError(
            f"{type(subject).__name__} cannot be evaluated; give a run, a folder or data by name, or "
            "write images, uint8 (N, H, W, C), with numpy.savez('images.npz', images) and give that file"
        )
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise UsageError(f"threads is a whole number, 1 or more, not {threads!r}; drop threads")
    chosen = () if metrics is None else listed(metrics)
    if standard and chosen:
        raise UsageError("standard=True has metrics of its own; drop metrics or standard")
    plan = Plan(
        against,
        chosen or ("fd",),
        listed(extractors),
        count,
        seed,
        sanity=sanity,
        ratio=ratio,
        standard=standard,
    )
    notes: list[str] = []
    context = Context(Registry.of(registry), device, threads, notes.append, advance)
    evaluation = replace(_evaluate(place, plan, context), notes=list(map(spoken, notes)))
    append_to_run(evaluation.subject, evaluation.measurements, evaluation.steps)
    return evaluation


def places_of(runs: trained.Run | str | Path | Iterable[trained.Run | str | Path]) -> list[str]:
    """Return the folders of runs."""
    several = [runs] if isinstance(runs, (trained.Run, str, Path)) else runs
    if not isinstance(several, Iterable) or isinstance(several, Tensor):
        raise UsageError(
            f"{type(runs).__name__} is no run; give runs or their folders, as in [a, 'runs/b']"
        )
    return [str(one.folder.path if isinstance(one, trained.Run) else one) for one in several]


def run_of(run: trained.Run | str | Path) -> trained.Run:
    """Return a run that is open, or the run of a folder."""
    if isinstance(run, trained.Run):
        return run
    if not isinstance(run, str | Path):
        raise UsageError(f"{type(run).__name__} is no run; give a run or its folder")
    return load(run)


def path_of(value: str | Path, name: str) -> Path:
    """Return where something is to be written."""
    if not isinstance(value, str | Path):
        raise UsageError(f"{name} is a path, not {type(value).__name__}; give a text or a Path")
    return Path(value)


def _opened(run: trained.Run) -> Run:
    return Run(run.folder, run.registry, str(run.device))


def texts_of(keys: Mapping[str, object], recipe: str | Path | None, given: Given) -> dict[str, Any]:
    """Return keys as a recipe has them; a run is its folder."""
    values = {
        key: value.folder.path if isinstance(value, trained.Run) else value
        for key, value in keys.items()
    }
    return given.keys(values, table_of(_word(recipe), given.registry)[1])


def _word(value: str | Path | None) -> str | None:
    return None if value is None else str(value)


def listed(texts: str | Sequence[str]) -> tuple[str, ...]:
    """Return one text or several as several."""
    if not isinstance(texts, Iterable):
        raise UsageError(
            f"{type(texts).__name__} names nothing; give a name, or a list of names, such as ['fd']"
        )
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _text(value: object) -> str:
    """Write a value of a recipe or of a result as people read it."""
    if isinstance(value, tuple):
        return " + ".join(map(_text, value))
    if isinstance(value, float):
        return f"{value:.5g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
