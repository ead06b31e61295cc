"""Colours of skin and eyeball under one light: RGB from 0 to 1, in the eye frame of `camera.py`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgan.sample.appearance import (
    EYEBALL_RADIUS,
    IRIS_COLORS,
    IRIS_DISTANCE,
    IRIS_RADIUS,
    Appearance,
    Color,
)
from fpgan.sample.geometry import CARUNCLE_SHARE, NOSE, Lids, dot, iris_axes, skin_normals

Array = NDArray[np.floating]

CORNEA_RADIUS = 7.8
CORNEA_CENTER = 5.5  # in front of the eyeball's centre; Gullstrand's schematic eye
LIMBUS = 0.35  # half the width of the soft border between iris and sclera
PUPIL_COLOR: Color = (0.035, 0.03, 0.03)
FLESH_COLOR: Color = (0.72, 0.42, 0.38)


@dataclass(frozen=True)
class Light:
    """A distant light and the even light from everywhere."""

    toward: Array
    """(3,) unit vector from the face to the light, eye frame."""
    strength: float
    ambient: float
    color: Color
    glint: float
    """Brightness of its reflection in the cornea."""
    glint_width: tuple[float, float]
    """Half width and half height of the light as the cornea reflects it, radians."""


def step(value: Array, edge: float, softness: float) -> Array:
    """0 below `edge` to 1 above it, smooth over `softness` to either side."""
    t = np.clip((value - edge) / (2 * softness) + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def bell(x: Array, width: float) -> Array:
    return np.exp(-((x / width) ** 2))


def uniform(vector: Array | Color) -> NDArray[np.float32]:
    """A colour or vector (3,) as a field (3, 1, 1), the same everywhere."""
    return np.array(vector, np.float32)[:, None, None]


def lit(normal: Array, light: Light) -> Array:
    """Light (H, W) on a surface; skin scatters it beyond the terminator, so the cosine is wrapped."""
    cosine = np.maximum((dot(uniform(light.toward), normal) + 0.35) / 1.35, 0)
    return light.ambient + light.strength * cosine


def skin_color(points: Array, lids: Lids, appearance: Appearance, light: Light) -> Array:
    """Colours (3, H, W) of the skin at points (3, H, W), brow, lips and shaded hollows included."""
    x, y = np.abs(points[0] + NOSE) - NOSE, points[1]
    below = y - lids.lower(x)
    hollow = 0.75 * appearance.socket * bell(x + 13, 9) * bell(y + 7, 8)
    hollow += 0.4 * appearance.socket * bell(y + 9, 6) * bell(x, 17)
    hollow += 0.25 * appearance.socket * bell(below - 6, 4) * bell(x + 2, 12)
    brow = appearance.brow * bell(y - brow_line(x, appearance), 2.2) * bell((x - 3) ** 2, 330)
    nostril = bell(x + NOSE - 6, 4) * bell(y - 44, 2.2)
    shade = (1 - hollow) * (1 - 0.55 * brow) * (1 - 0.7 * nostril)
    lips = bell(y - 68, 5) * bell(np.maximum(x + NOSE - 18, 0), 6)
    flush = 0.10 * appearance.redness * bell(below, 5) * bell(x, 16)
    color = uniform(appearance.skin) * uniform(light.color) * (lit(skin_normals(points), light) * shade)
    color *= 1 - flush * uniform((0.0, 1.0, 0.9))
    color *= 1 - lips * uniform((0.1, 0.42, 0.38))
    return color


def brow_line(x: Array, appearance: Appearance) -> Array:
    """Height y of the brow's middle over x."""
    return -appearance.brow_height + 0.012 * (x - 6) ** 2 - 2.0


def lid_detail(skin: Array, lids: Lids, appearance: Appearance) -> Array:
    """Factors (3, H, W) of the skin's colour due to folds and edges of the lids, at its points (2, H, W)."""
    x, y = skin
    along = lids.along(x)
    arch = 2 * np.sqrt(along * (1 - along))
    above, below = lids.upper(x) - y, y - lids.lower(x)
    lowered = max(appearance.upper_height - lids.upper_height, 0.0)
    crease = (appearance.crease + 0.5 * lowered) * (0.35 + 0.65 * arch)
    depth = appearance.crease_depth / (1 + 0.25 * lowered) * arch
    shade = 1 - depth * bell(above - crease, 0.55)
    shade *= 1 - 0.35 * depth * step(above, 0.2, 0.4) * (1 - step(above - crease, 0, 0.6))
    shade *= 1 - 0.65 * arch * step(above, 0, 0.3) * bell(above, 0.7)
    edge = step(below, 0, 0.2) * (1 - step(below, 1.1, 0.5)) * arch
    shade *= 1 + 0.12 * edge
    shade *= 1 - 0.22 * arch * bell(below - 1.7, 0.6)
    pink = appearance.redness * edge
    return np.stack([shade, shade * (1 - 0.16 * pink), shade * (1 - 0.14 * pink)])


def eye_color(
    origin: Array,
    direction: Array,
    skin: Array,
    gaze: Array,
    lids: Lids,
    appearance: Appearance,
    light: Light,
) -> Array:
    """Colours (3, H, W) that rays meet between the lids, which they pass at points `skin` (2, H, W)."""
    x, y = skin
    along = lids.along(x)
    ball, radius, angle = _meet_eyeball(origin, direction, gaze)
    iris_radius = IRIS_RADIUS * appearance.iris_size

    normal = ball / np.sqrt(dot(ball, ball))
    pink = np.clip(appearance.redness * (1.6 * np.abs(along - 0.55) - 0.15), 0, 1)
    lightness = lit(normal, light)
    white = 1 - pink * uniform((0.05, 0.30, 0.30))
    white *= appearance.sclera * (0.25 * light.ambient + 0.75 * lightness)
    white *= 1 - 0.35 * bell(radius - iris_radius, 1.1)

    iris = _iris_color(radius / iris_radius, angle, appearance)
    iris *= light.ambient + 0.55 * light.strength
    color = iris + step(radius, iris_radius, LIMBUS) * (white - iris)

    depth = y - lids.upper(x)
    shadow = 0.62 * np.exp(-np.maximum(depth, 0) / 1.5) + 0.18 * bell(lids.lower(x) - y, 0.8)
    shadow += 0.45 * step(np.abs(along - 0.5), 0.46, 0.12)
    # Bone and nose keep light from a deep-set eye, most of all at its nasal end and under the upper lid.
    shadow += appearance.socket * (0.5 * bell(along, 0.5) + 0.4 * np.exp(-np.maximum(depth, 0) / 3.0))
    color *= 1 - np.minimum(shadow, 0.9)

    flesh = 1 - step(along, CARUNCLE_SHARE, 0.05)
    shine = lightness * (0.75 + 0.35 * bell(along - 0.11, 0.04) * bell(depth - 1.2, 0.7))
    color += flesh * (uniform(FLESH_COLOR) * shine - color)
    color *= uniform(light.color)
    color += (1 - flesh) * _glint(origin, direction, gaze, light) * (radius < iris_radius * 1.1)
    return color


def _meet_eyeball(origin: Array, direction: Array, gaze: Array) -> tuple[Array, Array, Array]:
    """Points (3, H, W) on the white's sphere, and radius and angle (H, W) in the iris plane, of rays.

    A ray that misses the sphere takes its nearest point.
    """
    middle = dot(origin, direction)
    missing = dot(origin, origin) - middle**2
    distance = -middle - np.sqrt(np.maximum(EYEBALL_RADIUS**2 - missing, 0))
    ball = origin + distance * direction
    ahead, right, down = (uniform(axis) for axis in (gaze, *iris_axes(gaze)))
    point = origin + (IRIS_DISTANCE - dot(ahead, origin)) / dot(ahead, direction) * direction
    across, along = dot(right, point), dot(down, point)
    return ball, np.hypot(across, along), np.arctan2(along, across)


def _iris_color(radius: Array, angle: Array, appearance: Appearance) -> Array:
    """Colours (3, H, W) in the iris plane: fibres, a bright collarette, a dark rim, the pupil."""
    random = np.random.default_rng(appearance.texture)
    fibres = np.zeros_like(radius)
    for count in (11, 17, 23, 31, 43):
        phase, bend = np.float32(random.uniform(0, 2 * np.pi)), np.float32(random.normal(0, 2.5))
        fibres += np.sin(count * angle + phase + bend * radius) / 5
    pupil = appearance.pupil_radius / (IRIS_RADIUS * appearance.iris_size)
    collarette = bell(radius - pupil - 0.14, 0.11)
    value = 0.95 + 0.35 * fibres + 0.45 * collarette - 0.55 * step(radius, 0.93, 0.14)
    color, dark = uniform(IRIS_COLORS[appearance.iris]) * value, uniform(PUPIL_COLOR)
    return dark + step(radius, pupil, 0.04) * (color - dark)


def _glint(origin: Array, direction: Array, gaze: Array, light: Light) -> Array:
    """Brightness (H, W) of the light's reflection on the cornea."""
    offset = origin - uniform(CORNEA_CENTER * gaze)
    middle = dot(offset, direction)
    inside = middle**2 - dot(offset, offset) + CORNEA_RADIUS**2
    distance = -middle - np.sqrt(np.maximum(inside, 0))
    normal = (offset + distance * direction) / CORNEA_RADIUS
    reflected = direction - 2 * dot(direction, normal) * normal
    side = np.cross(light.toward, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    up = np.cross(side, light.toward)
    width, height = light.glint_width
    across, along = np.abs(dot(uniform(side), reflected)), np.abs(dot(uniform(up), reflected))
    shape = (1 - step(across, width, 0.03)) * (1 - step(along, height, 0.03))
    return light.glint * shape * (inside > 0) * (dot(uniform(light.toward), reflected) > 0)
