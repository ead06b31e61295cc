"""The two cameras of the sample data, and where an eye stands before them.

Pixels are OpenCV's: (0, 0) is the centre of the top left pixel. Camera frame: x right, y down, z away
from the camera, millimetres. Eye frame: the same axes fixed to the head, origin at the eyeball's centre,
x from the nose towards the temple, so that the subject's right eye is the mirror image of the left.
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

MIRROR = np.diag([-1.0, 1.0, 1.0])


class Camera(Protocol):
    def rays(self, pixels: Array) -> tuple[Array, Array]:
        """Origins and directions (..., 3), camera frame, of the rays through pixels (..., 2)."""

    def project(self, points: Array) -> Array:
        """Pixels (..., 2) of points (..., 3) in the camera frame."""


@dataclass(frozen=True)
class Orthographic:
    """A camera with parallel rays, its axis through the middle of the picture."""

    width: int
    height: int
    scale: float
    """Pixels a millimetre."""

    @property
    def middle(self) -> Array:
        return np.array([self.width - 1, self.height - 1]) / 2

    def rays(self, pixels: Array) -> tuple[Array, Array]:
        across = (pixels - self.middle) / self.scale
        origin = np.concatenate([across, np.zeros_like(across[..., :1])], axis=-1)
        return origin, np.broadcast_to(np.array([0.0, 0.0, 1.0]), origin.shape)

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
        flat = np.ascontiguousarray(pixels, np.float64).reshape(-1, 1, 2)
        across = cv2.undistortPoints(flat, self.matrix, self.distortion).reshape(pixels.shape)
        direction = np.concatenate([across, np.ones_like(across[..., :1])], axis=-1)
        return np.zeros_like(direction), direction

    def project(self, points: Array) -> Array:
        flat = np.ascontiguousarray(points, np.float64).reshape(-1, 1, 3)
        pixels, _ = cv2.projectPoints(flat, np.zeros(3), np.zeros(3), self.matrix, self.distortion)
        return np.asarray(pixels, np.float64).reshape(*points.shape[:-1], 2)


@dataclass(frozen=True)
class View:
    """An eye before a camera."""

    camera: Camera
    rotation: Array
    """(3, 3) from the eye frame to the camera frame; a reflection for the subject's right eye."""
    center: Array
    """(3,) centre of the eyeball, camera frame."""

    def rays(self, pixels: Array) -> tuple[Array, Array]:
        """Origins and unit directions (..., 3), eye frame, float32, of the rays through pixels (..., 2)."""
        origin, direction = self.camera.rays(pixels)
        direction = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
        start, along = (origin - self.center) @ self.rotation, direction @ self.rotation
        return start.astype(np.float32), along.astype(np.float32)

    def project(self, points: Array) -> Array:
        """Pixels (..., 2) of points (..., 3) in the eye frame."""
        return self.camera.project(self.to_camera(points))

    def to_camera(self, points: Array) -> Array:
        return points @ self.rotation.T + self.center
