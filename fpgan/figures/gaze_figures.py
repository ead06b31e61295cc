"""Figures of gaze distributions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Colours of Okabe and Ito, which colour-blind people can distinguish.
LABEL_STYLES: list[dict[str, Any]] = [
    {"color": "black", "linewidth": 2.2, "alpha": 0.45},
    {"color": "#D55E00", "linewidth": 1.4},
    {"color": "#999999", "linewidth": 1.2, "linestyle": "--"},
    {"color": "#0072B2", "linewidth": 1.4},
]


def gaze_figure(gazes: dict[str, NDArray[np.floating]]) -> Figure:
    """Gaze of several eye sets, each (N, 2) in radians: both angles in a plane, and the density of each."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    plane, pitch, yaw = figure.subplots(1, 3)
    most = max(float(np.abs(np.degrees(gaze)).max()) for gaze in gazes.values())
    bins = np.linspace(-most, most, 60)
    for name, gaze in gazes.items():
        degrees = np.degrees(gaze)
        plane.plot(degrees[:, 1], degrees[:, 0], ".", markersize=2, alpha=0.4, label=name)
        for axes, column in ((pitch, 0), (yaw, 1)):
            axes.hist(degrees[:, column], bins=bins, histtype="step", density=True, linewidth=1.4, label=name)
    plane.set(xlabel="yaw, degrees (+: image left)", ylabel="pitch, degrees (+: up)", aspect="equal")
    plane.invert_xaxis()  # so that an eye looking to the image's left is on the left
    pitch.set(xlabel="gaze pitch, degrees (+: up)", ylabel="density")
    yaw.set(xlabel="gaze yaw, degrees (+: image left)")
    yaw.legend(frameon=False)
    return figure


def label_figure(labels: Mapping[str, NDArray[np.floating]]) -> Figure:
    """Distributions of labels (N, 4) of eye sets: gaze pitch and yaw, head pitch and yaw, in radians.

    Leaves out angles that are unknown in a whole set.
    """
    figure = Figure(figsize=(13, 3.3), layout="constrained")
    axes = figure.subplots(1, 4, sharey=True)
    names = (
        "gaze pitch (+: up)",
        "gaze yaw (+: image left)",
        "head pitch (+: up)",
        "head yaw (+: image left)",
    )
    known = [
        np.degrees(found[:, column][np.isfinite(found[:, column])])
        for found in labels.values()
        for column in range(4)
    ]
    most = max(float(np.abs(degrees).max()) for degrees in known if len(degrees))
    bins = np.linspace(-most, most, 50)
    for index, (name, style) in enumerate(zip(labels, LABEL_STYLES, strict=False)):
        for column, place in enumerate(axes):
            degrees = known[4 * index + column]
            if len(degrees):
                place.hist(degrees, bins=bins, histtype="step", density=True, label=name, **style)
    for place, name in zip(axes, names, strict=True):
        place.set(xlabel=f"{name}, degrees")
    axes[0].set(ylabel="density")
    axes[0].legend(frameon=False, fontsize=7)
    return figure
