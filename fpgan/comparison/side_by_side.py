"""Evaluations against each other: errors with intervals, paired differences, and what they differ in."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fpgan.errors import InputError
from fpgan.evaluation import statistics
from fpgan.evaluation.estimates import Estimates
from fpgan.evaluation.record import DIRECTIONS, Evaluation, Shown
from fpgan.nested import flat_numbers, flatten

REFERENCES = ("mean_gaze", "real_bound")  # protocols that say what to compare with, not how well a run does
ABSENT = "-"


@dataclass(frozen=True)
class ComparedRun:
    """An evaluation and where it comes from."""

    label: str
    """Its name, as no other compared run is called."""
    evaluation: Evaluation
    source: str
    """What the user named it by."""
    run_id: str | None
    commit: str | None
    started: str | None
    """Date and time of the run."""


class MeanError(NamedTuple):
    """Angular error of a protocol over all test eyes and seeds, in degrees."""

    mean: float
    spread: float | None
    """Standard deviation of the mean error over seeds; None of a single seed."""
    low: float
    """Of the 95 % interval."""
    high: float


class PairedTest(NamedTuple):
    """A run's error against the first run's, on the same eyes."""

    run: str
    protocol: str
    first: str
    first_protocol: str
    best: bool
    """Whether both protocols are the best of their runs."""
    found: statistics.PairedDifference


@dataclass(frozen=True)
class Comparison:
    """All that a comparison found; lists and tuples go by run."""

    runs: list[ComparedRun]
    errors: list[dict[str, MeanError]]
    """By protocol."""
    preservation: list[dict[str, float]]
    """By direction and measure, such as "s2r/gaze_drift_degrees"."""
    quality: list[dict[str, float]]
    """Likewise, such as "s2r/sliced_wasserstein/after"."""
    tests: list[PairedTest]
    differing: dict[str, tuple[str, ...]]
    """Parameters that are not the same in all runs."""
    shown: dict[str, list[Shown]]
    """By direction: the same eyes in all runs."""
    omitted: list[str]
    """In words: what could not be compared, and why."""
    persons: int
    """Among the test eyes with labels."""

    @property
    def protocols(self) -> list[str]:
        """Of all runs, in their order."""
        return list(dict.fromkeys(name for errors in self.errors for name in errors))

    def against_first(self, run: str) -> dict[str, statistics.PairedDifference]:
        """A run's tests against the first, by the protocols of both."""
        return {
            test.protocol: test.found
            for test in self.tests
            if test.run == run and test.protocol == test.first_protocol
        }


def compare(runs: Sequence[ComparedRun]) -> Comparison:
    """Compares two or more evaluations of the same test eyes.

    Raises InputError, naming what differs, when their test eyes are not the same.
    """
    for run in runs[1:]:
        if difference := _test_difference(runs[0].evaluation, run.evaluation):
            raise InputError(f"{run.label} was not tested on the same eyes as {runs[0].label}: {difference}")
    estimates = [recorded_estimates(run.evaluation) for run in runs]
    errors = [mean_errors(each) for each in estimates]
    shown, omitted = _common_sheets(runs)
    return Comparison(
        list(runs),
        errors,
        [by_direction(run.evaluation.scores, "preservation") for run in runs],
        [by_direction(run.evaluation.scores, "quality") for run in runs],
        _paired_tests(runs, estimates, errors),
        differing_params([run.evaluation.params for run in runs]),
        shown,
        omitted,
        len(np.unique(runs[0].evaluation.person)),
    )


def _test_difference(first: Evaluation, other: Evaluation) -> str | None:
    """In words how the test eyes of two evaluations differ; None when they do not."""
    persons = [", ".join(np.unique(each.person).tolist()) or "nobody" for each in (first, other)]
    if persons[0] != persons[1]:
        return f"its persons are {persons[1]}, not {persons[0]}"
    if len(first.person) != len(other.person):
        return f"it has {len(other.person)} eyes with labels, not {len(first.person)}"
    if not np.array_equal(first.person, other.person):
        return "the eyes are of the same persons in another order or number"
    for label in ("gaze", "head"):
        if not np.array_equal(getattr(first, label), getattr(other, label), equal_nan=True):
            return f"the {label} labels are others"
    if first.test_digest != other.test_digest:
        return "the pictures, or the eyes without labels, are others"
    return None


def recorded_estimates(evaluation: Evaluation) -> dict[str, Estimates]:
    """By protocol, on real test eyes."""
    return {
        name: Estimates(gaze, evaluation.gaze, evaluation.person)
        for name, gaze in evaluation.estimates.items()
    }


def mean_errors(estimates: Mapping[str, Estimates]) -> dict[str, MeanError]:
    """Errors of several protocols."""
    intervals = {name: statistics.mean_interval(found) for name, found in estimates.items()}
    return {
        name: MeanError(found.mean, found.spread, intervals[name].low, intervals[name].high)
        for name, found in estimates.items()
    }


def _paired_tests(
    runs: Sequence[ComparedRun],
    estimates: Sequence[dict[str, Estimates]],
    errors: Sequence[dict[str, MeanError]],
) -> list[PairedTest]:
    """Of every run against the first: the best protocols of both, then every protocol they share."""
    first, first_best = estimates[0], best_protocol(errors[0])
    tests = []
    for run, own, means in zip(runs[1:], estimates[1:], errors[1:], strict=True):
        best = (best_protocol(means), first_best)
        pairs = dict.fromkeys([best, *((name, name) for name in own)])
        tests += [
            PairedTest(
                run.label,
                name,
                runs[0].label,
                first_name,
                (name, first_name) == best,
                statistics.compare(own[name], first[first_name]),
            )
            for name, first_name in pairs
            if name in own and first_name in first and name not in REFERENCES
        ]
    return tests


def best_protocol(errors: dict[str, MeanError]) -> str | None:
    """The protocol of the lowest mean error, those of `REFERENCES` aside; None when there is no other."""
    own = [name for name in errors if name not in REFERENCES]
    return min(own, key=lambda name: errors[name].mean, default=None)


def by_direction(scores: dict[str, Any], section: str) -> dict[str, float]:
    """The numbers of a section of metrics.json that describes translation, by direction and measure."""
    return flat_numbers(scores.get(section, {}))


def differing_params(params: Sequence[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Parameters, keys joined by dots, that are not the same everywhere, with the value of each run."""
    flat = [flatten(each, ".") for each in params]
    names = dict.fromkeys(name for each in flat for name in each)
    values = {name: tuple(str(each.get(name, ABSENT)) for each in flat) for name in names}
    return {name: each for name, each in values.items() if len(set(each)) > 1}


def _common_sheets(runs: Sequence[ComparedRun]) -> tuple[dict[str, list[Shown]], list[str]]:
    """By direction the eyes that all runs show, and in words the directions they do not share."""
    shown, omitted = {}, []
    for direction in DIRECTIONS:
        found = [run.evaluation.shown.get(direction) for run in runs]
        first, *others = found
        lacking = [run.label for run, each in zip(runs, found, strict=True) if each is None]
        unlike = [
            run.label
            for run, other in zip(runs[1:], others, strict=True)
            if first and other and not np.array_equal(first.source, other.source)
        ]
        if lacking:
            omitted.append(f"No sheet for {direction}: {', '.join(lacking)} shows no eyes of it.")
        elif unlike:
            omitted.append(
                f"No sheet for {direction}: {', '.join(unlike)} shows other eyes than {runs[0].label}."
            )
        else:
            shown[direction] = [each for each in found if each is not None]
    return shown, omitted


def table(comparison: Comparison) -> list[dict[str, str]]:
    """One row a run with everything in columns, as for a CSV file."""
    return [
        {
            "run": run.label,
            "run_id": run.run_id or "",
            "git_commit": run.commit or "",
            "started": run.started or "",
            "seeds": " ".join(map(str, run.evaluation.seeds)),
            "eyes": str(len(run.evaluation.person)),
            **error_columns(errors),
            **difference_columns(comparison.against_first(run.label)),
            **number_columns(preserved | quality),
            **{name: values[i] for name, values in comparison.differing.items()},
        }
        for i, (run, errors, preserved, quality) in enumerate(
            zip(comparison.runs, comparison.errors, comparison.preservation, comparison.quality, strict=True)
        )
    ]


def error_columns(errors: Mapping[str, MeanError]) -> dict[str, str]:
    """Errors of protocols as cells of a CSV file."""
    return number_columns(
        {
            f"{protocol}/{field}": value
            for protocol, error in errors.items()
            for field, value in error._asdict().items()
        }
    )


def difference_columns(found: Mapping[str, statistics.PairedDifference]) -> dict[str, str]:
    """Paired tests of protocols as cells of a CSV file."""
    return number_columns(
        {
            f"{protocol}/{field}": value
            for protocol, test in found.items()
            for field, value in {
                "difference": test.difference,
                "difference_low": test.low,
                "difference_high": test.high,
                "difference_p": test.p,
            }.items()
        }
    )


def number_columns(values: Mapping[str, float | None]) -> dict[str, str]:
    """Numbers as cells of a CSV file."""
    return {
        name: f"{value:.4f}" if value is not None and math.isfinite(value) else ""
        for name, value in values.items()
    }
