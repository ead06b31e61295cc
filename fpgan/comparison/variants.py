"""Variants of one training compared: the table for the console, and the numbers of metrics.json."""

import textwrap
from typing import Any

from rich.table import Table

from fpgan.comparison.comparison_report import caveats, left_out, mean_error_cell, uncertainty
from fpgan.comparison.side_by_side import Comparison
from fpgan.domains import Direction
from fpgan.evaluation.tables import WIDTH, console_text
from fpgan.wording import spaced

MEASURES = {  # of translation, by column
    "gaze drift, °": "gaze_drift_degrees",
    "landmark drift, px": "landmark_drift_pixels",
    "domain distance": "sliced_wasserstein/after",
    "taken for target": "taken_for_target",
}


def ablation_text(comparison: Comparison) -> str:
    """One row per variant: errors of the protocols that differ, tests against the first, and translation."""
    same = _same_for_all(comparison)
    varying = [name for name in comparison.protocols if name not in same]
    table = Table(title="Gaze error, degrees, and translation", title_justify="left", show_lines=True)
    table.add_column("variant", overflow="fold")
    for heading in (*map(spaced, varying), ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in MEASURES:
        table.add_column(heading, justify="right")
    for i, run in enumerate(comparison.runs):
        table.add_row(
            run.label,
            *(_error_cell(comparison, i, name) for name in varying),
            "\n".join(Direction),
            *(_direction_cell(comparison, i, measure) for measure in MEASURES.values()),
        )
    lines = [console_text(table)]
    first = comparison.runs[0].label
    sentences = [
        uncertainty(comparison),
        f"Last in each cell: the difference from {first} on the same eyes, and its p." if varying else "",
        *caveats(comparison),
        "Domain distance: sliced Wasserstein distance of translations to the target domain. Taken for "
        "target: share of translations that a classifier trained to detect them takes for target eyes; at "
        "best 0.5.",
        *left_out(comparison),
    ]
    if same:
        cells = {name: mean_error_cell(comparison.errors[0][name]).split("\n") for name in same}
        shared = [f"{spaced(name)} {mean} ({interval})" for name, (mean, interval) in cells.items()]
        sentences.insert(0, f"The same for all variants: {'; '.join(shared)}.")
    for sentence in sentences:
        lines += textwrap.wrap(sentence, WIDTH)
    return "\n".join(lines)


def ablation_scores(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """By variant: errors in degrees by protocol, tests against the first variant, and translation."""
    return {
        run.label: {
            "gaze_error_degrees": {name: error._asdict() for name, error in comparison.errors[i].items()},
            "against_first": {
                name: {"difference": test.difference, "low": test.low, "high": test.high, "p": test.p}
                for name, test in comparison.against_first(run.label).items()
            },
            "preservation": comparison.preservation[i],
            "quality": comparison.quality[i],
        }
        for i, run in enumerate(comparison.runs)
    }


def _same_for_all(comparison: Comparison) -> list[str]:
    """Protocols with the same errors in all variants."""
    first, *others = comparison.errors
    return [name for name in first if others and all(errors.get(name) == first[name] for errors in others)]


def _error_cell(comparison: Comparison, i: int, protocol: str) -> str:
    errors, run = comparison.errors[i], comparison.runs[i]
    if protocol not in errors:
        return "-"
    test = comparison.against_first(run.label).get(protocol)
    difference = f"\n{test.difference:+.2f}, p {test.p:.2f}" if test else ""
    return mean_error_cell(errors[protocol]) + difference


def _direction_cell(comparison: Comparison, i: int, measure: str) -> str:
    values = comparison.preservation[i] | comparison.quality[i]
    found = [values.get(f"{direction}/{measure}") for direction in Direction]
    return "\n".join("-" if value is None else f"{value:.2f}" for value in found)
