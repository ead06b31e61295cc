"""The two cameras of the sample data, and the pose of an eye before them.

Pixels are OpenCV's: (0, 0) is the centre of the top left pixel. Camera frame: x right, y down, z away
from the camera, millimetres. Eye frame: the same axes fixed to the head, origin at the eyeball's centre,
x from the nose towards the temple, so that the subject's right eye is the mirror image of the left.

Fields over a picture keep each component in a separate plane, (3, H, W): arithmetic along pixels is several
times faster than along the three components of each pixel. Lists of points are (N, 3).
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

MIRROR = np.diag([-1.0, 1.0, 1.0])


class RenderingCamera(Protocol):
    def rays(self, pixels: Array) -> tuple[Array, Array]:
        """Origins and directions, camera frame, of the rays through pixels (2, N).

        (3, N), or (3, 1) where all rays share it.
        """

    def project(self, points: Array) -> Array:
        """Pixels (..., 2) of points (..., 3) in the camera frame."""


@dataclass(frozen=True)
class Orthographic:
    """A camera with parallel rays, its axis through the middle of the picture."""

    width: int
    height: int
    scale: float
    """Pixels per millimetre."""

    @property
    def middle(self) -> Array:
        return np.array([self.width - 1, self.height - 1]) / 2

    def rays(self, pixels: Array) -> tuple[Array, Array]:
        across = (pixels - self.middle[:, None]) / self.scale
        return np.vstack([across, np.zeros(pixels.shape[1])]), np.array([[0.0], [0.0], [1.0]])

    def project(self, points: Array) -> Array:
        return points[..., :2] * self.scale + self.middle


@dataclass(frozen=True)
class Perspective:
    """A webcam: OpenCV's pinhole model with lens distortion."""

    matrix: Array
    """(3, 3)"""
    distortion: Array
    """(1, 5): k1, k2, p1, p2, k3."""

    def rays(self, pixels: Array) -> tuple[Array, Array]:
        flat = np.ascontiguousarray(pixels.T, np.float64)[:, None]
        across = cv2.undistortPoints(flat, self.matrix, self.distortion)[:, 0].T
        return np.zeros((3, 1)), np.vstack([across, np.ones(pixels.shape[1])])

    def project(self, points: Array) -> Array:
        flat = np.ascontiguousarray(points, np.float64).reshape(-1, 1, 3)
        pixels, _ = cv2.projectPoints(flat, np.zeros(3), np.zeros(3), self.matrix, self.distortion)
        return np.asarray(pixels, np.float64).reshape(*points.shape[:-1], 2)


@dataclass(frozen=True)
class View:
    """An eye before a camera."""

    camera: RenderingCamera
    rotation: Array
    """(3, 3) from the eye frame to the camera frame; a reflection for the subject's right eye."""
    center: Array
    """(3,) centre of the eyeball, camera frame."""

    def rays(self, pixels: Array) -> tuple[Array, Array]:
        """Origins and unit directions (3, ...), eye frame, float32, of the rays through pixels (2, ...)."""
        origin, direction = self.camera.rays(pixels.reshape(2, -1))
        start = self.rotation.T @ (origin - self.center[:, None])
        along = self.rotation.T @ (direction / np.linalg.norm(direction, axis=0))
        return self._spread(start, pixels), self._spread(along, pixels)

    @staticmethod
    def _spread(vectors: Array, pixels: Array) -> NDArray[np.float32]:
        """Vectors (3, N) or (3, 1) as a field (3, ...) over pixels (2, ...)."""
        flat = np.broadcast_to(vectors.astype(np.float32), (3, pixels[0].size))
        return flat.reshape(3, *pixels.shape[1:])

    def project(self, points: Array) -> Array:
        """Pixels (..., 2) of points (..., 3) in the eye frame."""
        return self.camera.project(self.to_camera(points))

    def to_camera(self, points: Array) -> Array:
        return points @ self.rotation.T + self.center
