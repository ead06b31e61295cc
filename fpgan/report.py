"""The outcome of an evaluation, as text for the console."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fpgan.errors import InputError

PROTOCOLS = {
    "mean_gaze": "always the mean gaze, tested on R",
    "no_adaptation": "trained on S, tested on R",
    "forward": "trained on translated S, tested on R",
    "backward": "trained on S, tested on translated R",
    "real_bound": "trained on R, tested on R",
    "mean_gaze_synthetic": "always the mean gaze, tested on S",
    "synthetic": "trained on S, tested on S",
}


def evaluation_report(metrics: Path) -> str:
    """The table of gaze errors with its protocol, and the pictures beside the metrics file.

    Raises InputError when there is no such file.
    """
    if not metrics.is_file():
        raise InputError(f"{metrics}: no such file; run `dvc repro` first")
    scores = json.loads(metrics.read_text())
    errors, skipped = scores["gaze_error_degrees"], scores["skipped"]
    table = Table(title="Gaze error, degrees (S synthetic, R real)", title_justify="left")
    table.add_column("protocol")
    table.add_column("what is measured")
    for heading in ("mean", "median", "eyes"):
        table.add_column(heading, justify="right")
    for name, meaning in PROTOCOLS.items():
        if name in errors:
            row = errors[name]
            table.add_row(
                name.replace("_", " "),
                meaning,
                f"{row['mean']:.2f}",
                f"{row['median']:.2f}",
                str(row["eyes"]),
            )
        elif name in skipped:
            table.add_row(name.replace("_", " "), f"skipped: {skipped[name]}", "-", "-", "-")
    console = Console(width=100)
    with console.capture() as captured:
        console.print(table)
        console.print(scores["protocol"])
        for direction, kept in scores["preservation"].items():
            console.print(
                f"{direction}: gaze drifts {kept['gaze_drift_degrees']:.2f} degrees, landmarks "
                f"{kept['landmark_drift_pixels']:.2f} pixels; a pixel changes by {kept['change']:.0f} of 255 "
                f"({kept['unchanged_share']:.0%} of the eyes hardly at all)"
            )
        console.print("\nPictures and tables:")
        for path in sorted(metrics.parent.iterdir()):
            if path.suffix in (".png", ".csv"):
                console.print(f"  {path}")
    return captured.get()
