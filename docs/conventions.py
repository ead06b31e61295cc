"""Draws conventions.png: the camera frame, and an eye at five gaze directions.

python docs/conventions.py
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from fpgan.figures.eye_sheets import draw_eye
from fpgan.sample.write_unityeyes import HEIGHT, WIDTH, draw_picture, draw_scene, looking

SEED, PICTURE = 0, 5
SHOWN = slice(130, 350), slice(150, 490)  # rows and columns of the picture
GAZES = {  # degrees, pitch and yaw, by line and column
    (0, 1): (18, 0),
    (1, 0): (0, 22),
    (1, 1): (0, 0),
    (1, 2): (0, -22),
    (2, 1): (-22, 0),
}


def conventions() -> Figure:
    """The camera frame, and one eye that looks straight ahead, up, down and to both sides."""
    figure = Figure(figsize=(11, 5.8), layout="constrained")
    frame, eyes = figure.subfigures(1, 2, width_ratios=[1, 3.2])
    draw_frame(frame.subplots())
    places = eyes.subplots(3, 3)
    for place in places.flat:
        place.axis("off")
    scene = replace(draw_scene(SEED, PICTURE), light_angles=np.radians([30, 10]))
    for (line, column), degrees in GAZES.items():
        gaze = np.radians(degrees)
        picture = draw_picture(looking(scene, np.concatenate([gaze, np.zeros(2)])))
        place = places[line, column]
        place.axis("on")
        middle = np.array([WIDTH / 2 - SHOWN[1].start, HEIGHT / 2 - SHOWN[0].start])
        draw_eye(place, picture[SHOWN], gaze, start=middle)
        place.set_title(
            "pitch {}°, yaw {}°".format(*(f"{angle:+d}" if angle else "0" for angle in degrees)), fontsize=10
        )
    places[1, 1].set_xlabel("inner corner on the left", fontsize=8, loc="left")
    return figure


def draw_frame(axes: Axes) -> None:
    """The camera frame as the camera sees it."""
    for direction, name, place in (((1, 0), "x", (1.12, 0)), ((0, 1), "y", (0, 1.14))):
        axes.annotate("", xy=direction, xytext=(0, 0), arrowprops={"arrowstyle": "-|>", "linewidth": 1.8})
        axes.text(*place, name, fontsize=13, ha="center", va="center", style="italic")
    axes.add_patch(Circle((0, 0), 0.09, fill=False, linewidth=1.5))
    axes.plot([-0.06, 0.06], [-0.06, 0.06], "k", [-0.06, 0.06], [0.06, -0.06], "k", linewidth=1.3)
    axes.text(-0.2, 0, "z", fontsize=13, ha="center", va="center", style="italic")
    axes.text(0.45, -0.45, "z: away from\nthe camera", fontsize=9, ha="center")
    axes.set(xlim=(-0.4, 1.3), ylim=(1.5, -0.8), aspect="equal")
    axes.set_title("camera frame, millimetres", fontsize=10)
    axes.axis("off")


if __name__ == "__main__":
    conventions().savefig(Path(__file__).with_suffix(".png"), dpi=100)
