"""Figures of the labels and the framing of an eye set, and of the differences between two sets."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from fpgan.data.eyes import Eyes
from fpgan.figures.eye_sheets import draw_eye
from fpgan.inspection.findings import CONTRADICTS, FOLLOWS, MPIIGAZE, angle_columns, following
from fpgan.inspection.framing import CENTERED_RADIUS, WIDTH, Framing, FramingDifference
from fpgan.inspection.survey import Survey

Array = NDArray[np.floating]

LINES, COLUMNS = 4, 9  # of eyes
WIDE = 14.0  # inches
WRONG, RIGHT, UNKNOWN, IRIS, REFERENCE = "tab:red", "tab:green", "tab:gray", "magenta", "tab:blue"


def inspection_figure(survey: Survey, measured: Eyes, framing: Framing, problems: list[str]) -> Figure:
    """One set: likely mistakes, eyes in the order of their gaze labels, framing, signs, distributions.

    `measured` are the eyes on which `framing` was measured.
    """
    labelled = bool(measured.has_gaze.sum() >= LINES * COLUMNS)
    angles = angle_columns(survey)
    height, width = measured.image.shape[1:3]
    sentences = problems or ["Nothing looks wrong."]
    lines = [line for text in sentences for line in textwrap.wrap(text, 150, initial_indent="\N{BULLET} ")]
    heights = [
        0.55 + 0.2 * len(lines),
        1.1 + WIDE * 0.93 / COLUMNS * LINES * height / width,
        3.1,
        *([2.2] if angles else []),
    ]
    figure = Figure(figsize=(WIDE, sum(heights)), layout="constrained")
    parts = _bands(figure, heights)
    parts[0].text(
        0.01, 0.97, f"{survey.source}: {survey.data_set.kind}", fontsize=12, weight="bold", va="top"
    )
    parts[0].text(
        0.01,
        1 - 0.38 / heights[0],
        "\n".join(lines),
        color=WRONG if problems else RIGHT,
        fontsize=10,
        va="top",
    )
    _show_eyes(parts[1], measured, framing, labelled)
    _show_framing(parts[2], measured, framing, labelled)
    if angles:
        _show_distributions(parts[3], angles)
    return figure


def comparison_figure(
    names: tuple[str, str],
    framings: tuple[Framing, Framing],
    eyes: tuple[Eyes, Eyes],
    comparison: FramingDifference,
    sentences: list[str],
) -> Figure:
    """Two sets: some eyes of each, both mean eyes, one with the contours of the other, and both irises."""
    lines = [line for text in sentences for line in textwrap.wrap(text, 150, initial_indent="\N{BULLET} ")]
    top = 0.55 + 0.2 * len(lines)
    strips = [WIDE / COLUMNS * 2 * each.image.shape[1] / each.image.shape[2] + 0.35 for each in eyes]
    heights = [top, *strips, 3.4, 2.9]
    figure = Figure(figsize=(WIDE, sum(heights)), layout="constrained")
    parts = _bands(figure, heights)
    parts[0].text(0.01, 0.97, f"A: {names[0]}\nB: {names[1]}", fontsize=11, weight="bold", va="top")
    parts[0].text(0.01, 1 - 0.52 / top, "\n".join(lines), fontsize=10, va="top")
    for part, letter, each, framing in zip(parts[1:3], "AB", eyes, framings, strict=True):
        part.suptitle(f"{letter}, eyes drawn at random", fontsize=10)
        axes = part.subplots(2, COLUMNS)
        _draw_eyes(axes, each, framing, np.arange(min(len(each), axes.size)))
    left, middle, right = parts[3].subplots(1, 3)
    for axes, letter, framing in ((left, "A", framings[0]), (middle, "B", framings[1])):
        _draw_mean_eye(axes, framing)
        axes.set_title(f"mean eye of {letter}; iris radius {framing.iris_radius:.1f} px", fontsize=10)
    _draw_mean_eye(right, framings[1])
    right.contour(framings[0].mean_eye, levels=6, colors="tab:orange", linewidths=0.9)
    right.set_title("B, with the contours of A", fontsize=10)
    left, middle, right = parts[4].subplots(1, 3)
    for axes, letter, framing in ((left, "A", framings[0]), (middle, "B", framings[1])):
        axes.imshow(framing.centered_eye, cmap="gray")
        _hide_ticks(axes)
        axes.set_title(f"{letter} around the iris, at one iris size", fontsize=10)
        _circle(axes, _middle(framing.centered_eye), CENTERED_RADIUS, 1.5)
    difference = framings[0].centered_eye - framings[1].centered_eye
    right.imshow(difference, cmap="RdBu_r", vmin=-128, vmax=128)
    _hide_ticks(right)
    right.set_title(
        f"A minus B (blue: A darker); asymmetries correlate {comparison.asymmetry:+.2f}", fontsize=10
    )
    return figure


def _bands(figure: Figure, heights: list[float]) -> list[SubFigure]:
    """The figure divided into horizontal bands."""
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    return [figure.add_subfigure(grid[i, 0]) for i in range(len(heights))]


def _show_eyes(part: SubFigure, eyes: Eyes, framing: Framing, labelled: bool) -> None:
    axes = part.subplots(LINES, COLUMNS)
    if labelled:
        part.suptitle(
            "Eyes in the order of their gaze labels. Eyes on the left must look to the left (yaw > 0), "
            "eyes at the top up (pitch > 0), each along its arrow.\n",
            fontsize=10,
        )
        part.supylabel("\N{LEFTWARDS ARROW} down      pitch label      up \N{RIGHTWARDS ARROW}", fontsize=9)
        part.supxlabel(
            "\N{LEFTWARDS ARROW} to the picture's left        yaw label        to the right "
            "\N{RIGHTWARDS ARROW}",
            fontsize=9,
        )
        _draw_eyes(axes, eyes, framing, _by_gaze(eyes, framing))
    else:
        part.suptitle("Eyes drawn at random, with the irises found in them; no gaze labels", fontsize=10)
        _draw_eyes(axes, eyes, framing, np.arange(min(len(eyes), axes.size)))


def _by_gaze(eyes: Eyes, framing: Framing) -> NDArray[np.integer]:
    """Rows of LINES x COLUMNS eyes, for each cell the clearest one: yaw falls from left to right, pitch from
    top to bottom."""
    known = np.flatnonzero(eyes.has_gaze)
    known = known[np.argsort(-eyes.gaze[known, 1], kind="stable")]
    chosen = np.empty((LINES, COLUMNS), int)
    for i, column in enumerate(np.array_split(known, COLUMNS)):
        column = column[np.argsort(-eyes.gaze[column, 0], kind="stable")]
        for j, cell in enumerate(np.array_split(column, LINES)):
            chosen[j, i] = cell[framing.found.clarity[cell].argmax()]
    return chosen.ravel()


def _draw_eyes(axes: NDArray, eyes: Eyes, framing: Framing, rows: NDArray[np.integer]) -> None:
    scale = eyes.image.shape[2] / WIDTH
    middle = _middle(eyes.image[0])
    for i, place in enumerate(axes.flat):
        if i >= len(rows):
            place.axis("off")
            continue
        row = rows[i]
        found = framing.found.center[row] * scale + middle
        start = None if eyes.has_landmarks[row] else found
        draw_eye(place, eyes.image[row], eyes.gaze[row], eyes.landmarks[row], start=start)
        if start is not None:
            radius = framing.found.radius[row] * scale
            _circle(place, found, radius, 0.7)


def _show_framing(part: SubFigure, eyes: Eyes, framing: Framing, labelled: bool) -> None:
    count = 4 if labelled else 2
    axes = part.subplots(1, count, width_ratios=[1.5, 1, 1, 1][:count])
    _draw_mean_eye(axes[0], framing)
    axes[0].set_title(
        f"mean eye; inner corner must be on the left; iris radius {framing.iris_radius:.1f} px", fontsize=10
    )
    irises = framing.found
    places = axes[-1]
    places.plot(*irises.center[irises.clear].T, ".", markersize=3, alpha=0.5, color=IRIS)
    height = framing.mean_eye.shape[0]
    places.set(
        xlim=(-WIDTH / 2, WIDTH / 2),
        ylim=(height / 2, -height / 2),
        aspect="equal",
        xlabel="x, px",
        ylabel="y, px",
    )
    places.axhline(0, color="0.8", linewidth=0.8)
    places.axvline(0, color="0.8", linewidth=0.8)
    places.set_title("places of the irises found", fontsize=10)
    if not labelled:
        return
    seen = following(eyes.gaze, irises)
    rows = irises.clear & eyes.has_gaze
    degrees = np.degrees(eyes.gaze[rows])
    for place, column, name, correlation in (
        (axes[1], 1, "yaw", seen.x_yaw),
        (axes[2], 0, "pitch", seen.y_pitch),
    ):
        coordinate = irises.center[rows, 1 - column]
        color = RIGHT if correlation < FOLLOWS else WRONG if correlation > CONTRADICTS else UNKNOWN
        place.plot(degrees[:, column], coordinate, ".", markersize=3, alpha=0.5, color=color)
        toward = "right" if name == "yaw" else "down"
        place.set(
            xlabel=f"gaze {name} label, degrees",
            ylabel=f"iris, px to the {toward}" if name == "yaw" else "iris, px down",
        )
        place.set_title(f"must fall: correlation {correlation:+.2f}", fontsize=10, color=color)
        place.grid(alpha=0.3)


def _show_distributions(part: SubFigure, angles: dict[str, NDArray[np.float32]]) -> None:
    axes = part.subplots(1, len(MPIIGAZE))
    for place, (name, (mean, deviation)) in zip(axes, MPIIGAZE.items(), strict=True):
        if name not in angles:
            place.axis("off")
            continue
        degrees, center, spread = np.degrees(angles[name]), np.degrees(mean), np.degrees(deviation)
        place.axvspan(
            center - 2 * spread,
            center + 2 * spread,
            color=REFERENCE,
            alpha=0.12,
            label="MPIIGaze, mean and 2 sd",
        )
        place.axvline(center, color=REFERENCE, linewidth=1, alpha=0.6)
        place.hist(degrees, bins=40, color="0.35", label="this set")
        positive = "up" if name.endswith("pitch") else "to the image's left"
        place.set(xlabel=f"{name}, degrees (+: {positive})", yticks=[])
    axes[0].legend(fontsize=7, frameon=False, loc="upper left")


def _draw_mean_eye(axes: Axes, framing: Framing) -> None:
    axes.imshow(framing.mean_eye, cmap="gray", vmin=0, vmax=255)
    middle = _middle(framing.mean_eye)
    _circle(axes, middle + framing.iris_center, framing.iris_radius, 1.5)
    axes.axhline(middle[1], color="white", linewidth=0.5, alpha=0.6)
    axes.axvline(middle[0], color="white", linewidth=0.5, alpha=0.6)
    _hide_ticks(axes)


def _circle(axes: Axes, center: Array, radius: float, linewidth: float) -> None:
    place = float(center[0]), float(center[1])
    axes.add_patch(Circle(place, radius, fill=False, color=IRIS, linewidth=linewidth))


def _hide_ticks(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])


def _middle(picture: NDArray) -> Array:
    return (np.array([picture.shape[1], picture.shape[0]]) - 1) / 2
