"""The uncertainty of mean errors and of their differences: bootstrap over persons and seeds.

Another person, or another training, gives another mean error. The bootstrap draws both at random many times
to measure this variation: whole persons, because the errors of one person's eyes are alike (the cluster
bootstrap; Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8), and seeds if
there are several (persons and seeds crossed: Owen, The pigeonhole bootstrap, 2007). Of n persons or seeds it
draws n - 1, which makes the variance unbiased (Rao and Wu, Resampling inference with complex survey data,
1988).

Tests have few persons, and percentiles of a bootstrap over few persons are far too narrow: with 3 persons
they contain the true mean in about 75 of 100 cases instead of 95. The interval is therefore the mean plus
and minus the bootstrap's standard error times a quantile of Student's t (Hesterberg, What teachers should
know about the bootstrap, 2015), with Satterthwaite's degrees of freedom from the variances of persons and of
seeds. With few persons it is wide, and it assumes that the persons' mean errors are about normally
distributed, which 3 persons cannot show. No test can do better: flipping the signs of 3 persons' differences
never gives p < 0.25.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fpgan.evaluation.estimates import Estimates, check_same_eyes

DRAWS = 1000  # enough to know their standard deviation, the only use of them, to 2 %
DRAWN_AT_ONCE = 1 << 20  # persons or eyes; more exceed the processor's cache
NEGLIGIBLE = 0.005  # degrees: a smaller difference is not visible in two decimals
FEW = 6  # persons: with fewer, a sign test, which assumes no distribution, never finds p < 0.05
MOST = 180.0  # degrees: the largest possible angular error, and difference of two

Over = Literal["persons", "eyes"]
Array = NDArray[np.float64]


class Interval(NamedTuple):
    """A confidence interval for the mean error of other persons and trainings."""

    low: float
    """Degrees."""
    high: float
    """Degrees."""
    over: Over
    """What was drawn at random besides seeds; eyes if there is one person, who says nothing about others."""


class PairedDifference(NamedTuple):
    """The difference between two estimators on the same eyes."""

    difference: float
    """Mean error minus the other's, in degrees: negative if it is smaller."""
    low: float
    """Lower end of the difference's interval, in degrees."""
    high: float
    """Upper end, in degrees."""
    p: float
    """Probability of a difference at least as large, in either direction, between equal estimators."""
    improved: int
    """Number of persons with a lower mean error."""
    persons: int
    over: Over
    """What was drawn at random, as in `Interval`."""
    seeds: tuple[int, int]
    """Number of seeds of both estimators. The noise of training is included only with several seeds."""

    @property
    def more_than_noise(self) -> bool:
        """Whether the interval excludes 0 and the difference is visible in two decimals."""
        return abs(self.difference) >= NEGLIGIBLE and not self.low <= 0 <= self.high

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        lower = self.difference < 0
        low, high = (-self.high, -self.low) if lower else (self.low, self.high)
        interval = f"({low:z.2f} to {high:z.2f})"
        if abs(self.difference) < NEGLIGIBLE:
            return f"the same to two decimals {interval}"
        start = f"{'lower' if lower else 'higher'} by {abs(self.difference):.2f} degrees"
        more = "more" if self.more_than_noise else "no more"
        persons = f"; lower for {self.improved} of {self.persons} persons" if self.over == "persons" else ""
        return f"{start} {interval}, {more} than noise{persons}"

    @property
    def caveats(self) -> list[str]:
        """Limits of the outcome, in sentences."""
        sentences = []
        if self.over == "eyes":
            sentences.append("One person says nothing about others.")
        elif self.persons < FEW:
            sentences.append("So few persons prove this only if persons' errors are normally distributed.")
        if max(self.seeds) == 1:  # a constant estimate has one seed and no noise of training
            sentences.append("With a single seed the noise of training is not included.")
        return sentences


class _Noise(NamedTuple):
    """The variation of a mean error, or of a difference of two."""

    standard_error: float
    freedom: float
    """Degrees of freedom of the standard error."""

    def reach(self, level: float) -> float:
        """Half the width of the interval."""
        return float(self.standard_error * stats.t.ppf((1 + level) / 2, self.freedom))

    def p(self, difference: float) -> float:
        """Probability of a difference at least as large, in either direction, if the true difference is 0."""
        if not self.standard_error:
            return float(difference == 0)
        return float(2 * stats.t.sf(abs(difference) / self.standard_error, self.freedom))


def mean_interval(estimates: Estimates, level: float = 0.95) -> Interval:
    """Interval of the mean error over persons and seeds; with a single person, over that person's eyes.

    With a single eye it is 0 to 180 degrees. With one seed it leaves out the noise of training: it is the
    interval of these very networks on other persons.
    """
    groups, over = _groups(estimates)
    reach = _noise([_sums(estimates, groups)], np.bincount(groups)).reach(level)
    return Interval(max(estimates.mean - reach, 0.0), min(estimates.mean + reach, MOST), over)


def compare(estimates: Estimates, other: Estimates, level: float = 0.95) -> PairedDifference:
    """The difference of an estimator from another: both get the same persons, and seeds drawn independently.

    Two estimators that share networks vary together; this is not used, so their interval is rather too wide.
    Raises InputError, naming the difference, when they were not tested on the same eyes.
    """
    check_same_eyes(estimates, other)
    groups, over = _groups(estimates)
    noise = _noise([_sums(estimates, groups), -_sums(other, groups)], np.bincount(groups))
    difference, reach = estimates.mean - other.mean, noise.reach(level)
    theirs = other.by_person()
    return PairedDifference(
        difference,
        max(difference - reach, -MOST),
        min(difference + reach, MOST),
        noise.p(difference),
        sum(mean < theirs[person] for person, mean in estimates.by_person().items()),
        len(theirs),
        over,
        (estimates.seeds, other.seeds),
    )


def _groups(estimates: Estimates) -> tuple[NDArray[np.int64], Over]:
    """(N,) the index of each eye's person, or, with one person, of the eye itself."""
    names, numbers = np.unique(estimates.person, return_inverse=True)
    return (numbers, "persons") if len(names) > 1 else (np.arange(len(numbers)), "eyes")


def _sums(estimates: Estimates, groups: NDArray[np.int64]) -> Array:
    """Sums of errors over the eyes of each group, (seeds, groups)."""
    return np.stack([np.bincount(groups, errors) for errors in estimates.errors])


def _noise(systems: list[Array], sizes: NDArray[np.int64]) -> _Noise:
    """The noise of the sum of several systems' mean errors, from their sums of errors (seeds, groups).

    `sizes` (groups,) are the numbers of eyes in the groups.
    """
    count = len(sizes)
    if count == 1:
        return _Noise(np.inf, 1)
    # Sorted by the errors alone, so that the outcome does not depend on the order or names of persons.
    order = np.lexsort(np.concatenate([*systems, sizes[None]]))
    systems, sizes = [sums[:, order] for sums in systems], sizes[order]
    random = np.random.default_rng(0)
    chosen = [random.integers(len(sums), size=(DRAWS, max(len(sums) - 1, 1))) for sums in systems]
    both, groups_only = np.zeros(DRAWS), np.zeros(DRAWS)
    step = max(DRAWN_AT_ONCE // count, 1)
    for draws in (slice(start, min(start + step, DRAWS)) for start in range(0, DRAWS, step)):
        rows = random.integers(count, size=(draws.stop - draws.start, count - 1), dtype=np.int32)
        eyes = sizes[rows].sum(axis=1)
        for sums, seeds in zip(systems, chosen, strict=True):
            means = np.stack([of_seed[rows].sum(axis=1) for of_seed in sums], axis=1) / eyes[:, None]
            both[draws] += np.take_along_axis(means, seeds[draws], axis=1).mean(axis=1)
            groups_only[draws] += means.mean(axis=1)
    parts = [(groups_only.var(), count - 1)]
    for sums, seeds in zip(systems, chosen, strict=True):
        if len(sums) > 1:
            seeds_only = (sums.sum(axis=1) / sizes.sum())[seeds].mean(axis=1)
            parts.append((seeds_only.var(), len(sums) - 1))
    total = sum(variance for variance, _ in parts)
    freedom = total**2 / sum(variance**2 / free for variance, free in parts) if total else count - 1
    return _Noise(float(both.std()), float(freedom))
