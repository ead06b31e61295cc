"""The people of the MPIIFaceGaze sample: their looks, laptops, days, and gaze targets.

Frames and units are MPIIFaceGaze's: camera frame, millimetres, radians. Ranges are chosen so that gaze and
head pose in the normalized camera come near MPIIGaze's: gaze pitch -0.153 +- 0.091, yaw 0.00 +- 0.152;
head pitch 0.17 +- 0.23, yaw -0.07 +- 0.20.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fpgan.data.gaze import angles_to_vectors, vectors_to_angles
from fpgan.sample.appearance import Appearance, draw_person
from fpgan.sample.camera import Perspective
from fpgan.sample.webcam import Webcam, draw_webcam

Array = NDArray[np.floating]

WIDTH, HEIGHT = 1280, 720
DAYS = 5  # per person; pictures are assigned to them in turn
STREAM = 12  # separates these random numbers from those of the other format
PERSON, DAY, PICTURE = 0, 1, 2


@dataclass(frozen=True)
class Screen:
    """A laptop's screen and its pose relative to the laptop's camera."""

    width_pixel: int
    height_pixel: int
    width_mm: float
    height_mm: float
    rotation_vector: Array
    """(3,) with `translation` (3,) takes points of the screen plane, in millimetres, to the camera frame."""
    translation: Array

    def point(self, pixel: Array) -> Array:
        """The point (3,), camera frame, of a pixel (2,) of the screen."""
        size = np.array([self.width_mm / self.width_pixel, self.height_mm / self.height_pixel])
        rotation, _ = cv2.Rodrigues(self.rotation_vector)
        return rotation @ np.append(pixel * size, 0) + self.translation


@dataclass(frozen=True)
class Person:
    appearance: Appearance
    camera: Perspective
    screen: Screen
    webcam: Webcam
    head: Array
    """The person's usual (pitch, yaw) of the head."""
    distance: float


@dataclass(frozen=True)
class Day:
    """The light of one day."""

    light: Array
    """(3,) unit vector towards it, camera frame."""
    strength: float
    ambient: float
    cast: Array
    """(3,) gains of red, green and blue."""
    glint: float
    glint_width: tuple[float, float]


@dataclass(frozen=True)
class Moment:
    """The state of one picture."""

    pixel: Array
    """(2,) of the screen: the gaze target."""
    target: Array
    """(3,) the same point, camera frame."""
    rotation: Array
    """(3, 3) with `translation` (3,) takes the face model to the camera frame."""
    translation: Array
    exposure: float
    noise: int


def draw_someone(seed: int, person: int) -> Person:
    random = np.random.default_rng([seed, STREAM, PERSON, person])
    focal_length = random.uniform(980, 1060)
    matrix = np.array([[focal_length, 0, 0], [0, focal_length * random.uniform(1, 1.004), 0], [0, 0, 1]])
    matrix[:2, 2] = random.normal([640, 360], 10)
    # Two makes of webcam, barrel and pincushion; every third lens has no distortion.
    bend = random.uniform(0.10, 0.18) * random.choice([-1, 1])
    distortion = np.array([[bend, -3.2 * bend, *random.normal(0, 0.0015, 2), 2.5 * bend]]) * (person % 3 != 2)
    return Person(
        appearance=draw_person(random),
        camera=Perspective(matrix, distortion),
        screen=_draw_screen(random),
        webcam=draw_webcam(random),
        head=random.normal([0.19, 0.0], [0.14, 0.09]),
        distance=random.uniform(530, 670),
    )


def _draw_screen(random: np.random.Generator) -> Screen:
    width, height = random.choice([[1280, 800], [1440, 900], [1680, 1050]])
    width_mm = random.uniform(270, 320)
    height_mm = width_mm * height / width
    # The screen's x runs to the user's right, the camera's left: half a turn about the vertical axis.
    turn, _ = cv2.Rodrigues(np.array([0, np.pi, 0]))
    tilt, _ = cv2.Rodrigues(random.normal(0, 0.02, 3))
    rotation_vector, _ = cv2.Rodrigues(tilt @ turn)
    translation = np.array([width_mm / 2, random.uniform(5, 15), 0]) + random.normal(0, 3, 3)
    return Screen(
        int(width),
        int(height),
        width_mm,
        height_mm,
        np.asarray(rotation_vector, np.float64).ravel(),
        translation,
    )


def draw_day(seed: int, person: int, day: int) -> Day:
    random = np.random.default_rng([seed, STREAM, DAY, person, day])
    return Day(
        light=angles_to_vectors(np.array([random.uniform(0.1, 1.1), random.uniform(-1.3, 1.3)])),
        strength=random.uniform(0.2, 1.0),
        ambient=random.uniform(0.3, 0.6),
        cast=1 + random.normal(0, 1, 3) * [0.10, 0.03, 0.12],
        glint=random.uniform(0.1, 0.9),
        glint_width=(random.uniform(0.06, 0.22), random.uniform(0.06, 0.16)),
    )


def draw_moment(person: Person, seed: int, number: int, index: int) -> Moment:
    """Picture `index`, from 0, of person `number`."""
    random = np.random.default_rng([seed, STREAM, PICTURE, number, index])
    screen = person.screen
    pixel = random.integers(0, [screen.width_pixel, screen.height_pixel]).astype(float)
    target = screen.point(pixel)
    distance = np.clip(person.distance + random.normal(0, 35), 430, 700)
    translation = np.array([random.normal(0, 35), random.normal(15, 25), distance])
    gaze = vectors_to_angles(target - translation) - vectors_to_angles(-translation)
    # The head follows the gaze in part.
    head = person.head + 0.35 * (gaze - [-0.15, 0]) + random.normal(0, [0.15, 0.15])
    head = np.clip(head, [-0.35, -0.55], [0.6, 0.55])
    rotation = _facing(translation) @ _head_rotation(head, random.normal(0, 0.06))
    return Moment(
        pixel,
        target,
        rotation,
        translation,
        exposure=float(np.exp(random.normal(0, 0.12))),
        noise=int(random.integers(2**31)),
    )


def _facing(position: Array) -> Array:
    """The smallest rotation (3, 3) that takes the camera's axis to the direction of `position` (3,)."""
    direction = position / np.linalg.norm(position)
    axis = np.cross([0.0, 0.0, 1.0], direction)
    sine = np.linalg.norm(axis)
    rotation, _ = cv2.Rodrigues(axis * (np.arctan2(sine, direction[2]) / max(sine, 1e-9)))
    return rotation


def _head_rotation(head: Array, roll: float) -> Array:
    """Rotation (3, 3) of a head that faces (pitch, yaw), leaning by `roll`, all radians."""
    about_x, _ = cv2.Rodrigues(np.array([-head[0], 0, 0]))
    about_y, _ = cv2.Rodrigues(np.array([0, head[1], 0]))
    about_z, _ = cv2.Rodrigues(np.array([0, 0, roll]))
    return about_y @ about_x @ about_z
