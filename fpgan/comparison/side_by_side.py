"""Compares evaluations: errors with intervals, paired differences, differing parameters."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fpgan.domains import Direction
from fpgan.errors import InputError
from fpgan.evaluation import statistics
from fpgan.evaluation.estimates import Estimates
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.evaluation.record import Evaluation, Shown
from fpgan.nested import flat_numbers, flatten

ABSENT = "-"


@dataclass(frozen=True)
class ComparedRun:
    """An evaluation and its origin."""

    label: str
    """Its name, unique among the compared runs."""
    evaluation: Evaluation
    source: str
    """As named by the user."""
    run_id: str | None
    commit: str | None
    started: str | None
    """Date and time at which the run started."""


class MeanError(NamedTuple):
    """Angular error of a protocol over all test eyes and seeds, in degrees."""

    mean: float
    spread: float | None
    """Standard deviation of the mean error over seeds; None with a single seed."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end."""


class PairedTest(NamedTuple):
    """A run's error compared with the first run's, on the same eyes."""

    run: str
    protocol: str
    first: str
    first_protocol: str
    best: bool
    """Whether both protocols are the best of their runs."""
    found: statistics.PairedDifference


@dataclass(frozen=True)
class Comparison:
    """The results of a comparison; lists and tuples have one entry per run."""

    runs: list[ComparedRun]
    errors: list[dict[str, MeanError]]
    """By protocol."""
    preservation: list[dict[str, float]]
    """By direction and measure, such as "s2r/gaze_drift_degrees"."""
    quality: list[dict[str, float]]
    """By direction and measure, such as "s2r/sliced_wasserstein/after"."""
    tests: list[PairedTest]
    differing: dict[str, tuple[str, ...]]
    """Values of the parameters that differ between runs."""
    shown: dict[Direction, list[Shown]]
    """The same eyes in all runs."""
    omitted: list[str]
    """Sentences that name everything that could not be compared, with the reason."""
    persons: int
    """Number of persons among the test eyes with labels."""

    @property
    def protocols(self) -> list[str]:
        """The protocols of all runs, in their order."""
        return list(dict.fromkeys(name for errors in self.errors for name in errors))

    def against_first(self, run: str) -> dict[str, statistics.PairedDifference]:
        """A run's tests against the first run, for protocols compared with themselves."""
        return {
            test.protocol: test.found
            for test in self.tests
            if test.run == run and test.protocol == test.first_protocol
        }


def compare(runs: Sequence[ComparedRun]) -> Comparison:
    """Compares two or more evaluations on the same test eyes.

    Raises InputError, naming the difference, if their test eyes differ.
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
    """How the test eyes of two evaluations differ, in words; None if they do not."""
    persons = [", ".join(np.unique(each.person).tolist()) or "nobody" for each in (first, other)]
    if persons[0] != persons[1]:
        return f"its persons are {persons[1]}, not {persons[0]}"
    if len(first.person) != len(other.person):
        return f"it has {len(other.person)} eyes with labels, not {len(first.person)}"
    if not np.array_equal(first.person, other.person):
        return "the same persons have another order or number of eyes"
    for label in ("gaze", "head"):
        if not np.array_equal(getattr(first, label), getattr(other, label), equal_nan=True):
            return f"the {label} labels differ"
    if first.test_digest != other.test_digest:
        return "the pictures, or the eyes without labels, differ"
    return None


def recorded_estimates(evaluation: Evaluation) -> dict[str, Estimates]:
    """The estimates on real test eyes, by protocol."""
    return {
        name: Estimates(gaze, evaluation.gaze, evaluation.person)
        for name, gaze in evaluation.estimates.items()
    }


def mean_errors(estimates: Mapping[str, Estimates]) -> dict[str, MeanError]:
    """The errors of several protocols."""
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
    """Tests of every run against the first: the best protocols of both, then every shared protocol."""
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
            if name in own and first_name in first and not is_reference(name)
        ]
    return tests


def is_reference(protocol: str) -> bool:
    """Whether a protocol, possibly one unknown to this version, is a reference for the others."""
    return protocol in PROTOCOLS and PROTOCOLS[protocol].uses_real_labels


def best_protocol(errors: dict[str, MeanError]) -> str | None:
    """The protocol with the lowest mean error, without references; None if there are only references."""
    own = [name for name in errors if not is_reference(name)]
    return min(own, key=lambda name: errors[name].mean, default=None)


def by_direction(scores: dict[str, Any], section: str) -> dict[str, float]:
    """The numbers of a section of metrics.json about translation, by direction and measure."""
    return flat_numbers(scores.get(section, {}))


def differing_params(params: Sequence[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Parameters that differ between runs, keys joined by dots, with the value in each run."""
    flat = [flatten(each, ".") for each in params]
    names = dict.fromkeys(name for each in flat for name in each)
    values = {name: tuple(str(each.get(name, ABSENT)) for each in flat) for name in names}
    return {name: each for name, each in values.items() if len(set(each)) > 1}


def _common_sheets(runs: Sequence[ComparedRun]) -> tuple[dict[Direction, list[Shown]], list[str]]:
    """The eyes that all runs show, by direction, and a sentence per direction without common eyes."""
    shown, omitted = {}, []
    for direction in Direction:
        found = [run.evaluation.shown.get(direction) for run in runs]
        first, *others = found
        lacking = [run.label for run, each in zip(runs, found, strict=True) if each is None]
        unlike = [
            run.label
            for run, other in zip(runs[1:], others, strict=True)
            if first and other and not np.array_equal(first.source, other.source)
        ]
        if lacking:
            omitted.append(f"No sheet for {direction}: {', '.join(lacking)} shows no eyes.")
        elif unlike:
            omitted.append(
                f"No sheet for {direction}: {', '.join(unlike)} shows other eyes than {runs[0].label}."
            )
        else:
            shown[direction] = [each for each in found if each is not None]
    return shown, omitted


def table(comparison: Comparison) -> list[dict[str, str]]:
    """One row per run with everything in columns, as for a CSV file."""
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
    """The errors of protocols as cells of a CSV file."""
    return number_columns(
        {
            f"{protocol}/{field}": value
            for protocol, error in errors.items()
            for field, value in error._asdict().items()
        }
    )


def difference_columns(found: Mapping[str, statistics.PairedDifference]) -> dict[str, str]:
    """The paired tests of protocols as cells of a CSV file."""
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
