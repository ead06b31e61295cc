"""Where eyes look: distributions of gaze."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def gaze_figure(gazes: dict[str, NDArray[np.floating]]) -> Figure:
    """Gaze distributions of several eye sets, each (N, 2) in radians: where they overlap, and each angle."""
    figure, (plane, pitch, yaw) = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
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
