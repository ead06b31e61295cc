"""Figures of eyes with their gaze and landmarks, alone and above their translations."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fpgan.data.eyes import LANDMARKS, spread_rows
from fpgan.data.gaze import angles_to_vectors

ARROW = 0.3  # length of a gaze arrow seen from the side, in picture widths
COLUMNS = 8


def draw_eye(
    axes: Axes,
    picture: NDArray[np.uint8],
    gaze: NDArray[np.floating] | None = None,
    landmarks: NDArray[np.floating] | None = None,
    color: str = "tab:orange",
    start: NDArray[np.floating] | None = None,
) -> None:
    """Draws one eye (H, W[, 3]), its landmarks (18, 2) as dots, its gaze (2,) as an arrow.

    The arrow starts at `start` (2,), by default at the iris landmark, without landmarks in the middle.
    """
    height, width = picture.shape[:2]
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    begin = np.array([(width - 1) / 2, (height - 1) / 2])
    if landmarks is not None and np.isfinite(landmarks).all():
        for points, dots in ((landmarks[:8], "tab:cyan"), (landmarks[8:16], "tab:green")):
            closed = np.concatenate([points, points[:1]])
            axes.plot(closed[:, 0], closed[:, 1], ".-", color=dots, markersize=2, linewidth=0.6)
        axes.plot(*landmarks[16], "+", color="tab:green", markersize=4)
        begin = landmarks[LANDMARKS - 2]
    if start is not None:
        begin = start
    if gaze is not None and np.isfinite(gaze).all():
        x, y, _ = angles_to_vectors(gaze)
        axes.annotate(
            "",
            xytext=tuple(begin),
            xy=tuple(begin + np.array([x, y]) * ARROW * width * 2),
            arrowprops={"arrowstyle": "->", "color": color, "linewidth": 1.3},
            annotation_clip=False,
        )
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])


def eye_sheet(
    pictures: NDArray[np.uint8], gaze: NDArray[np.floating], landmarks: NDArray[np.floating]
) -> Figure:
    """Eyes (N, H, W[, 3]) with gaze (N, 2) and landmarks (N, 18, 2), eight per line."""
    lines = -(-len(pictures) // COLUMNS)
    height, width = pictures.shape[1:3]
    figure = Figure(figsize=(12, 12 / COLUMNS * lines * height / width), layout="constrained")
    axes = figure.subplots(lines, COLUMNS, squeeze=False)
    for i, place in enumerate(axes.flat):
        if i < len(pictures):
            draw_eye(place, pictures[i], gaze[i], landmarks[i])
        else:
            place.axis("off")
    return figure


def translation_sheet(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    *,
    gaze: NDArray[np.floating] | None = None,
    gaze_after: NDArray[np.floating] | None = None,
    landmarks_before: NDArray[np.floating] | None = None,
    landmarks_after: NDArray[np.floating] | None = None,
    pairs: int = 2 * COLUMNS,
) -> Figure:
    """Eyes (N, H, W[, 3]) above their translations: at most `pairs`, spread over the set.

    Orange arrows are the labels `gaze`, blue arrows the estimates `gaze_after` on the translations.
    """
    rows = spread_rows(len(before), pairs)
    lines = -(-len(rows) // COLUMNS)
    height, width = before.shape[1:3]
    figure = Figure(figsize=(12, 24 / COLUMNS * lines * height / width), layout="constrained")
    axes = figure.subplots(2 * lines, COLUMNS, squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for i, row in enumerate(rows):
        line, column = divmod(i, COLUMNS)
        above, below = axes[2 * line, column], axes[2 * line + 1, column]
        draw_eye(above, before[row], _row(gaze, row), _row(landmarks_before, row))
        draw_eye(below, after[row], _row(gaze, row), _row(landmarks_after, row))
        if gaze_after is not None:
            draw_eye(below, after[row], gaze_after[row], _row(landmarks_after, row), "tab:blue")
    return figure


def _row(values: NDArray[np.floating] | None, row: int) -> NDArray[np.floating] | None:
    return None if values is None else values[row]
