"""The command that inspects data sets: contents, likely mistakes, framing, and a comparison of two."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fpgan.data.eyes import Eyes
from fpgan.inspection.findings import notes, problems
from fpgan.inspection.framing import Framing, compare, measure_framing
from fpgan.inspection.inspection_figure import comparison_figure, inspection_figure
from fpgan.inspection.inspection_report import compare_in_words, comparison_report, inspection_report, summary
from fpgan.inspection.survey import Survey, survey
from fpgan.params import Params
from fpgan.progress import progress_bar

MEASURED = 500  # eyes; more hardly change the measurements


@dataclass(frozen=True)
class Inspection:
    """The inspection of one data set."""

    survey: Survey
    measured: Eyes
    """Eyes drawn at random, on which the framing was measured."""
    framing: Framing
    problems: list[str]
    notes: list[str]


def inspect(path: Path, other: Path | None, params: Params, output: Path, *, everything: bool = False) -> str:
    """Inspects a data set, or compares two; writes figures and JSON; returns the report."""
    first = look(path, params, everything=everything)
    texts = [inspection_report(first.survey, first.framing, first.problems, first.notes)]
    figures = {"eyes.png": inspection_figure(first.survey, first.measured, first.framing, first.problems)}
    record: dict[str, Any] = summary(first.survey, first.framing, first.problems, first.notes)
    if other is not None:
        second = look(other, params, everything=everything)
        texts.append(inspection_report(second.survey, second.framing, second.problems, second.notes))
        figures["other_eyes.png"] = inspection_figure(
            second.survey, second.measured, second.framing, second.problems
        )
        comparison = compare(first.framing, second.framing)
        sentences = compare_in_words(first.framing, second.framing, comparison)
        texts.append(comparison_report(str(path), str(other), first.framing, second.framing, sentences))
        figures["comparison.png"] = comparison_figure(
            (str(path), str(other)),
            (first.framing, second.framing),
            (first.measured, second.measured),
            comparison,
            sentences,
        )
        record = {
            "first": record,
            "second": summary(second.survey, second.framing, second.problems, second.notes),
            "comparison": {key: np.asarray(value).tolist() for key, value in asdict(comparison).items()}
            | {"sentences": sentences},
        }
    texts.append(_write(output, figures, record))
    return "\n\n".join(texts)


def look(path: Path, params: Params, *, everything: bool = False) -> Inspection:
    """Surveys a data set and measures its framing."""
    with progress_bar("sample") as advance:
        found = survey(path, params, everything=everything, progress=advance)
    drawn = np.random.default_rng(0).permutation(len(found.eyes))[:MEASURED]
    measured = found.eyes.select(drawn)
    framing = measure_framing(measured)
    return Inspection(
        found,
        measured,
        framing,
        problems(found, framing.found, measured),
        notes(found, measured.gaze, framing.found),
    )


def _write(output: Path, figures: dict[str, Figure], record: dict[str, Any]) -> str:
    """Writes figures and JSON; returns a sentence with their paths."""
    output.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(output / name)
    (output / "inspection.json").write_text(json.dumps(record, indent=2) + "\n")
    return "Written: " + ", ".join(str(output / name) for name in (*figures, "inspection.json"))
