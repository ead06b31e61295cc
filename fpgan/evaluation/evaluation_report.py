"""The outcome of an evaluation, as text for the console."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fpgan.errors import InputError
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.wording import spaced

WIDTH = 116


def evaluation_report(metrics: Path) -> str:
    """The table of gaze errors with its protocol and comparisons, and the pictures beside the metrics file.

    Raises InputError when there is no such file.
    """
    if not metrics.is_file():
        raise InputError(f"{metrics}: no such file; run `dvc repro` first")
    pictures = [path for path in sorted(metrics.parent.rglob("*.*")) if path.suffix in (".png", ".csv")]
    return scores_report(json.loads(metrics.read_text()), pictures)


def scores_report(scores: dict[str, Any], written: Sequence[Path]) -> str:
    """The content of a metrics file as text, and the paths of pictures and tables."""
    console = Console(width=WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(_error_table(scores["gaze_error_degrees"], scores["skipped"]))
        console.print(_footnote(scores["gaze_error_degrees"]))
        console.print(scores["protocol"])
        if scores["against_no_adaptation"]:
            console.print("\nAgainst no adaptation, on the same eyes:")
        for name, found in scores["against_no_adaptation"].items():
            console.print(f"  {spaced(name)}: {found['verdict']}")
        for caveat in _caveats(scores["against_no_adaptation"]):
            console.print(f"  {caveat}")
        console.print("\nWhat translation keeps:")
        for direction, kept in scores["preservation"].items():
            console.print(
                f"  {direction}: gaze drifts {kept['gaze_drift_degrees']:.2f} degrees, landmarks "
                f"{kept['landmark_drift_pixels']:.2f} pixels; a pixel changes by {kept['change']:.0f} of 255 "
                f"({kept['unchanged_share']:.0%} of the eyes hardly at all), there and back by "
                f"{kept['cycle_error']:.0f}"
            )
        if scores["quality"]:
            console.print("\nHow much translations look like the other domain:")
        for direction, found in scores["quality"].items():
            distance = found["sliced_wasserstein"]
            console.print(
                f"  {direction}: sliced Wasserstein distance {distance['before']:.2f} before, "
                f"{distance['after']:.2f} after ({distance['floor']:.2f} within the other domain); "
                f"a classifier trained to unmask them takes {found['taken_for_target']:.0%} for it (50% at "
                "best)"
            )
        console.print("\nPictures and tables:")
        for path in written:
            console.print(f"  {path}")
    return captured.get()


def _caveats(comparisons: dict[str, dict[str, Any]]) -> list[str]:
    """Those of all comparisons, each once."""
    return list(dict.fromkeys(caveat for found in comparisons.values() for caveat in found["caveats"]))


def _error_table(errors: dict[str, dict[str, Any]], skipped: dict[str, str]) -> Table:
    table = Table(title="Gaze error, degrees (S synthetic, R real)", title_justify="left")
    table.add_column("protocol")
    table.add_column("what is measured")
    headings = ("mean", "\N{PLUS-MINUS SIGN} seeds", "95 % interval", "median", "< 5°", "eyes")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, protocol in PROTOCOLS.items():
        if name in errors:
            row = errors[name]
            table.add_row(
                spaced(name),
                protocol.meaning,
                f"{row['mean']:.2f}",
                "-" if row["spread"] is None else f"{row['spread']:.2f}",
                f"{row['low']:.2f} to {row['high']:.2f}{'*' if row['over'] == 'eyes' else ''}",
                f"{row['median']:.2f}",
                f"{row['share_under_5']:.0%}",
                str(row["eyes"]),
            )
        elif name in skipped:
            table.add_row(spaced(name), f"skipped: {skipped[name]}", *["-"] * len(headings))
    return table


def _footnote(errors: dict[str, dict[str, Any]]) -> str:
    """What the intervals are over."""
    starred = any(row["over"] == "eyes" for row in errors.values())
    over = "persons (* eyes, which are of one person or synthetic)" if starred else "persons"
    if any(row["seeds"] > 1 for row in errors.values()):
        return f"Intervals: bootstrap over {over} and over seeds."
    return f"Intervals: bootstrap over {over}. With one seed the noise of training is not in them."
