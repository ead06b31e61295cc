"""Sheets of the same eyes as several runs translate them, in the style of FP-GAN's comparison."""

import textwrap

import numpy as np
from matplotlib.figure import Figure

from fpgan.data.eyes import LANDMARKS
from fpgan.evaluation.record import Shown
from fpgan.figures.eye_sheets import draw_eye

ROWS = 8
COLUMN_INCHES = 1.7
TITLE_CHARACTERS = 24  # a line of a column's title


def comparison_sheet(runs: dict[str, Shown], *, arrows: bool, landmarks: bool, rows: int = ROWS) -> Figure:
    """Eyes in the first column, then their translations, a column a run; the runs show the same eyes.

    Orange arrows are gaze labels, blue ones what the estimator trained on S reads from each picture; dots
    are the landmarks found in each picture. At most `rows` eyes, spread over those shown, are drawn.
    """
    first = next(iter(runs.values()))
    chosen = np.linspace(0, len(first.source) - 1, min(rows, len(first.source))).round().astype(int)
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
