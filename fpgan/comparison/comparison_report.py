"""A comparison as one HTML page, as a CSV table, and as text for the console."""

import base64
import textwrap
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.table import Table

from fpgan.comparison.side_by_side import Comparison, MeanError, best_protocol, is_reference, table
from fpgan.domains import Direction
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.evaluation.tables import console_text, rows_csv
from fpgan.wording import spaced, with_spread

WIDTH = 100  # characters of the console's text
MOST_NAMED = 3  # runs, in the title


def comparison_page(
    comparison: Comparison, sheets: Mapping[Direction, bytes], *, arrows: bool, landmarks: bool
) -> str:
    """The self-contained page; `sheets` are PNG files, drawn with or without arrows and landmarks."""
    environment = Environment(
        loader=PackageLoader("fpgan.comparison", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["spaced"] = spaced
    return environment.get_template("report.html").render(
        title=_title(comparison),
        comparison=comparison,
        protocols={
            name: PROTOCOLS[name].meaning if name in PROTOCOLS else "" for name in comparison.protocols
        },
        references=list(filter(is_reference, comparison.protocols)),
        caveats=caveats(comparison),
        bests=[best_protocol(errors) for errors in comparison.errors],
        preserved=(preserved := _preserved(comparison)),
        measures=list(dict.fromkeys(name for *_, values in preserved for name in values)),
        one_protocol=len({run.evaluation.protocol for run in comparison.runs}) == 1,
        uncertainty=uncertainty(comparison),
        sheets={
            direction: (direction.meaning, base64.b64encode(sheet).decode())
            for direction, sheet in sheets.items()
        },
        arrows=arrows,
        landmarks=landmarks,
        left_out=left_out(comparison),
    )


def comparison_csv(comparison: Comparison) -> str:
    """The table as CSV, with one row per run."""
    return rows_csv(table(comparison))


def comparison_text(comparison: Comparison) -> str:
    """The table of errors and the paired tests."""
    shown = Table(title="Gaze error, degrees", title_justify="left", show_lines=True)
    shown.add_column("run", overflow="fold")
    for protocol in comparison.protocols:
        shown.add_column(spaced(protocol), justify="right")
    for run, errors in zip(comparison.runs, comparison.errors, strict=True):
        cells = [
            mean_error_cell(errors[protocol]) if protocol in errors else "-"
            for protocol in comparison.protocols
        ]
        shown.add_row(run.label, *cells)
    nothing = "No gaze errors: the real test eyes have no labels."
    errors_text = console_text(shown if comparison.protocols else nothing, width=WIDTH)
    lines = [errors_text, *textwrap.wrap(uncertainty(comparison), WIDTH), ""]
    for test in comparison.tests:
        lines += textwrap.wrap(
            f"{test.run}, {spaced(test.protocol)}, against {test.first}, {spaced(test.first_protocol)}"
            f"{' (the best of each)' if test.best else ''}: {test.found.verdict}.",
            WIDTH,
            subsequent_indent="  ",
        )
    for sentence in caveats(comparison) + left_out(comparison):
        lines += textwrap.wrap(sentence, WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


def caveats(comparison: Comparison) -> list[str]:
    """Limits of the tests, each sentence once."""
    return list(dict.fromkeys(caveat for test in comparison.tests for caveat in test.found.caveats))


def left_out(comparison: Comparison) -> list[str]:
    """Sentences that name everything left out of the comparison, with the reason."""
    return comparison.omitted + [
        f"{run.label}, {spaced(protocol)}: {reason}."
        for run in comparison.runs
        for protocol, reason in run.evaluation.skipped.items()
    ]


def uncertainty(comparison: Comparison) -> str:
    """How spread and intervals were computed, in words."""
    if not comparison.persons:
        return ""
    over = f"over {comparison.persons} persons" if comparison.persons > 1 else "over the eyes of one person"
    seeds = min(len(run.evaluation.seeds) for run in comparison.runs)
    noise = " With one seed the intervals leave out the noise of training." if seeds == 1 else ""
    return f"After ±: standard deviation over seeds. Below: 95 % interval {over} and seeds.{noise}"


def _title(comparison: Comparison) -> str:
    labels = [run.label for run in comparison.runs]
    if len(labels) > MOST_NAMED:
        return f"Comparison of {len(labels)} evaluations"
    return f"{', '.join(labels[:-1])} and {labels[-1]} compared"


def mean_error_cell(error: MeanError) -> str:
    """An error as text: mean and spread over seeds, and the interval on a second line."""
    return f"{with_spread(error.mean, error.spread)}\n{error.low:.2f} to {error.high:.2f}"


def _preserved(comparison: Comparison) -> list[tuple[str, Direction, dict[str, float]]]:
    """Run, direction, and the measures of that direction."""
    rows = []
    for run, kept in zip(comparison.runs, comparison.preservation, strict=True):
        for direction in Direction:
            start = f"{direction}/"
            values = {name.removeprefix(start): kept[name] for name in kept if name.startswith(start)}
            if values:
                rows.append((run.label, direction, values))
    return rows
