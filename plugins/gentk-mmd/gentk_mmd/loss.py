"""The maximum mean discrepancy as a loss.

    D(data, model) = MMD^2,  or sqrt(max(MMD^2, 0))

between the features of a batch of data and those of a batch of samples, with any of the kernels,
biased or unbiased, all layers side by side or summed over layers. With explicit features phi
(`features=rff+1024`)

    D(data, model) = |mean phi(data) - mean phi(model)|^2

compares with all of the data, and the estimators of means can track it. Both sides are projected, so a
generator finds what phi does not see. With `hybrid=true` only the attraction is:

    D = mean_ij k(g_i, g_j) - 2 mean_i sum_m a_m k(g_i, z_m) + a' K_zz a,    a = (K_zz + 1e-6)^-1
    mean_data k(z, r)

repulsion is exact within the batch, and the attraction is to all of the data, by landmarks z, the
centres of k-means. With `pairs=linear` each sample meets one of the data and its neighbour in the
batch: cheap and noisy, unbiased.

GMMN as released is `mmd,convention=gmmn,sqrt=true`; MMD GAN's rq* is
`mmd,kernel=rational-quadratic-dot,unbiased=true`.

Sources: iRDM, arXiv:2607.02375 (hybrid); A. Gretton et al., "A Kernel Two-Sample Test", JMLR 2012,
section 6, and TBSM, arXiv:2607.18198 (linear); Y. Li, K. Swersky, R. Zemel, "Generative Moment
Matching Networks", ICML 2015, arXiv:1502.02761, and its released code.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import torch
from torch import Tensor

from gentk.errors import Incompatible
from gentk.interfaces import Features, MatchingLoss, StatisticKind, Statistics
from gentk.precision import widest
from gentk.seed import check_seed
from gentk.summary import MomentSums, Samples, Summary, pooled

from .choice import MEDIAN_OF, KernelChoice
from .discrepancy import mean_paired, mmd2
from .explicit import FeatureMap, parse_features
from .hybrid import CLUSTERED, LandmarkKernels, attraction, centres
from .kernels import ALPHAS, BANDWIDTHS, Convention, Kernel, KernelName
from .nystrom import NystromFeatures
from .rff import FourierFeatures
from .witness import witness

__all__ = ["MMDLoss"]


class MMDLoss(MatchingLoss):
    """MMD^2 under a kernel, as the module's formulas say.

    Args:
        kernel: `gaussian`, `rational-quadratic` (rq), `rational-quadratic-dot` (rq*), `laplacian`,
            `energy`, `dot` or `polynomial`; see `gentk_mmd.kernels`.
        bandwidths: Of a Gaussian or Laplacian mixture, joined with +; `median` takes one, the median
            distance of 1,000 images of the data.
        convention: `standard` averages exp(-d^2 / (2 s^2)) over bandwidths; `gmmn` sums
            exp(-d^2 / (2 s)).
        alphas: Exponents of the rational quadratic kernels, which are summed.
        unbiased: Leave out pairs of a sample with itself; may be negative.
        sqrt: Minimise the root, whose gradient does not shrink with the loss.
        layers: `joint` takes all layers as one vector; `each` sums the MMD^2 of every layer.
        pool: `none` takes every position as a feature of its own; `mean` averages over positions.
        features: `rff+NUMBER` or `nystrom+NUMBER` explicit features (with layers=each, of every layer).
        hybrid: With nystrom: exact repulsion between samples, explicit features for the attraction only,
            and landmarks that are the centres of k-means, of ten images each, rather than images. With
            many features it takes long, and the memory of all of them several times: pool=mean has few.
        pairs: `all`, or `linear`: mean k(x_i, x_i+1) + k(y_i, y_i+1) - 2 k(x_i, y_i), as many terms as
            samples.
        seed: Of the explicit features' random numbers.
    """

    def __init__(
        self,
        *,
        kernel: KernelName = "gaussian",
        bandwidths: tuple[float, ...] | tuple[str, ...] = BANDWIDTHS,
        convention: Convention = "standard",
        alphas: tuple[float, ...] = ALPHAS,
        unbiased: bool = False,
        sqrt: bool = False,
        layers: Literal["joint", "each"] = "joint",
        pool: Literal["none", "mean"] = "none",
        features: tuple[str, ...] | None = None,
        hybrid: bool = False,
        pairs: Literal["all", "linear"] = "all",
        seed: int = 0,
    ) -> None:
        check_seed(seed, "loss 'mmd': seed")
        self.choice = KernelChoice("loss 'mmd'", kernel, bandwidths, convention, alphas)
        self.explicit = None if features is None else parse_features(features)
        if unbiased and sqrt:
            raise Incompatible(
                "loss 'mmd': unbiased=true may be negative and has no root; leave sqrt=true out"
            )
        if unbiased and self.explicit:
            raise Incompatible(
                "loss 'mmd': explicit features give the biased form only; leave unbiased=true or "
                "features out"
            )
        self._check_explicit()
        if hybrid and (not self.explicit or self.explicit[0] != "nystrom"):
            raise Incompatible(
                "loss 'mmd': hybrid=true is of landmarks; write features=nystrom+512,hybrid=true"
            )
        if pairs == "linear" and (self.explicit or unbiased):
            raise Incompatible(
                "loss 'mmd': pairs=linear is of samples as they are, and unbiased as it is; leave "
                "features and unbiased out"
            )
        self.hybrid = hybrid
        self.pairs = pairs
        self.unbiased = unbiased
        self.sqrt = sqrt
        self.layers = layers
        self.pool = pool
        self.seed = seed
        self.compares_means = self.explicit is not None and not hybrid
        self.summary = MomentSums if self.compares_means else Samples  # type: ignore[misc]
        landmarks = self.explicit[1] if self.explicit and self.explicit[0] == "nystrom" else 0
        shown = CLUSTERED * landmarks if hybrid else landmarks
        self.preparation = max(shown, MEDIAN_OF if self.choice.median else 0)
        self.landmarks: list[Tensor] = []
        self.sets: list[tuple[float, ...]] = []
        self.maps: list[FeatureMap] = []

    def _check_explicit(self) -> None:
        """Refuse explicit features that the kernel does not have."""
        form = self.explicit[0] if self.explicit else None
        if form == "rff" and self.choice.name not in ("gaussian", "laplacian"):
            raise Incompatible(
                f"loss 'mmd': features=rff are of kernel=gaussian and kernel=laplacian, not of "
                f"{self.choice.name}; write features=nystrom+512"
            )
        if form == "nystrom" and self.choice.name == "energy":
            raise Incompatible(
                "loss 'mmd': kernel=energy is not positive definite and has no nystrom features; "
                "write kernel=laplacian"
            )
        if form == "rff" and not self.choice.median:
            self._fourier(self.choice.bandwidths, 0, 0)

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `samples`; with explicit features `mean`, which is `real`."""
        return {"mean": "real"} if self.compares_means else {"samples": "samples"}

    @property
    def data_summary(self) -> type[Summary]:
        """The class of the summaries it makes of the data: sums of explicit features, if there are
        any.
        """
        return MomentSums if self.explicit else Samples

    def prepare(self, features: Features) -> None:
        """Fix the median bandwidth and the landmarks.

        Raises:
            Incompatible: There are fewer images than landmarks.
        """
        if not self.preparation:
            return
        sets = [rows.detach() for rows in self._rows(features).values()]
        self.sets = [self.choice.settle(rows) for rows in sets]
        self.maps = []
        if not self.explicit or self.explicit[0] != "nystrom":
            return
        count, wanted = len(sets[0]), self.explicit[1]
        if count < wanted:
            raise Incompatible(
                f"loss 'mmd': features=nystrom+{wanted} needs as many images, the data has {count}; "
                f"write features=nystrom+{count}"
            )
        if self.hybrid:
            self.landmarks = [centres(rows, wanted, self.seed) for rows in sets]
            return
        draw = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(count, generator=draw)[:wanted]
        self.landmarks = [rows[chosen.to(rows.device)] for rows in sets]

    def summarise(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Summary:
        """Return the samples of one chunk, or the sums of their explicit features."""
        if not self.compares_means:
            return Samples.of(pooled(features) if self.pool == "mean" else features)
        return self._explicit(features, like)

    def summarise_data(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Summary:
        """Return the same of the data; in the hybrid form the sums of k(z, r)."""
        return self._explicit(features, like) if self.hybrid else self.summarise(features, like)

    def _explicit(self, features: Features, like: Summary | None) -> MomentSums:
        """Return the sums of explicit features, of each set of rows."""
        rows = self._rows(features)
        maps = self._maps(len(rows))
        explicit = {name: phi(value) for (name, value), phi in zip(rows.items(), maps, strict=True)}
        return MomentSums.of(explicit, "none", like)

    def statistics(self, summary: Summary) -> Statistics:
        """Return `samples` (N, D), as they are, or `mean` (m,), float64."""
        if isinstance(summary, MomentSums):
            return {"mean": summary.mean()}
        assert isinstance(summary, Samples)
        return {"samples": summary.rows}

    def reference(self, summary: Summary) -> Statistics:
        """Return the data's statistics and, for layers=each, the `sizes` of the layers (int64, CPU).

        In the hybrid form `samples` are the landmarks, one a row, and `weights` (sets, M) theirs.
        """
        if self.hybrid:
            assert isinstance(summary, MomentSums)
            means = summary.mean().split([size for _, size in summary.layout])
            maps = self._maps(len(means))
            weights = [attraction(m, own) for m, own in zip(means, maps, strict=True)]
            # Beside the samples they are compared with, in the widest type there is.
            landmarks = [rows.to(widest(rows.device)) for rows in self.landmarks]
            return {
                "samples": torch.cat(landmarks, dim=1),
                "weights": torch.stack(weights),
                "sizes": torch.tensor([rows.shape[1] for rows in self.landmarks]),
            }
        data = self.statistics(summary)
        if self.layers == "each" and isinstance(summary, Samples):
            data["sizes"] = torch.tensor(summary.sizes)
        return data

    def forward(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return the term `mmd`, a float64 scalar."""
        if self.compares_means:
            gap = data["mean"] - model["mean"]
            value = gap.dot(gap)
        else:
            value = self._compare(data, model)
        return {"mmd": _root(value) if self.sqrt else value}

    def witness(self, features: Features, data: Statistics, model: Statistics) -> Tensor:
        """Return f(x) = mean k(x, data) - mean k(x, model) at each x, (N,), summed over layers if so
        asked; the root, if that is minimised, has no part in it.
        """
        if self.explicit:
            raise Incompatible(
                "loss 'mmd': explicit features have no witness that is differentiated twice; leave "
                "features out"
            )
        points = Samples.of(pooled(features) if self.pool == "mean" else features)
        sizes = points.sizes if self.layers == "each" else [points.rows.shape[1]]
        sets = zip(
            points.rows.split(sizes, dim=1),
            data["samples"].split(sizes, dim=1),
            model["samples"].split(sizes, dim=1),
            self._kernels(len(sizes)),
            strict=True,
        )
        parts = [
            witness(
                x,
                ours,
                theirs,
                kernel,
                data_weights=data.get("weights"),
                model_weights=model.get("weights"),
            )
            for x, ours, theirs, kernel in sets
        ]
        return torch.stack(parts).sum(0)

    def fingerprint(self) -> str:
        """Return the options that decide what is summarised and, once prepared, what was prepared."""
        if not self.explicit:
            return f"samples-1 pool={self.pool}"
        form, number = self.explicit
        form = f"hybrid {form}" if self.hybrid else form
        text = (
            f"mmd-1 {self.choice} layers={self.layers} pool={self.pool} features={form}+{number} "
            f"seed={self.seed}"
        )
        if not self.preparation or not self.sets:
            return text
        digest = hashlib.sha256(repr(self.sets).encode())
        for rows in self.landmarks:
            digest.update(rows.cpu().double().numpy().tobytes())
        return f"{text} prepared={digest.hexdigest()[:16]}"

    def _compare(self, data: Statistics, model: Statistics) -> Tensor:
        """Return MMD^2 of two sets of samples, summed over layers if so asked."""
        sizes = data["sizes"].tolist() if self.layers == "each" else [data["samples"].shape[1]]
        kernels = self._kernels(len(sizes))
        parts = zip(
            model["samples"].split(sizes, dim=1),
            data["samples"].split(sizes, dim=1),
            kernels,
            strict=True,
        )
        if self.pairs == "linear":
            values = [_linear(ours, theirs, kernel) for ours, theirs, kernel in parts]
            return torch.stack(values).sum()
        weights = data.get("weights")
        each = iter([None] * len(sizes) if weights is None else weights)
        values = [
            mmd2(
                ours,
                theirs,
                kernel,
                x_weights=model.get("weights"),
                y_weights=next(each),
                unbiased=self.unbiased,
                constant=len(model.get("past", ())),
            )
            for ours, theirs, kernel in parts
        ]
        return values[0] if len(values) == 1 else torch.stack(values).sum()

    def _rows(self, features: Features) -> dict[str, Tensor]:
        """Return the rows that are compared as one: of each layer, or of all side by side."""
        samples = Samples.of(pooled(features) if self.pool == "mean" else features)
        if self.layers == "joint":
            return {"features": samples.rows}
        parts = samples.rows.split(samples.sizes, dim=1)
        return {name: part for (name, _), part in zip(samples.layout, parts, strict=True)}

    def _bandwidths(self, count: int) -> list[tuple[float, ...]]:
        """Return the bandwidths of each of `count` sets of rows."""
        if len(self.sets) != count:
            self.sets = [self.choice.settle()] * count
        return self.sets

    def _kernels(self, count: int) -> list[Kernel]:
        """Return the kernel of each of `count` sets of rows."""
        return [self.choice.kernel(bandwidths) for bandwidths in self._bandwidths(count)]

    def _maps(self, count: int) -> list[FeatureMap]:
        """Return phi of each of `count` sets of rows, made once."""
        if len(self.maps) != count:
            self.maps = [
                self._map(bandwidths, index)
                for index, bandwidths in enumerate(self._bandwidths(count))
            ]
        return self.maps

    def _map(self, bandwidths: tuple[float, ...], index: int) -> FeatureMap:
        """Return phi of one set of rows."""
        assert self.explicit is not None
        if self.explicit[0] == "rff":
            return self._fourier(bandwidths, index, self.seed)
        if not self.landmarks:
            raise ValueError("nystrom features need landmarks; call prepare first")
        kernel = self.choice.kernel(bandwidths)
        if self.hybrid:
            return LandmarkKernels(self.landmarks[index], kernel)
        return NystromFeatures(self.landmarks[index], kernel)

    def _fourier(self, bandwidths: tuple[float, ...], index: int, seed: int) -> FourierFeatures:
        """Return the random Fourier features of one set of rows; other numbers for each."""
        assert self.explicit is not None
        return FourierFeatures(
            bandwidths,
            self.choice.convention,
            laplacian=self.choice.name == "laplacian",
            number=self.explicit[1],
            seed=seed + index,
        )


def _linear(x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
    """Return mean k(x_i, x_i+1) + mean k(y_i, y_i+1) - 2 mean k(x_i, y_i), over as many as both have."""
    count = min(len(x), len(y))
    x, y = x[-count:], y[-count:].to(x)
    own = mean_paired(x, x.roll(1, 0), kernel) + mean_paired(y, y.roll(1, 0), kernel)
    return own - 2 * mean_paired(x, y, kernel)


def _root(value: Tensor) -> Tensor:
    """Return sqrt(max(value, 0)) with a gradient that is finite at 0."""
    root: Tensor = _Root.apply(value)
    return root


class _Root(torch.autograd.Function):
    """sqrt(max(L, 0)) with the gradient g / (2 sqrt(L) + 1e-10), as GMMN's code has it."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        root = value.clamp(min=0).sqrt()
        ctx.save_for_backward(root)
        return root

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        root: Tensor = ctx.saved_tensors[0]
        return grads[0] / (2 * root + 1e-10)
