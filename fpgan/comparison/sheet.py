"""Sheets of the same eyes as translated in several runs, in the style of FP-GAN's comparison."""

import textwrap
from io import BytesIO

from matplotlib.figure import Figure

from fpgan.comparison.side_by_side import Comparison
from fpgan.data.eyes import LANDMARKS, spread_rows
from fpgan.domains import Direction
from fpgan.evaluation.record import Shown
from fpgan.figures.eye_sheets import draw_eye

ROWS = 8
COLUMN_INCHES = 1.7
TITLE_CHARACTERS = 24  # in one line of a column's title


def draw_sheets(comparison: Comparison, *, arrows: bool, landmarks: bool) -> dict[Direction, bytes]:
    """A sheet per direction, as PNG files."""
    labels = [run.label for run in comparison.runs]
    sheets = {}
    for direction, shown in comparison.shown.items():
        figure = comparison_sheet(dict(zip(labels, shown, strict=True)), arrows=arrows, landmarks=landmarks)
        file = BytesIO()
        figure.savefig(file, format="png")
        sheets[direction] = file.getvalue()
    return sheets


def comparison_sheet(runs: dict[str, Shown], *, arrows: bool, landmarks: bool, rows: int = ROWS) -> Figure:
    """The original eyes in the first column, then one column of translations per run; all show the same eyes.

    Orange arrows are gaze labels, blue arrows the estimates on each picture by the estimator trained on
    adapted S, dots the landmarks found in it. Draws at most `rows` eyes, spread over the shown ones.
    """
    first = next(iter(runs.values()))
    chosen = spread_rows(len(first.source), rows)
    columns = [("original", first.source, first.gaze_source, first.landmarks_source)] + [
        (label, shown.translation, shown.gaze_translation, shown.landmarks_translation)
        for label, shown in runs.items()
    ]
    height, width = first.source.shape[1:3]
    figure = Figure(
        figsize=(COLUMN_INCHES * len(columns), (COLUMN_INCHES * height / width) * len(chosen) + 0.4),
        layout="constrained",
    )
    axes = figure.subplots(len(chosen), len(columns), squeeze=False)
    for column, (label, pictures, estimates, points) in zip(axes.T, columns, strict=True):
        column[0].set_title("\n".join(textwrap.wrap(label, TITLE_CHARACTERS)), fontsize=8, parse_math=False)
        for place, row in zip(column, chosen, strict=True):
            found, iris = points[row] if landmarks else None, points[row, LANDMARKS - 2]
            draw_eye(place, pictures[row], first.gaze[row] if arrows else None, found, start=iris)
            if arrows:
                draw_eye(place, pictures[row], estimates[row], found, "tab:blue", start=iris)
    return figure
