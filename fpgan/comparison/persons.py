"""Persons left out in turn: their pooled estimates, and tables of each person and of all."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.table import Table

from fpgan.comparison.side_by_side import (
    by_direction,
    difference_columns,
    error_columns,
    mean_errors,
    number_columns,
    recorded_estimates,
)
from fpgan.errors import InputError
from fpgan.evaluation.estimates import Estimates
from fpgan.evaluation.protocols import BASELINE, PROTOCOLS
from fpgan.evaluation.record import Evaluation
from fpgan.evaluation.statistics import compare
from fpgan.evaluation.summary import nested_means
from fpgan.evaluation.tables import console_text
from fpgan.wording import spaced, with_spread

ALL = "all persons"


def pool(evaluations: Mapping[str, Evaluation]) -> dict[str, Estimates]:
    """The estimates on all persons' eyes, by protocol; each person was tested with networks of its own.

    Leaves out persons without gaze labels, and protocols that some other person lacks. Raises InputError if
    nobody has labels, or if networks of different seeds were evaluated.
    """
    labelled = {person: evaluation for person, evaluation in evaluations.items() if evaluation.estimates}
    if not labelled:
        raise InputError(f"cross_person: none of {', '.join(evaluations)} has gaze labels to test with")
    first, *others = labelled
    for person in others:
        if labelled[person].seeds != labelled[first].seeds:
            raise InputError(
                f"cross_person: {person} was evaluated with the seeds {_listed(labelled[person].seeds)}, "
                f"{first} with {_listed(labelled[first].seeds)}; `dvc repro pipelines/cross_person/dvc.yaml`"
            )
    found = [recorded_estimates(evaluation) for evaluation in labelled.values()]
    return {
        protocol: Estimates(
            np.concatenate([each[protocol].gaze for each in found], axis=1),
            np.concatenate([each[protocol].true for each in found]),
            np.concatenate([each[protocol].person for each in found]),
        )
        for protocol in PROTOCOLS
        if all(protocol in each for each in found)
    }


def skipped(evaluations: Mapping[str, Evaluation]) -> dict[str, str]:
    """Protocols that a person with gaze labels lacks, and why."""
    return {
        protocol: f"{person}: {reason}"
        for person, evaluation in evaluations.items()
        if evaluation.estimates
        for protocol, reason in evaluation.skipped.items()
    }


def mean_over_persons(evaluations: Mapping[str, Evaluation], section: str) -> dict[str, dict[str, Any]]:
    """The mean of a section of metrics.json about translation, by direction, over the persons who have it."""
    found = [evaluation.scores.get(section, {}) for evaluation in evaluations.values()]
    directions = dict.fromkeys(direction for each in found for direction in each)
    return {
        direction: nested_means([each[direction] for each in found if direction in each])
        for direction in directions
    }


def person_rows(evaluations: Mapping[str, Evaluation]) -> list[dict[str, str]]:
    """One row per person and one for all, with everything in columns, as for a CSV file.

    Intervals of a person are over that person's eyes, intervals of all over persons. Differences are from
    `BASELINE`.
    """
    pooled = pool(evaluations)
    rows = [
        {"person": person}
        | _columns(recorded_estimates(evaluation))
        | number_columns(
            by_direction(evaluation.scores, "preservation") | by_direction(evaluation.scores, "quality")
        )
        for person, evaluation in evaluations.items()
    ]
    return [*rows, {"person": ALL} | _columns(pooled)]


def _columns(estimates: Mapping[str, Estimates]) -> dict[str, str]:
    eyes = max((len(found.person) for found in estimates.values()), default=0)
    tests = {
        name: compare(found, estimates[BASELINE])
        for name, found in estimates.items()
        if name != BASELINE and BASELINE in estimates
    }
    return {"eyes": str(eyes)} | error_columns(mean_errors(estimates)) | difference_columns(tests)


def person_text(evaluations: Mapping[str, Evaluation]) -> str:
    """Mean errors by person and protocol, and over all persons."""
    pooled = pool(evaluations)
    table = Table(title="Gaze error of the persons left out, degrees", title_justify="left")
    table.add_column("person")
    table.add_column("eyes", justify="right")
    for protocol in pooled:
        table.add_column(spaced(protocol), justify="right")
    for person, evaluation in evaluations.items():
        estimates = recorded_estimates(evaluation)
        cells = [_cell(estimates.get(protocol)) for protocol in pooled]
        table.add_row(person, str(len(evaluation.person)), *cells)
    table.add_section()
    eyes = len(next(iter(pooled.values())).person)
    table.add_row(ALL, str(eyes), *map(_cell, pooled.values()))
    return console_text(table)


def _cell(found: Estimates | None) -> str:
    return with_spread(found.mean, found.spread) if found else "-"


def _listed(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds))
