"""The shape of the eye region: lid edges, the skin's surface, and its intersection with rays.

Everything is in the eye frame of `camera.py`, millimetres; the face looks towards -z. The surface is a
height field: `protrusion(x, y)` is the height of the skin over the plane through the eyeball's centre.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgan.sample.appearance import EYEBALL_RADIUS, IRIS_DISTANCE, IRIS_RADIUS, Appearance

Array = NDArray[np.floating]

# The mean place, over all persons, of the middle between the fissure's two ends; the face model's eye
# centres are there, and 33.2049 from the face's plane of symmetry.
CORNERS_MIDDLE = np.array([-1.0, 2.4, -5.5])
NOSE = 34.2049  # from the eyeball's centre to the plane of symmetry
LID_THICKNESS = 0.7
CARUNCLE_SHARE = 0.17  # of the fissure's length
# Millimetres per radian that each lid follows the eye, as in UnityEyes: 1.3 and 0.39 pixels per degree.
UPPER_LID_FOLLOWS = 12.4
LOWER_LID_FOLLOWS = 3.7
LEAST_OPENING = 0.8
STEPS = 5  # of the ray march; the error on the lids is 0.001 mm, except where the outer corner is hidden
# Limits of the rate at which a ray gets deeper; 1 where the skin faces the camera. Without them a step would
# be infinite where the ray grazes the skin.
SLOPES = (0.6, 1.7)


@dataclass(frozen=True)
class Lids:
    """The edges of the lids as two curves y(x) between the corners."""

    inner: tuple[float, float]
    outer: tuple[float, float]
    upper_height: float
    lower_height: float

    def along(self, x: Array) -> Array:
        """0 at the inner corner, 1 at the outer."""
        return np.clip((x - self.inner[0]) / (self.outer[0] - self.inner[0]), 0, 1)

    def upper(self, x: Array) -> Array:
        along = self.along(x)
        return self._line(along) - self.upper_height * _arch(along, 0.9, 0.8)

    def lower(self, x: Array) -> Array:
        along = self.along(x)
        return self._line(along) + self.lower_height * _arch(along, 0.9, 0.7)

    def inside(self, x: Array, y: Array) -> Array:
        """Distance, in millimetres, of (x, y) from the edge of the fissure; negative outside."""
        between = np.minimum(y - self.upper(x), self.lower(x) - y)
        return np.minimum(between, np.minimum(x - self.inner[0], self.outer[0] - x))

    def _line(self, along: Array) -> Array:
        return self.inner[1] + (self.outer[1] - self.inner[1]) * along


def _arch(along: Array, rise: float, fall: float) -> Array:
    """A smooth arch over [0, 1] of height 1, skewed by its two exponents."""
    peak = rise / (rise + fall)
    height = peak**rise * (1 - peak) ** fall
    return along**rise * (1 - along) ** fall / height


def lids_of(appearance: Appearance, gaze: Array) -> Lids:
    """The lids of an eye that looks along `gaze` (3,), a unit vector in the eye frame."""
    raised = np.arcsin(-gaze[1]) - appearance.neutral_pitch
    lower = max(appearance.lower_height - LOWER_LID_FOLLOWS * raised, 1.0)
    upper = max(appearance.upper_height + UPPER_LID_FOLLOWS * raised, LEAST_OPENING - lower)
    return Lids(
        inner=(-appearance.inner_corner, 2.4 + appearance.tilt / 2),
        outer=(appearance.outer_corner, 2.4 - appearance.tilt / 2),
        upper_height=float(upper),
        lower_height=float(lower),
    )


def protrusion(x: Array, y: Array) -> Array:
    """Height of the skin over the plane through the eyeball's centre; mirrored about the nose."""
    across = np.abs(x + NOSE)
    x = across - NOSE
    temple = (across / 64) ** 2
    face = 8.3 - 9.8 * temple - 8 * temple * temple * temple
    face += 5.0 * np.exp(-(((y + 20) / 9) ** 2) - (((across - 28) / 32) ** 2) ** 2)
    face += 3.5 * np.exp(-(((y - 30) / 16) ** 2) - ((across - 36) / 20) ** 2)
    face -= 0.0016 * np.maximum(np.abs(y - 10) - 35, 0) ** 2
    down = np.clip((y + 14) / 52, 0, 1)
    nose = (5 * np.clip((y + 36) / 20, 0, 1) + 15 * down**2) * np.exp(-((across / (7.5 + 6 * down)) ** 2))
    face += nose / (1 + np.exp(np.clip((y - 43) / 2.5, -30, 30)))
    ball = np.sqrt(np.maximum((EYEBALL_RADIUS + LID_THICKNESS) ** 2 - x**2 - y**2, 0))
    return _smooth_maximum(face, ball, 3.0)


def _smooth_maximum(a: Array, b: Array, width: float) -> Array:
    return np.maximum(a, b) + np.maximum(width - np.abs(a - b), 0) ** 2 / (4 * width)


def on_skin(x: Array, y: Array) -> Array:
    """Points (..., 3) of the skin over (x, y)."""
    return np.stack([x, y, -protrusion(x, y)], axis=-1)


def meet_skin(origin: Array, direction: Array) -> Array:
    """Points (3, ...) where rays (3, ...) meet the skin, by secant steps from in front of the face."""
    distance = (-14 - origin[2]) / direction[2]
    depth = _depth(origin, direction, distance)
    step = -0.85 * depth
    for _ in range(STEPS - 1):
        distance += step
        before, depth = depth, _depth(origin, direction, distance)
        step = -depth / np.clip((depth - before) / np.where(step == 0, 1, step), *SLOPES)
    return origin + (distance + step) * direction


def _depth(origin: Array, direction: Array, distance: Array) -> Array:
    """Depth of rays (3, ...) under the skin after a distance, along the rays; negative in front of it."""
    x, y, z = origin + distance * direction
    return (z + protrusion(x, y)) / direction[2]


def skin_normals(points: Array) -> Array:
    """Unit normals (3, H, W), outwards, of the skin from its points (3, H, W) on a grid of rays."""
    (a, b, c), (d, e, f) = np.gradient(points, axis=1), np.gradient(points, axis=2)
    normal = np.stack([b * f - c * e, c * d - a * f, a * e - b * d])
    normal *= -np.sign(normal[2])
    return normal / np.maximum(np.sqrt(dot(normal, normal)), 1e-6)


def dot(a: Array, b: Array) -> Array:
    """Products (...) of vectors (3, ...)."""
    return np.einsum("i...,i...->...", a, b)


def iris_axes(gaze: Array) -> tuple[Array, Array]:
    """Unit vectors (3,) of the iris plane, right and down, of an eye turned without torsion."""
    right = np.cross([0.0, 1.0, 0.0], -gaze)
    right /= np.linalg.norm(right)
    return right, np.cross(-gaze, right)


def iris_points(appearance: Appearance, gaze: Array, count: int = 32) -> Array:
    """Points (count, 3) on the iris edge: from the nasal one over the top, as UnityEyes orders them."""
    angle = np.arange(count)[:, None] * (2 * np.pi / count)
    right, down = iris_axes(gaze)
    radius = IRIS_RADIUS * appearance.iris_size
    return IRIS_DISTANCE * gaze - radius * (np.cos(angle) * right + np.sin(angle) * down)


def margin_points(lids: Lids) -> Array:
    """16 points (16, 3) of the lids' inner edge: plica, upper lid, 8 the outer corner, lower lid back."""
    along = np.array([CARUNCLE_SHARE, 0.20, 0.32, 0.46, 0.60, 0.73, 0.85, 0.94, 1.0])
    x = lids.inner[0] + (lids.outer[0] - lids.inner[0]) * along
    upper, lower = lids.upper(x), lids.lower(x)
    plica = (upper[:1] + lower[:1]) / 2
    return on_skin(np.concatenate([x, x[7:0:-1]]), np.concatenate([plica, upper[1:], lower[7:0:-1]]))


def caruncle_points(lids: Lids) -> Array:
    """7 points (7, 3) of the caruncle, the last one the fissure's nasal end."""
    along = np.array([0.155, 0.165, 0.155, 0.07, 0.08, 0.06, 0.0])
    height = np.array([0.85, 0.5, 0.15, 0.3, 0.55, 0.8, 0.5])
    x = lids.inner[0] + (lids.outer[0] - lids.inner[0]) * along
    return on_skin(x, lids.upper(x) * (1 - height) + lids.lower(x) * height)
