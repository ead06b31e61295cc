"""How well translation preserves an eye."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpgan.data.gaze import angular_error
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet, landmark_distance
from fpgan.networks.inference import estimate_gaze, find_landmarks

UNCHANGED = 2.0  # grey levels: with a smaller mean change an eye counts as not translated


class Features(NamedTuple):
    """Estimates of the feature networks on pictures."""

    gaze: NDArray[np.float32]
    """(N, 2) pitch and yaw in radians."""
    landmarks: NDArray[np.float32]
    """(N, 18, 2) x and y in pixels."""


class Preservation(NamedTuple):
    """How well translation preserves eyes, measured by the feature networks; means over eyes."""

    gaze_drift_degrees: float
    """Angle between the gaze estimates on an eye and on its translation."""
    landmark_drift_pixels: float
    """Distance between the landmarks of an eye and of its translation."""
    change: float
    """Mean absolute change of a pixel, in grey levels of 255."""
    unchanged_share: float
    """Share of eyes changed by less than `UNCHANGED` grey levels."""
    diversity: float
    """Standard deviation of translations divided by the sources' standard deviation: 0 if all are alike."""


def find_features(gaze_net: GazeNet, landmark_net: LandmarkNet, pictures: NDArray[np.uint8]) -> Features:
    """Estimated gaze and landmarks of pictures (N, H, W[, 3])."""
    return Features(estimate_gaze(gaze_net, pictures), find_landmarks(landmark_net, pictures))


def feature_preservation(
    source: NDArray[np.uint8], translation: NDArray[np.uint8], before: Features, after: Features
) -> Preservation:
    """Compares pictures (N, H, W[, 3]) with their translations: features, pixels, diversity."""
    change = mean_change(source, translation)
    spread = float(source.std(axis=0).mean())
    return Preservation(
        float(angular_error(after.gaze, before.gaze).mean()),
        float(landmark_distance(after.landmarks, before.landmarks).mean()),
        float(change.mean()),
        float((change < UNCHANGED).mean()),
        float(translation.std(axis=0).mean()) / spread if spread else 1.0,
    )


def mean_change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.floating]:
    """Mean absolute difference (N,) of pictures (N, H, W[, 3]), in grey levels of 255."""
    return np.asarray(np.abs(before.astype(np.int16) - after).reshape(len(before), -1).mean(axis=1))
