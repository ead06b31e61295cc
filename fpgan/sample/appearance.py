"""The looks of an eye and the face around it: sizes in millimetres, colours in RGB from 0 to 1.

Sizes follow UnityEyes (Wood et al., ETRA 2016), whose records give them: eyeball radius 11.96, iris
radius up to 5.865, its plane 10.752 in front of the eyeball's centre, fissure about 25 long.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Color = tuple[float, float, float]

EYEBALL_RADIUS = 11.96
IRIS_DISTANCE = 10.752
IRIS_RADIUS = 5.865

IRIS_COLORS: dict[str, Color] = {
    "brown": (0.30, 0.18, 0.10),
    "dark_brown": (0.19, 0.12, 0.08),
    "deep_brown": (0.10, 0.07, 0.055),
    "amber": (0.42, 0.27, 0.12),
    "green": (0.33, 0.36, 0.22),
    "grey": (0.38, 0.42, 0.45),
    "blue": (0.30, 0.42, 0.54),
}
IRIS_SHARES = (0.34, 0.24, 0.04, 0.14, 0.08, 0.08, 0.08)
PERSON_IRIS_SHARES = (0.15, 0.30, 0.40, 0.03, 0.03, 0.04, 0.05)
LIGHTEST_SKIN = np.array([0.94, 0.78, 0.69])
DARKEST_SKIN = np.array([0.40, 0.26, 0.19])


@dataclass(frozen=True)
class Appearance:
    """One person's eye region."""

    iris: str
    iris_size: float
    """Of the largest iris, 0.9 to 1."""
    pupil_radius: float
    inner_corner: float
    """Distance of the fissure's nasal end from the eyeball's centre, across."""
    outer_corner: float
    tilt: float
    """Height of the outer corner above the inner one."""
    upper_height: float
    """Of the upper lid above the line of the corners, looking straight ahead."""
    lower_height: float
    neutral_pitch: float
    """Pitch, in radians and the eye frame, at which the lids have those heights."""
    crease: float
    """Distance of the lid crease above the upper lid's edge."""
    crease_depth: float
    skin: Color
    redness: float
    """Of lid margins and of the sclera's corners, 0 to 1."""
    sclera: float
    """Brightness of the white."""
    socket: float
    """Darkness of the eye socket, 0 to 1."""
    brow: float
    """Darkness of the brow, 0 to 1."""
    brow_height: float
    lashes: float
    """Their length."""
    glasses: bool
    texture: int
    """Seed of iris fibres, hairs and pores."""


def draw_appearance(random: np.random.Generator) -> Appearance:
    """A random person with the uniform looks of UnityEyes."""
    tone = random.beta(1.3, 1.9)
    skin = LIGHTEST_SKIN * (1 - tone) + DARKEST_SKIN * tone + random.normal(0, 0.015, 3)
    return Appearance(
        iris=str(random.choice(list(IRIS_COLORS), p=IRIS_SHARES)),
        iris_size=random.uniform(0.9, 1.0),
        pupil_radius=random.uniform(1.6, 2.7),
        inner_corner=random.uniform(13.2, 15.2),
        outer_corner=random.uniform(11.6, 13.4),
        tilt=random.normal(1.2, 0.8),
        upper_height=random.normal(5.3, 0.6),
        lower_height=random.normal(3.6, 0.35),
        neutral_pitch=0.0,
        crease=random.uniform(2.4, 4.4),
        crease_depth=random.uniform(0.25, 0.6),
        skin=(float(skin[0]), float(skin[1]), float(skin[2])),
        redness=random.uniform(0.2, 0.9),
        sclera=random.uniform(0.76, 0.88),
        socket=random.uniform(0.0, 0.3),
        brow=random.uniform(0.35, 0.9),
        brow_height=random.uniform(15.5, 20.0),
        lashes=random.uniform(4.0, 7.0),
        glasses=False,
        texture=int(random.integers(2**31)),
    )


def draw_person(random: np.random.Generator) -> Appearance:
    """A laptop user: a wider fissure, a duller white, deeper sockets, some with glasses."""
    return replace(
        draw_appearance(random),
        inner_corner=random.uniform(14.5, 16.4),
        outer_corner=random.uniform(12.6, 14.4),
        upper_height=random.normal(6.8, 0.4),
        lower_height=random.normal(3.6, 0.4),
        neutral_pitch=random.normal(0, 0.02),
        crease=random.uniform(1.6, 4.6),
        iris=str(random.choice(list(IRIS_COLORS), p=PERSON_IRIS_SHARES)),
        sclera=random.uniform(0.66, 0.84),
        socket=random.uniform(0.5, 0.9),
        glasses=bool(random.random() < 0.15),
    )
