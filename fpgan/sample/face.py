"""A whole face before a webcam: plain skin, with both eye regions rendered in detail."""

import cv2
import numpy as np
from numpy.typing import NDArray

from fpgan.data.face_model import Side, eye_center
from fpgan.sample.camera import MIRROR, View
from fpgan.sample.geometry import CORNERS_MIDDLE, NOSE, on_skin
from fpgan.sample.hairs import draw_strokes
from fpgan.sample.people import HEIGHT, WIDTH, Day, Moment, Person
from fpgan.sample.render import COARSE, Frame, pores, render, render_skin, resize
from fpgan.sample.shading import Light
from fpgan.sample.webcam import expose

Array = NDArray[np.floating]

# Boxes of the eye frame, millimetres: (x, y) of two corners.
FACE_BOX = np.array([[-NOSE - 75, -75], [-NOSE + 75, 120]])
EYE_BOX = np.array([[-25.0, -32], [31, 20]])
SAMPLES = 2  # per pixel along each axis, in the eye regions
SIDES: tuple[Side, Side] = ("left", "right")
# The six-point model's axes lean back in an upright head: MPIIGaze's people, who look down at a laptop,
# have a mean head pitch of +0.17.
UPRIGHT, _ = cv2.Rodrigues(np.array([0.16, 0, 0]))
RIM = np.linspace(0, 2 * np.pi, 41)
RIM_COLOR = np.array([0.08, 0.07, 0.07], np.float32)


def eye_view(person: Person, moment: Moment, side: Side) -> tuple[View, Array]:
    """An eye before the person's camera, and its gaze (3,), a unit vector in the eye frame.

    The eye is placed so that its corners are near those of the face model. MPIIFaceGaze's gaze starts midway
    between these corners, not in the eyeball; the optical axis is parallel to it.
    """
    rotation = moment.rotation @ UPRIGHT @ (MIRROR if side == "right" else np.eye(3))
    center = eye_center(side, moment.rotation, moment.translation)
    gaze = (moment.target - center) @ rotation
    eyeball = center - rotation @ CORNERS_MIDDLE
    return View(person.camera, rotation, eyeball), gaze / np.linalg.norm(gaze)


def take_picture(person: Person, day: Day, moment: Moment) -> NDArray[np.uint8]:
    """The webcam's picture (720, 1280, 3), RGB; everything but the face is black, as in MPIIFaceGaze."""
    appearance = person.appearance
    view, gaze = eye_view(person, moment, "left")
    frame = _frame(view, FACE_BOX, 1)
    face, skin = render_skin(view, frame, appearance, gaze, _light(day, view))
    for side in SIDES:
        view, gaze = eye_view(person, moment, side)
        part = _frame(view, EYE_BOX, SAMPLES)
        detail, _ = render(view, part, appearance, gaze, _light(day, view))
        detail = resize(detail, (part.height, part.width), cv2.INTER_AREA)
        inner, outer = _overlap(part, frame)
        face[:, *outer] = detail[:, *inner]
        if appearance.glasses:
            draw_strokes(face, frame.from_picture(view.project(_rim())[None]), RIM_COLOR, 0.85, thickness=3)
    face *= pores(moment.noise, frame.shape, 0.015)
    x, y = skin[0] + NOSE, skin[1] - 20
    inside = np.clip((1 - (x / 68) ** 2 - (y / 92) ** 2) * 20, 0, 1)
    developed = expose(cv2.merge(list(face)), person.webcam, moment.exposure * day.cast, moment.noise)
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    inner, outer = _overlap(frame, Frame(0, 0, WIDTH, HEIGHT))
    picture[outer] = (developed * cv2.merge([inside] * 3))[inner]
    return picture


def _light(day: Day, view: View) -> Light:
    return Light(
        toward=day.light @ view.rotation,
        strength=day.strength,
        ambient=day.ambient,
        color=(1.0, 1.0, 1.0),
        glint=day.glint,
        glint_width=day.glint_width,
    )


def _frame(view: View, box: Array, samples: int) -> Frame:
    """The picture's rectangle around a box (2, 2) of the skin, its size a multiple of the coarse grid's."""
    x, y = np.meshgrid(*np.linspace(box[0], box[1], 7).T)
    pixels = view.project(on_skin(x, y)).reshape(-1, 2)
    left, top = np.floor(pixels.min(axis=0)).astype(int)
    width, height = np.ceil((pixels.max(axis=0) - [left, top]) / COARSE).astype(int) * COARSE
    return Frame(int(left), int(top), int(width), int(height), samples)


def _overlap(*frames: Frame) -> list[tuple[slice, slice]]:
    """Rows and columns, in each frame, of the rectangle common to all."""
    left, top = max(frame.left for frame in frames), max(frame.top for frame in frames)
    right = max(left, min(frame.left + frame.width for frame in frames))
    bottom = max(top, min(frame.top + frame.height for frame in frames))
    return [
        (slice(top - frame.top, bottom - frame.top), slice(left - frame.left, right - frame.left))
        for frame in frames
    ]


def _rim() -> Array:
    """The rim (41, 3) of one glass, eye frame."""
    x = 25 * np.sign(np.cos(RIM)) * np.abs(np.cos(RIM)) ** 0.7 - 1
    y = 18 * np.sign(np.sin(RIM)) * np.abs(np.sin(RIM)) ** 0.7 + 4
    return np.stack([x, y, np.full_like(x, -19.0)], axis=-1)
