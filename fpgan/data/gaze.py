"""Gaze directions: (pitch, yaw) angles, unit vectors, and the angle between them.

Camera frame: x right, y down, z away from the camera. A direction into the camera is (0, 0); looking up has
pitch > 0, looking to the image's left has yaw > 0 (the convention of MPIIGaze, Zhang et al., CVPR 2015).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def angles_to_vectors(angles: Array) -> Array:
    """Unit vectors (..., 3) of (pitch, yaw) angles (..., 2) in radians."""
    pitch, yaw = angles[..., 0], angles[..., 1]
    return np.stack([-np.cos(pitch) * np.sin(yaw), -np.sin(pitch), -np.cos(pitch) * np.cos(yaw)], axis=-1)


def vectors_to_angles(vectors: Array) -> Array:
    """(pitch, yaw) angles (..., 2) in radians of vectors (..., 3) of any length but zero."""
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.stack(
        [np.arcsin(np.clip(-unit[..., 1], -1, 1)), np.arctan2(-unit[..., 0], -unit[..., 2])], axis=-1
    )


def angular_error(predicted: Array, true: Array) -> Array:
    """Angles (...) in degrees between two sets of (pitch, yaw) directions (..., 2) in radians.

    Computed as 2 atan2(|a - b|, |a + b|), which keeps its precision near 0 and 180 degrees where the
    arc cosine of a dot product does not.
    """
    a = angles_to_vectors(np.asarray(predicted, np.float64))
    b = angles_to_vectors(np.asarray(true, np.float64))
    apart, along = np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1)
    return np.degrees(2 * np.arctan2(apart, along))


def mirror(angles: Array) -> Array:
    """The (pitch, yaw) angles (..., 2) of a direction seen in a left-right mirrored picture."""
    return angles * np.array([1, -1], angles.dtype)
