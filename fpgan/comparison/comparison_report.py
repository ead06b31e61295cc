"""A comparison as one HTML page, as a CSV table, and as text for the console."""

import base64
import csv
import textwrap
from collections.abc import Sequence
from io import StringIO

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.console import Console
from rich.table import Table

from fpgan.comparison.side_by_side import REFERENCES, Comparison, MeanError, best_protocol, table
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.wording import spaced

WIDTH = 100  # characters of the console's text
MOST_NAMED = 3  # runs, in the title
DIRECTIONS = {"s2r": "synthetic to real", "r2s": "real to synthetic"}


def comparison_page(
    comparison: Comparison, sheets: dict[str, bytes], *, arrows: bool, landmarks: bool
) -> str:
    """The page, self-contained; `sheets` are PNG files by direction, in which is drawn what is said."""
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
        references=REFERENCES,
        caveats=caveats(comparison),
        bests=[best_protocol(errors) for errors in comparison.errors],
        preserved=(preserved := _preserved(comparison)),
        measures=list(dict.fromkeys(name for *_, values in preserved for name in values)),
        one_protocol=len({run.evaluation.protocol for run in comparison.runs}) == 1,
        uncertainty=uncertainty(comparison),
        sheets={
            direction: (DIRECTIONS[direction], base64.b64encode(sheet).decode())
            for direction, sheet in sheets.items()
        },
        arrows=arrows,
        landmarks=landmarks,
        left_out=left_out(comparison),
    )


def comparison_csv(comparison: Comparison) -> str:
    """The table as CSV, a row a run."""
    return rows_csv(table(comparison))


def rows_csv(rows: Sequence[dict[str, str]]) -> str:
    """Rows as CSV, with the columns of all."""
    file = StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


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
    console = Console(width=WIDTH, markup=False, highlight=False)
    with console.capture() as captured:
        if comparison.protocols:
            console.print(shown)
        else:
            console.print("No gaze errors: the real test eyes have no labels.")
    lines = [captured.get().rstrip("\n"), *textwrap.wrap(uncertainty(comparison), WIDTH), ""]
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
    """What the tests rest on, each sentence once."""
    return list(dict.fromkeys(caveat for test in comparison.tests for caveat in test.found.caveats))


def left_out(comparison: Comparison) -> list[str]:
    """What is not in the comparison and why, in sentences."""
    return comparison.omitted + [
        f"{run.label}, {spaced(protocol)}: {reason}."
        for run in comparison.runs
        for protocol, reason in run.evaluation.skipped.items()
    ]


def uncertainty(comparison: Comparison) -> str:
    """What the intervals are over, in words."""
    if not comparison.persons:
        return ""
    over = f"over {comparison.persons} persons" if comparison.persons > 1 else "over the eyes of one person"
    seeds = min(len(run.evaluation.seeds) for run in comparison.runs)
    noise = " Of a run of one seed the noise of training is not in them." if seeds == 1 else ""
    return f"After ± the standard deviation over seeds; below the 95 % interval, {over} and seeds.{noise}"


def _title(comparison: Comparison) -> str:
    labels = [run.label for run in comparison.runs]
    if len(labels) > MOST_NAMED:
        return f"Comparison of {len(labels)} evaluations"
    return f"{', '.join(labels[:-1])} and {labels[-1]} compared"


def mean_error_cell(error: MeanError) -> str:
    """An error as it is read: mean and spread over seeds, and in a second line the interval."""
    spread = f" ± {error.spread:.2f}" if error.spread is not None else ""
    return f"{error.mean:.2f}{spread}\n{error.low:.2f} to {error.high:.2f}"


def _preserved(comparison: Comparison) -> list[tuple[str, str, dict[str, float]]]:
    """Run, direction, and the measures of that direction."""
    rows = []
    for run, kept in zip(comparison.runs, comparison.preservation, strict=True):
        for direction in DIRECTIONS:
            start = f"{direction}/"
            values = {name.removeprefix(start): kept[name] for name in kept if name.startswith(start)}
            if values:
                rows.append((run.label, direction, values))
    return rows
