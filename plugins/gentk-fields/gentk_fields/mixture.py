"""Mixtures of Gaussians: fitted to data, and shared among samples by mass.

p = sum_k pi_k N(m_k, S_k) is fitted by EM (scikit-learn, from k-means). N samples are then shared among
the components so that each gets what is its own,

    a = argmin <a, c> - H(a),    c_ik = -log pi_k N(z_i; m_k, S_k),
    sum_k a_ik = 1,    sum_i a_ik = N pi_k,

which is a posterior a_ik ~ u_k pi_k N(z_i; m_k, S_k) with factors u_k that make the masses right: all 1
where the samples are the data's, so that moments of shared samples are those of the components. Where
components are many deviations apart, as in hundreds of features, it is the plan of least cost, which
gives samples whole to one component but for a few. A posterior without masses leaves components without
samples, for good.

Source: "MGFlow", 2026, arXiv:2609.35763, which finds the plan of least cost by a linear programme on the
host; the masses are found here in the log domain, at temperatures that fall to 1, on the device.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from gentk.errors import Incompatible
from gentk.precision import double
from gentk.summary import check_finite, check_tensors

__all__ = ["Mixture", "balanced", "component_moments", "fit"]

FLOOR = 1e-4
"""What is added to variances in densities, as a share of the features' mean variance."""

ROUNDS, TOLERANCE = 50, 1e-3
"""The most rounds of EM, and the gain in mean log-likelihood that ends them."""

LEVELS, SWEEPS = 14, 8
"""How often the temperature is halved, and how often masses are set at each."""


@dataclass(frozen=True)
class Mixture:
    """K Gaussians of D features, float64.

    Attributes:
        weights: pi, (K,).
        means: m, (K, D).
        covariances: S, (K, D, D), or variances (K, D).
        roots: R with R R^T = (S + floor)^-1, (K, D, D), or (K, D).
        smallest: The least of pi.
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor
    roots: Tensor
    smallest: float

    def costs(self, z: Tensor) -> Tensor:
        """Return -log pi_k N(z_i; m_k, S_k + floor) but for a constant, (N, K) float64.

        Args:
            z: (N, D).
        """
        gaps = double(z)[None] - self.means[:, None]
        if self.roots.dim() == 2:
            squares = (gaps * self.roots[:, None]).square().sum(-1)
            sizes = self.roots.log().sum(-1)
        else:
            squares = torch.bmm(gaps, self.roots).square().sum(-1)
            sizes = self.roots.diagonal(dim1=1, dim2=2).log().sum(-1)
        return (squares / 2).T - sizes - self.weights.log()

    def shares(self, z: Tensor) -> Tensor:
        """Return the share of each component in each sample, (N, K) float64; rows add up to 1."""
        return balanced(self.costs(z), self.weights)


@torch.no_grad()
def fit(rows: Tensor, components: int, *, diagonal: bool = False, seed: int = 0) -> Mixture:
    """Fit a mixture of Gaussians by EM.

    Args:
        rows: (N, D).
        components: K.
        diagonal: Whether covariances are diagonal.
        seed: Of k-means, which it starts from.

    Raises:
        Incompatible: There are fewer than two different samples for each component.
    """
    check_tensors("fit", {"N": 2}, rows=(rows, "N D"))
    check_finite("fit", rows=rows)
    # Imported here: it takes a second, and few runs need it.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    wide = double(rows)
    different = len(torch.unique(rows, dim=0)) if len(rows) < 1000 else len(rows)
    if different < 2 * components:
        raise Incompatible(
            f"a mixture of {components} components is fitted to two different samples of each or more, "
            f"here are {different}; write components={max(1, different // 2)}, or add data"
        )
    floor = FLOOR * float(wide.var(0).mean()) + 1e-12
    em = GaussianMixture(
        components,
        covariance_type="diag" if diagonal else "full",
        reg_covar=floor,
        tol=TOLERANCE,
        max_iter=ROUNDS,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        em.fit(wide.cpu().numpy())
    posterior = torch.from_numpy(em.predict_proba(wide.cpu().numpy())).to(wide)
    # Moments as those of a batch are taken, without the floor, which densities alone have.
    means, covariances = component_moments(wide, posterior, diagonal=diagonal)
    weights, roots = (torch.from_numpy(x).to(wide) for x in (em.weights_, em.precisions_cholesky_))
    return Mixture(weights, means, covariances, roots, float(em.weights_.min()))


def component_moments(
    z: Tensor, shares: Tensor, *, diagonal: bool = False
) -> tuple[Tensor, Tensor]:
    """Return weighted means (K, D) and covariances (K, D, D) or variances (K, D), float64.

    Covariances are unbiased for weights that do not depend on the samples: divided by w - sum a^2 / w, w
    the sum of a component's shares.

    Args:
        z: (N, D).
        shares: a, (N, K).
        diagonal: Whether variances are enough.
    """
    check_tensors("component_moments", z=(z, "N D"), shares=(shares, "N K"))
    wide, a = double(z), double(shares)
    mass = a.sum(0)
    means = (a.T @ wide) / mass[:, None]
    divisors = (mass - a.square().sum(0) / mass).clamp(min=1e-9)
    gaps = wide[None] - means[:, None]
    weighted = gaps * (a.T / divisors[:, None])[:, :, None]
    if diagonal:
        return means, (weighted * gaps).sum(1)
    return means, torch.bmm(weighted.transpose(1, 2), gaps)


def balanced(costs: Tensor, weights: Tensor) -> Tensor:
    """Return shares a (N, K) of least <a, c> - H(a); rows add up to 1, columns to N pi, or nearly so:
    where costs are thousands apart, but for a sample.

    Args:
        costs: c, (N, K).
        weights: pi, (K,).
    """
    check_tensors("balanced", costs=(costs, "N K"), weights=(weights, "K"))
    masses = weights.log() + math.log(len(costs))
    spread = (costs.amax(1) - costs.amin(1)).mean()
    prices = torch.zeros_like(weights)
    for level in range(LEVELS + 1):
        # The last ones are at 1, whatever the spread: decided on the device.
        temperature = (spread * 0.5**level).clamp(min=1) if level < LEVELS else spread.new_ones(())
        for _ in range(SWEEPS):
            shares = ((prices - costs) / temperature).log_softmax(1)
            prices = prices + temperature * (masses - shares.logsumexp(0))
    result: Tensor = (prices - costs).softmax(1)
    return result
