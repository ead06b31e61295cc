"""One eye region as a camera sees it: a ray through every pixel, on skin or, between the lids, on the eye.

The skin is smooth, so it is traced and shaded on a coarse grid; the lids' edges, their folds and the eye
are shaded at every pixel of a window around the fissure.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fpgan.sample.appearance import Appearance
from fpgan.sample.camera import View
from fpgan.sample.geometry import caruncle_points, lids_of, margin_points, meet_skin
from fpgan.sample.hairs import brow, draw_strokes, lashes
from fpgan.sample.shading import Light, eye_color, lid_detail, skin_color, step

Array = NDArray[np.floating]
Picture = NDArray[np.float32]

COARSE = 4  # pixels between the rays traced to the skin
FOLDS = 7.0  # millimetres around the fissure that the lids' folds reach
FISSURE = 1.5  # millimetres around the lid points that the curves between them stay within
EDGE = 0.15  # least half width, in millimetres, of the soft edge of a lid
BROW_HAIR, LASH = 0.09, 0.06  # millimetres, thick
HAIR = np.array([0.07, 0.05, 0.045], np.float32)


@dataclass(frozen=True)
class Frame:
    """A rectangle of a camera's picture, with several samples per pixel."""

    left: int
    top: int
    width: int
    height: int
    samples: int = 1
    """Samples per pixel along each axis; width and height times this are multiples of `COARSE`."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.height * self.samples, self.width * self.samples

    def to_picture(self, columns: NDArray[np.number], rows: NDArray[np.number]) -> Array:
        """Pixels of the whole picture (2, h, w) in those columns and rows of samples."""
        u = self.left + (columns + 0.5) / self.samples - 0.5
        v = self.top + (rows + 0.5) / self.samples - 0.5
        return np.stack(np.meshgrid(u, v))

    def from_picture(self, pixel: Array) -> Array:
        """Samples (..., 2) of this rectangle at pixels (..., 2) of the whole picture."""
        return (pixel - np.array([self.left, self.top]) + 0.5) * self.samples - 0.5


def render(
    view: View, frame: Frame, appearance: Appearance, gaze: Array, light: Light
) -> tuple[Picture, Picture]:
    """The picture (3, H, W), RGB from 0 to 1, and the skin's (x, y) under each sample (2, H, W).

    `gaze` (3,) is a unit vector in the eye frame.
    """
    lids = lids_of(appearance, gaze)
    picture, skin = render_skin(view, frame, appearance, gaze, light)
    sample_size = _millimetres_per_sample(view, frame)
    outline = np.concatenate([margin_points(lids), caruncle_points(lids)])
    pixels = frame.from_picture(view.project(outline))
    folds = _window(pixels, FOLDS / sample_size, frame)
    picture[:, *folds] *= lid_detail(skin[:, *folds], lids, appearance)

    fissure = _window(pixels, FISSURE / sample_size, frame)
    seen, part = skin[:, *fissure], picture[:, *fissure]
    opening = step(lids.inside(*seen), 0.0, max(EDGE, 0.7 * sample_size))
    rays = view.rays(frame.to_picture(*_indices(fissure)))
    part += opening * (eye_color(*rays, seen, gaze, lids, appearance, light) - part)

    for strokes, width in ((brow(appearance), BROW_HAIR * appearance.brow), (lashes(lids, appearance), LASH)):
        pixels = frame.from_picture(view.project(strokes))
        draw_strokes(picture, pixels, HAIR * light.ambient, cover=min(width / sample_size, 1))
    return picture, skin


def render_skin(
    view: View, frame: Frame, appearance: Appearance, gaze: Array, light: Light
) -> tuple[Picture, Picture]:
    """As `render`, with closed skin in place of the eye and its lids' folds."""
    rows, columns = (np.arange(0, length, COARSE) + (COARSE - 1) / 2 for length in frame.shape)
    points = meet_skin(*view.rays(frame.to_picture(columns, rows)))
    color = skin_color(points, lids_of(appearance, gaze), appearance, light)
    return resize(color, frame.shape, cv2.INTER_LINEAR), resize(points[:2], frame.shape, cv2.INTER_LINEAR)


def resize(field: Array, shape: tuple[int, int], interpolation: int) -> Picture:
    """A field (C, h, w), resampled to (C, H, W)."""
    resampled = np.empty((len(field), *shape), np.float32)
    for plane, target in zip(field, resampled, strict=True):
        target[:] = cv2.resize(plane, shape[::-1], interpolation=interpolation)
    return resampled


def _millimetres_per_sample(view: View, frame: Frame) -> float:
    ends = frame.from_picture(view.project(np.array([[-1.0, 0.0, -12.0], [1.0, 0.0, -12.0]])))
    return float(2 / np.linalg.norm(ends[1] - ends[0]))


def _window(pixels: Array, rim: float, frame: Frame) -> tuple[slice, slice]:
    """Rows and columns of the frame that hold the pixels (N, 2) and a rim around them."""
    rows, columns = frame.shape
    left, top = np.clip(np.floor(pixels.min(axis=0) - rim), 0, [columns, rows]).astype(int)
    right, bottom = np.clip(np.ceil(pixels.max(axis=0) + rim), 0, [columns, rows]).astype(int)
    return slice(top, bottom), slice(left, right)


def _indices(window: tuple[slice, slice]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Columns and rows of a window."""
    rows, columns = window
    return np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop)


def pores(seed: int, shape: tuple[int, int], strength: float) -> Picture:
    """Brightness (H, W) of skin around 1: blotches of several sizes."""
    random = np.random.default_rng(seed)
    rows, columns = shape
    brightness = np.ones(shape, np.float32)
    for size, share in ((2, 0.8), (5, 0.6), (24, 0.9)):
        grid = random.standard_normal((rows // size + 2, columns // size + 2), np.float32)
        grid *= strength * share
        brightness += cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return brightness
