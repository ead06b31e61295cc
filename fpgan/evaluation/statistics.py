"""How sure mean errors and their differences are: bootstrap over persons and seeds.

A new person, or a new training, gives another mean error. Both are drawn at random here, as many times as
it takes to see by how much: whole persons, since the eyes of one person err alike (the cluster bootstrap;
Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8), and seeds where there are
several (persons and seeds crossed: Owen, The pigeonhole bootstrap, 2007). Of n persons or seeds n - 1 are
drawn, which makes the variance unbiased (Rao and Wu, Resampling inference with complex survey data, 1988).

Tests have few persons, and percentiles of a bootstrap over few persons are far too narrow: with 3 persons
they hold the true mean not in 95 but in some 75 of 100 cases. So the interval is the mean plus and minus the
bootstrap's standard error times a quantile of Student's t (Hesterberg, What teachers should know about the
bootstrap, 2015), with Satterthwaite's degrees of freedom from the variances of persons and of seeds. With few
persons it is wide, and it rests on the persons' mean errors being about normally distributed, which 3 persons
cannot show. No test can do better: flipping the signs of 3 persons' differences never gives p < 0.25.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fpgan.evaluation.estimates import Estimates, check_same_eyes

DRAWS = 1000  # their standard deviation, which is all that is used of them, is known to 2 %
DRAWN_AT_ONCE = 1 << 20  # persons or eyes; more do not fit into the processor's cache
NEGLIGIBLE = 0.005  # degrees: what two decimals do not show is no difference
FEW = 6  # persons: of fewer, a test of signs, which assumes nothing, never finds p < 0.05
MOST = 180.0  # degrees: no angular error, and no difference of two, is larger

Over = Literal["persons", "eyes"]
Array = NDArray[np.float64]


class Interval(NamedTuple):
    """Where the mean error of other persons and trainings lies."""

    low: float
    """Degrees."""
    high: float
    """Degrees."""
    over: Over
    """What was drawn at random, beside seeds; eyes of a single person say nothing of other persons."""


class PairedDifference(NamedTuple):
    """One estimator against another on the same eyes."""

    difference: float
    """Mean error less the other's, degrees: negative when it errs less."""
    low: float
    """Degrees; of the difference's interval."""
    high: float
    """Degrees."""
    p: float
    """Of a difference as large between two estimators that are alike, in either direction."""
    improved: int
    """Persons with a lower mean error."""
    persons: int
    over: Over
    """As in `Interval`."""
    seeds: tuple[int, int]
    """Of both estimators. The noise of training is counted only where there are several."""

    @property
    def more_than_noise(self) -> bool:
        """Whether the interval leaves out 0, and the difference can be seen at all."""
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
        """What the outcome rests on, in sentences."""
        sentences = []
        if self.over == "eyes":
            sentences.append("One person says nothing of others.")
        elif self.persons < FEW:
            sentences.append("So few persons tell only if persons' errors are normally distributed.")
        if max(self.seeds) == 1:  # a constant answer is of a single seed, and has no such noise
            sentences.append("With a single seed the noise of training is not counted.")
        return sentences


class _Noise(NamedTuple):
    """How much a mean error, or a difference of two, varies."""

    standard_error: float
    freedom: float
    """Degrees of freedom of the standard error."""

    def reach(self, level: float) -> float:
        """How far the interval goes to either side."""
        return float(self.standard_error * stats.t.ppf((1 + level) / 2, self.freedom))

    def p(self, difference: float) -> float:
        """Of a difference as large, in either direction, where there is none."""
        if not self.standard_error:
            return float(difference == 0)
        return float(2 * stats.t.sf(abs(difference) / self.standard_error, self.freedom))


def mean_interval(estimates: Estimates, level: float = 0.95) -> Interval:
    """Interval of the mean error over persons and seeds; with a single person over its eyes.

    With a single eye it is everything from 0 to 180 degrees. With one seed the noise of training is not in
    it: it is the interval of these very networks on other persons.
    """
    groups, over = _groups(estimates)
    reach = _noise([_sums(estimates, groups)], np.bincount(groups)).reach(level)
    return Interval(max(estimates.mean - reach, 0.0), min(estimates.mean + reach, MOST), over)


def compare(estimates: Estimates, other: Estimates, level: float = 0.95) -> PairedDifference:
    """How an estimator differs from another: the same persons are drawn for both, seeds for each its own.

    Two estimators that share a seed's network differ less by chance than two that do not; that is not made
    use of, so their interval is rather too wide. Raises InputError, saying what differs, when they were not
    tested on the same eyes.
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
    """The number (N,) of the person each eye belongs to, or, with one person, of the eye."""
    names, numbers = np.unique(estimates.person, return_inverse=True)
    return (numbers, "persons") if len(names) > 1 else (np.arange(len(numbers)), "eyes")


def _sums(estimates: Estimates, groups: NDArray[np.int64]) -> Array:
    """Sums of errors (seeds, groups)."""
    return np.stack([np.bincount(groups, errors) for errors in estimates.errors])


def _noise(systems: list[Array], sizes: NDArray[np.int64]) -> _Noise:
    """The noise of the sum of several systems' means, from their sums of errors (seeds, groups).

    `sizes` are the eyes (groups,) in each group.
    """
    count = len(sizes)
    if count == 1:
        return _Noise(np.inf, 1)
    # In an order that depends on nothing but the errors, so that neither does the outcome.
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
