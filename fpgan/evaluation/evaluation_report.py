"""The results of an evaluation as text for the console."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from fpgan.errors import InputError
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.evaluation.tables import console_text
from fpgan.wording import spaced


def evaluation_report(metrics: Path) -> str:
    """The report of a metrics.json, with the paths of tables and pictures beside it.

    Raises InputError if there is no such file.
    """
    if not metrics.is_file():
        raise InputError(f"{metrics}: no such file; run `dvc repro` first")
    pictures = [path for path in sorted(metrics.parent.rglob("*.*")) if path.suffix in (".png", ".csv")]
    return scores_report(json.loads(metrics.read_text()), pictures)


def scores_report(scores: dict[str, Any], written: Sequence[Path]) -> str:
    """The content of metrics.json as text, and the paths of tables and pictures."""
    errors, comparisons = scores["gaze_error_degrees"], scores["against_no_adaptation"]
    lines = [_footnote(errors), scores["protocol"]]
    if comparisons:
        lines.append("\nCompared with no adaptation, on the same eyes:")
    lines += [f"  {spaced(name)}: {found['verdict']}" for name, found in comparisons.items()]
    lines += [f"  {caveat}" for caveat in _caveats(comparisons)]
    lines.append("\nHow well translation preserves eyes:")
    for direction, kept in scores["preservation"].items():
        lines.append(
            f"  {direction}: gaze drifts by {kept['gaze_drift_degrees']:.2f} degrees, landmarks by "
            f"{kept['landmark_drift_pixels']:.2f} pixels; a pixel changes by {kept['change']:.0f} of 255 "
            f"({kept['unchanged_share']:.0%} of the eyes hardly change), after translation there and back by "
            f"{kept['cycle_error']:.0f}"
        )
    if scores["quality"]:
        lines.append("\nHow much translations look like the target domain:")
    for direction, found in scores["quality"].items():
        distance = found["sliced_wasserstein"]
        lines.append(
            f"  {direction}: sliced Wasserstein distance {distance['before']:.2f} before, "
            f"{distance['after']:.2f} after ({distance['floor']:.2f} within the target domain); a classifier "
            f"trained to detect translations takes {found['taken_for_target']:.0%} for target eyes (at best "
            "50%)"
        )
    lines += ["\nPictures and tables:", *(f"  {path}" for path in written)]
    return console_text(_error_table(errors, scores["skipped"]), *lines)


def _caveats(comparisons: dict[str, dict[str, Any]]) -> list[str]:
    """The caveats of all comparisons, each once."""
    return list(dict.fromkeys(caveat for found in comparisons.values() for caveat in found["caveats"]))


def _error_table(errors: dict[str, dict[str, Any]], skipped: dict[str, str]) -> Table:
    table = Table(title="Gaze error, degrees (S synthetic, R real)", title_justify="left")
    table.add_column("protocol")
    table.add_column("gaze estimator")
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
    """How the intervals were computed."""
    starred = any(row["over"] == "eyes" for row in errors.values())
    over = "persons (* eyes: synthetic, or of one person)" if starred else "persons"
    if any(row["seeds"] > 1 for row in errors.values()):
        return f"Intervals: bootstrap over {over} and over seeds."
    return f"Intervals: bootstrap over {over}. With one seed they leave out the noise of training."
