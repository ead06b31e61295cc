"""The six-point face model of MPIIGaze (Zhang et al., CVPR 2015) and the eyes in it.

Millimetres; x towards the subject's left, y down, z from the face into the head: a head with identity
rotation faces the camera.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["left", "right"]

FACE_MODEL = np.array(
    [
        [-45.0968, -0.4838, 2.3970],  # right eye, outer corner
        [-21.3129, 0.4838, -2.3970],  # right eye, inner corner
        [21.3129, 0.4838, -2.3970],  # left eye, inner corner
        [45.0968, -0.4838, 2.3970],  # left eye, outer corner
        [-26.2996, 68.5950, 0.0],  # mouth, right corner
        [26.2996, 68.5950, 0.0],  # mouth, left corner
    ]
)
EYE_CENTERS: dict[Side, NDArray[np.floating]] = {
    "right": FACE_MODEL[0:2].mean(axis=0),
    "left": FACE_MODEL[2:4].mean(axis=0),
}


def eye_center(
    side: Side, rotation: NDArray[np.floating], translation: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Centre (3,) of one of the subject's eyes, the mean of its corners; millimetres, camera frame.

    `rotation` (3, 3) and `translation` (3,) take the face model into the camera frame.
    """
    return rotation @ EYE_CENTERS[side] + translation


def head_angles(rotation: NDArray[np.floating]) -> NDArray[np.floating]:
    """(pitch, yaw) in radians of the direction that a head with a rotation (3, 3) faces."""
    x, y, z = rotation[:, 2]
    return np.array([np.arcsin(np.clip(y, -1, 1)), np.arctan2(x, z)])
