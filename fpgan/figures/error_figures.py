"""Figures of gaze errors: distributions, maps over angles, persons; styles are in `PROTOCOLS`."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from fpgan.evaluation.estimates import ErrorMap, Estimates, error_map
from fpgan.evaluation.protocols import PROTOCOLS, Style
from fpgan.evaluation.statistics import mean_interval
from fpgan.wording import spaced, with_spread

MARKS = (5, 7)  # degrees: the summary gives the share of errors below each
PANELS = 4  # maps per line
PANEL = 2.9  # inches


def error_distributions(estimates: Mapping[str, Estimates]) -> Figure:
    """Angular errors of several protocols with a style: the cumulative share of eyes, and a histogram."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1], sharex=True)
    drawn = _styled(estimates)
    most = max(float(np.percentile(found.errors, 99)) for _, found, _ in drawn)
    bins = np.linspace(0, most, 30)
    for name, found, style in drawn:
        label = f"{spaced(name)}: mean {with_spread(found.mean, found.spread)}, median {found.median:.2f}"
        rising, share = found.cumulative()
        left.step(
            np.append(0, rising),
            np.append(0, share),
            where="post",
            color=style.color,
            linestyle=style.line,
            linewidth=1.5,
            label=label,
        )
        count, _ = np.histogram(found.errors, bins)
        right.stairs(
            count / found.errors.size / np.diff(bins),
            bins,
            color=style.color,
            linestyle=style.line,
            linewidth=1.3,
        )
    for axes in (left, right):
        for mark in MARKS:
            axes.axvline(mark, color="0.75", linewidth=0.8, zorder=0)
            top = axes.get_xaxis_transform()
            axes.text(mark, 1.01, f"{mark}°", transform=top, ha="center", fontsize=8, color="0.4")
        axes.set_xlabel("angular error, degrees")
        axes.spines[["top", "right"]].set_visible(False)
    left.set(ylabel="eyes with a smaller error", xlim=(0, most), ylim=(0, 1))
    left.yaxis.set_major_formatter(PercentFormatter(1))
    left.legend(fontsize=8, frameon=False, loc="lower right")
    right.set(ylabel="share of eyes per degree", ylim=(0, None))
    right.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def error_maps(
    estimates: Mapping[str, Estimates], angles: NDArray[np.floating], kind: Literal["gaze", "head"]
) -> Figure:
    """Mean errors of several protocols by true gaze or by head pose, in one colour scale, and counts of eyes.

    `angles` (N, 2), pitch and yaw in radians, belong to the eyes that all protocols were tested on. Eyes
    whose angles are NaN are left out and counted; bins with too few eyes are white. Raises ValueError if the
    angles of no eye are known.
    """
    maps = {name: error_map(found, angles) for name, found in estimates.items()}
    one = next(iter(maps.values()))
    pitch, yaw = (_shown_range(one, axis) for axis in (0, 1))
    columns = min(len(maps) + 1, PANELS)
    lines = -(-(len(maps) + 1) // columns)
    tall = float(np.clip(np.ptp(pitch) / np.ptp(yaw), 0.4, 1.6))
    figure = Figure(figsize=(PANEL * columns + 0.8, (PANEL * tall + 0.6) * lines + 0.7), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False)
    *places, count_panel = axes.flat
    panels, unused = places[: len(maps)], places[len(maps) :]
    shown = np.concatenate([found.mean[np.isfinite(found.mean)] for found in maps.values()])
    scale = Normalize(float(shown.min()), float(shown.max())) if shown.size else Normalize(0, 1)
    for panel, (name, found) in zip(panels, maps.items(), strict=True):
        mesh = _draw_map(panel, found, found.mean, "viridis", scale)
        panel.set_title(f"{spaced(name)}, mean {estimates[name].mean:.2f}", fontsize=9)
    figure.colorbar(
        mesh, ax=axes, location="bottom", label="mean angular error, degrees", shrink=0.4, aspect=40
    )
    eyes = np.where(one.eyes, one.eyes, np.nan)
    mesh = _draw_map(count_panel, one, eyes, "Greys", LogNorm(1, max(float(np.nanmax(eyes)), 2)))
    unknown = f", {one.unknown} more are unknown" if one.unknown else ""
    count_panel.set_title(f"eyes in each bin{unknown}", fontsize=9)
    figure.colorbar(mesh, cax=count_panel.inset_axes((1.04, 0, 0.05, 1)), label="eyes")
    angle = "true gaze" if kind == "gaze" else "head"
    for panel in (*panels, count_panel):
        panel.set(xlim=yaw[::-1], ylim=pitch)  # so that an eye looking to the image's left is on the left
        panel.set_xlabel(f"{angle} yaw, degrees (+: image left)", fontsize=8)
        if panel in axes[:, 0]:
            panel.set_ylabel(f"{angle} pitch, degrees (+: up)", fontsize=8)
    for panel in unused:
        panel.axis("off")
    return figure


def person_errors(estimates: Mapping[str, Estimates]) -> Figure:
    """Mean error of every person and of all persons, by protocol with a style, with 95 % intervals.

    Intervals of a person are over that person's eyes and seeds, intervals of all over persons and seeds.
    """
    drawn = _styled(estimates)
    persons = sorted({person for _, found, _ in drawn for person in found.persons})
    groups = [*persons, "all"]
    figure = Figure(
        figsize=(max(6.5, 1.5 + 0.11 * len(groups) * (len(drawn) + 1)), 3.6), layout="constrained"
    )
    axes = figure.subplots()
    shifts = np.linspace(-0.36, 0.36, len(drawn) + 2)[1:-1]
    most = 0.0
    for shift, (name, found, style) in zip(shifts, drawn, strict=True):
        parts = {person: found.of_person(person) for person in found.persons} | {"all": found}
        places = np.array([groups.index(group) for group in parts]) + shift
        means = [part.mean for part in parts.values()]
        axes.plot(places, means, style.marker, color=style.color, markersize=4.5, label=spaced(name))
        for place, part in zip(places, parts.values(), strict=True):
            if len(part.person) > 1:  # the interval of a single eye is 0 to 180 degrees
                low, high, _ = mean_interval(part)
                axes.vlines(place, low, high, color=style.color, linewidth=1.2)
                most = max(most, high)
        most = max(most, *means)
    for group in range(0, len(groups), 2):
        axes.axvspan(group - 0.5, group + 0.5, color="0.95", zorder=0)
    axes.axvline(len(persons) - 0.5, color="0.4", linewidth=0.8)
    axes.set(
        xticks=range(len(groups)),
        xticklabels=groups,
        xlim=(-0.5, len(groups) - 0.5),
        ylim=(0, most * 1.03),
        xlabel="test person",
        ylabel="mean angular error, degrees",
    )
    axes.tick_params(axis="x", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=8, frameon=False, loc="outside upper center", ncols=min(len(drawn), 6))
    return figure


def _styled(estimates: Mapping[str, Estimates]) -> list[tuple[str, Estimates, Style]]:
    return [(name, found, style) for name, found in estimates.items() if (style := PROTOCOLS[name].style)]


def _shown_range(found: ErrorMap, axis: Literal[0, 1]) -> tuple[float, float]:
    """The range of bins with enough eyes, in degrees."""
    edges = (found.pitch_edges, found.yaw_edges)[axis]
    bins = np.flatnonzero(np.isfinite(found.mean).any(axis=1 - axis))
    return (edges[bins[0]], edges[bins[-1] + 1]) if len(bins) else (edges[0], edges[-1])


def _draw_map(axes: Axes, found: ErrorMap, values: NDArray, colors: str, scale: Normalize) -> QuadMesh:
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    return axes.pcolormesh(found.yaw_edges, found.pitch_edges, values, cmap=colors, norm=scale)
