"""Data normalization: the eye as a virtual camera would see it.

Zhang, Sugano, Bulling: Revisiting Data Normalization for Appearance-Based Gaze Estimation, ETRA 2018. The
virtual camera is at the place of the real one, looks straight at the eye's centre, is rolled so that the
head's x axis is level, and is scaled to a fixed distance. Pictures are warped accordingly; directions are
rotated and not scaled.
"""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

NODE_STEP = 4  # pixels between the points at which the map is computed


@dataclass(frozen=True)
class Camera:
    """A real camera."""

    matrix: Array
    """(3, 3), pixels; points count from the centre of the first pixel."""
    distortion: Array
    """(4,), (5,), (8,), (12,) or (14,) coefficients, in OpenCV's order."""

    def project(self, points: Array) -> Array:
        """Pixels (N, 2) of points (N, 3) in the camera frame."""
        zero = np.zeros(3)
        pixels, _ = cv2.projectPoints(points[:, None], zero, zero, self.matrix, self.distortion)
        return np.asarray(pixels, np.float64).reshape(-1, 2)


@dataclass(frozen=True)
class NormalizedCamera:
    """The virtual camera; its axis meets the middle of its picture."""

    focal_length: float
    """Pixels."""
    distance: float
    """Millimetres from the camera to the eye's centre."""
    width: int
    height: int


def rotation_towards(center: Array, head_rotation: Array) -> Array:
    """Rotation (3, 3) from the camera frame into that of a camera that looks at `center` (3,).

    Its x axis lies in the plane of the line of sight and the head's x axis, which must not be parallel.
    `head_rotation` (3, 3) is in the camera frame.
    """
    forward = center / np.linalg.norm(center)
    head_x = head_rotation[:, 0]
    right = head_x - (head_x @ forward) * forward
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def projection_matrix(normalized: NormalizedCamera, center: Array, rotation: Array) -> Array:
    """K_n S R (3, 3), from points in the real camera's frame to pixels of the virtual camera.

    The paper's warp from undistorted pixels is this times K^-1. `center` (3,) is the eye's centre in
    millimetres, `rotation` (3, 3) the result of `rotation_towards`.
    """
    middle = (normalized.width - 1) / 2, (normalized.height - 1) / 2
    matrix = np.array(
        [[normalized.focal_length, 0, middle[0]], [0, normalized.focal_length, middle[1]], [0, 0, 1]]
    )
    scaling = np.diag([1, 1, normalized.distance / np.linalg.norm(center)])
    return matrix @ scaling @ rotation


def magnification(camera: Camera, normalized: NormalizedCamera, center: Array) -> float:
    """Pixels of the real camera per pixel of the virtual one, at an eye's centre (3,) in millimetres."""
    size_in_real = camera.matrix[0, 0] / np.linalg.norm(center)
    return float(size_in_real * normalized.distance / normalized.focal_length)


def normalize_picture(
    picture: NDArray[np.uint8],
    camera: Camera,
    normalized: NormalizedCamera,
    center: Array,
    rotation: Array,
) -> NDArray[np.uint8]:
    """The picture (height, width) or (height, width, 3) that the virtual camera takes of the eye.

    Each pixel is looked up at its distorted place, so the distortion is undone only where needed. Outside its
    border the picture continues with its border pixels. `center` and `rotation` are as in
    `projection_matrix`.
    """
    # Bilinear samples no further apart than the picture's pixels, then their mean: an area average.
    finer = max(1, math.ceil(magnification(camera, normalized, center)))
    x_nodes, x_weights = _interpolation(normalized.width, finer)
    y_nodes, y_weights = _interpolation(normalized.height, finer)
    nodes = np.stack([*np.meshgrid(x_nodes, y_nodes), np.ones((len(y_nodes), len(x_nodes)))], axis=-1)
    rays = nodes.reshape(-1, 3) @ np.linalg.inv(projection_matrix(normalized, center, rotation)).T
    places = camera.project(rays).reshape(len(y_nodes), len(x_nodes), 2)
    x, y = ((y_weights @ places[..., axis] @ x_weights.T).astype(np.float32) for axis in (0, 1))
    samples = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    size = (normalized.width, normalized.height)
    return np.asarray(cv2.resize(samples, size, interpolation=cv2.INTER_AREA), np.uint8)


@functools.lru_cache(maxsize=64)  # a data set needs only a few
def _interpolation(length: int, finer: int) -> tuple[Array, Array]:
    """Points along a side at which the map is computed, and weights (length * finer, points) for the samples.

    Within NODE_STEP pixels, perspective and distortion are linear to a hundredth of a pixel. To compute the
    map for every sample would take longer than to decode the picture.
    """
    nodes = np.linspace(-0.5, length - 0.5, math.ceil(length / NODE_STEP) + 1)
    samples = (np.arange(length * finer) + 0.5) / finer - 0.5
    return nodes, np.array([np.interp(samples, nodes, one) for one in np.eye(len(nodes))]).T
