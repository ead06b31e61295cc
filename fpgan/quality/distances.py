"""Distances between two sets of features, (N, D) and (M, D)."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

PROJECTIONS = 128

Features = NDArray[np.floating]


def sliced_wasserstein_distance(
    a: Features, b: Features, *, seed: int = 0, projections: int = PROJECTIONS
) -> float:
    """The mean 1-Wasserstein distance of projections onto random directions, in units of the features.

    Rabin, Peyré, Delon, Bernot, SSVM 2011. The sets may differ in length.
    """
    directions = np.random.default_rng(seed).normal(size=(projections, a.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    projected = zip(directions @ a.T, directions @ b.T, strict=True)
    return float(np.mean([wasserstein_distance(x, y) for x, y in projected]))


def frechet_distance(a: Features, b: Features) -> float:
    """The Fréchet distance of the normal distributions fitted to both, in squared units of the features:
    |m - m'|² + tr(C + C' - 2 (C C')^½), of means m and covariances C.

    Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, NIPS 2017. It is larger for smaller sets, so only
    distances between sets of equal lengths can be compared.
    """
    shift = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    root_a, root_b = _covariance_root(a), _covariance_root(b)
    # With C = R'R, the trace of (C C')^½ is the sum of the singular values of a product of roots. It can be
    # computed for singular covariances too, unlike the eigenvalues of C C'.
    overlap = np.linalg.norm(root_a @ root_b.T, "nuc")
    squares = sum(float(np.square(part).sum()) for part in (shift, root_a, root_b))
    return max(0.0, squares - 2 * float(overlap))  # rounding


def kernel_distance(a: Features, b: Features) -> float:
    """The squared maximum mean discrepancy under the cubic kernel (x·y / D + 1)³.

    The kernel inception distance of Bińkowski, Sutherland, Arbel, Gretton, ICLR 2018. It is unbiased for
    sets of any length: for sets of the same distribution its mean is 0, so it may be negative.
    """
    return _mean_between_different(a) + _mean_between_different(b) - 2 * float(_kernel(a, b).mean())


def _covariance_root(features: Features) -> Features:
    """A matrix R such that R'R is the covariance."""
    centred = features - features.mean(axis=0, dtype=np.float64)
    return np.linalg.qr(centred / np.sqrt(len(features) - 1)).R


def _kernel(a: Features, b: Features) -> Features:
    return np.asarray((a.astype(np.float64) @ b.T / a.shape[1] + 1) ** 3)


def _mean_between_different(features: Features) -> float:
    """The mean kernel of two different rows."""
    kernel, count = _kernel(features, features), len(features)
    return float((kernel.sum() - kernel.trace()) / (count * (count - 1)))
