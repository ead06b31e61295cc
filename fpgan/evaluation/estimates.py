"""Angular errors of gaze estimates, in degrees, over several trainings of one estimator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpgan.data.eyes import Eyes
from fpgan.data.gaze import angles_to_vectors, angular_error, vectors_to_angles
from fpgan.errors import InputError
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.inference import estimate_gaze

Array = NDArray[np.floating]

BIN_DEGREES = 5.0  # side of a bin of an error map
FEWEST_EYES = 10  # in a bin; a bin with fewer shows no mean error


@dataclass(frozen=True)
class Estimates:
    """Gaze estimates of one estimator, trained with one or more seeds, on the same test eyes, and the labels.

    All test eyes have gaze labels: callers leave out the eyes without (`Eyes.has_gaze`). Raises ValueError if
    the shapes do not match, there is no eye or no seed, or a number is not finite.
    """

    gaze: Array
    """(seeds, N, 2) estimated pitch and yaw in radians."""
    true: Array
    """(N, 2) true pitch and yaw in radians."""
    person: NDArray[np.str_]
    """(N,) the person each eye belongs to."""

    def __post_init__(self) -> None:
        count = len(self.person)
        if self.gaze.shape != (len(self.gaze), count, 2) or self.true.shape != (count, 2):
            raise ValueError(
                f"estimates {self.gaze.shape} and labels {self.true.shape} of {count} eyes; "
                "expected (seeds, N, 2) and (N, 2)"
            )
        if not self.gaze.size:
            raise ValueError("no eyes or no seeds to compute errors of")
        for name, values in (("label", self.true), ("estimate", self.gaze)):
            unknown = ~np.isfinite(values).all(axis=-1)
            if unknown.any():
                raise ValueError(f"{int(unknown.sum())} gaze {name}s are not finite")

    @property
    def seeds(self) -> int:
        return len(self.gaze)

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """(seeds, N) angular errors in degrees."""
        return np.asarray(angular_error(self.gaze, self.true))

    @property
    def by_eye(self) -> NDArray[np.float64]:
        """(N,) error of every eye, mean over seeds, in degrees."""
        return np.asarray(self.errors.mean(axis=0))

    @property
    def mean(self) -> float:
        """Mean error in degrees over eyes and seeds."""
        return float(self.errors.mean())

    @property
    def spread(self) -> float | None:
        """Standard deviation of the mean error over seeds, in degrees; None with one seed."""
        return float(self.errors.mean(axis=1).std(ddof=1)) if self.seeds > 1 else None

    @property
    def median(self) -> float:
        """Median error over eyes, mean over seeds, in degrees."""
        return float(np.median(self.errors, axis=1).mean())

    def share_under(self, degrees: float) -> float:
        """Share of eyes with an error below `degrees`, mean over seeds."""
        return float((self.errors < degrees).mean())

    def cumulative(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """All M errors, of all seeds, in rising order, and the share of errors up to each; both (M,)."""
        rising = np.sort(self.errors, axis=None)
        return rising, np.arange(1, rising.size + 1) / rising.size

    def of_person(self, person: str) -> Estimates:
        """The estimates on one person's eyes."""
        rows = self.person == person
        return Estimates(self.gaze[:, rows], self.true[rows], self.person[rows])

    @property
    def persons(self) -> list[str]:
        """The test persons, in order of name."""
        return [str(name) for name in np.unique(self.person)]

    def by_person(self) -> dict[str, float]:
        """Mean error of every person over eyes and seeds, in degrees."""
        return {name: self.of_person(name).mean for name in self.persons}


class ErrorMap(NamedTuple):
    """Mean errors of eyes binned by two angles."""

    mean: NDArray[np.float64]
    """(P, Y) by pitch and yaw, in degrees; NaN in bins with too few eyes."""
    eyes: NDArray[np.int64]
    """(P, Y) number of eyes in each bin."""
    pitch_edges: NDArray[np.float64]
    """(P + 1,) in degrees, rising."""
    yaw_edges: NDArray[np.float64]
    """(Y + 1,) in degrees, rising."""
    unknown: int
    """Number of eyes left out because their angles are unknown."""


def gaze_estimates(networks: Iterable[GazeNet], eyes: Eyes) -> Estimates:
    """The estimates of networks, one per seed, on eyes with gaze labels."""
    gaze = np.stack([estimate_gaze(network, eyes.image) for network in networks])
    return Estimates(gaze, eyes.gaze, eyes.person)


def constant_estimates(gaze: Array, eyes: Eyes) -> Estimates:
    """The same estimate (2,), pitch and yaw in radians, for all eyes: one seed, as nothing is trained."""
    return Estimates(np.broadcast_to(gaze, (1, *eyes.gaze.shape)), eyes.gaze, eyes.person)


def mean_gaze(gaze: Array) -> Array:
    """The mean direction (2,) of gazes (N, 2), pitch and yaw in radians."""
    return vectors_to_angles(angles_to_vectors(gaze.astype(np.float64)).mean(axis=0))


def average(first: Estimates, *others: Estimates) -> Estimates:
    """The mean direction of several estimators' estimates, seed by seed.

    Unit vectors are averaged, because angles are distorted near the poles. Raises InputError when the
    estimators were tested on different eyes or have different numbers of seeds.
    """
    for other in others:
        check_same_eyes(first, other)
        if first.seeds != other.seeds:
            raise InputError(
                f"estimates of {first.seeds} and of {other.seeds} seeds cannot be averaged seed by seed"
            )
    directions = np.stack([each.gaze for each in (first, *others)]).astype(np.float64)
    mean = vectors_to_angles(angles_to_vectors(directions).sum(axis=0))
    return Estimates(mean, first.true, first.person)


def check_same_eyes(first: Estimates, second: Estimates) -> None:
    """Raises InputError, naming the difference, unless both were tested on the same eyes in one order."""
    start = "the two estimators were not tested on the same eyes: "
    apart = sorted(set(first.persons) ^ set(second.persons))
    if apart:
        raise InputError(f"{start}only one of them on {', '.join(apart)}")
    if len(first.person) != len(second.person):
        raise InputError(f"{start}one on {len(first.person)}, the other on {len(second.person)}")
    for label, differs in (
        ("person", first.person != second.person),
        ("gaze label", (first.true != second.true).any(axis=1)),
    ):
        if differs.any():
            raise InputError(f"{start}the {label} differs for {int(differs.sum())} of {len(differs)}")


def error_map(
    estimates: Estimates, angles: Array, *, bin_degrees: float = BIN_DEGREES, fewest: int = FEWEST_EYES
) -> ErrorMap:
    """Mean errors over eyes binned by true gaze or head pose: `angles` (N, 2), pitch and yaw in radians.

    Edges of bins are multiples of `bin_degrees`. Eyes whose angles are NaN are left out and counted; bins
    with fewer than `fewest` eyes are NaN. Raises ValueError if the angles of no eye are known.
    """
    known = np.isfinite(angles).all(axis=1)
    if not known.any():
        raise ValueError("the angles of no eye are known")
    pitch, yaw = np.degrees(angles[known].astype(np.float64)).T
    edges = [_edges(pitch, bin_degrees), _edges(yaw, bin_degrees)]
    eyes = np.histogram2d(pitch, yaw, edges)[0].astype(np.int64)
    total = np.histogram2d(pitch, yaw, edges, weights=estimates.by_eye[known])[0]
    mean = np.full(eyes.shape, np.nan)
    np.divide(total, eyes, out=mean, where=eyes >= max(fewest, 1))
    return ErrorMap(mean, eyes, edges[0], edges[1], int((~known).sum()))


def _edges(degrees: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    first = int(np.floor(degrees.min() / width))
    last = max(int(np.ceil(degrees.max() / width)), first + 1)
    return np.arange(first, last + 1, dtype=np.float64) * width
