"""What translation leaves of an eye."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpgan.data.gaze import angular_error
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet, landmark_distance
from fpgan.networks.inference import estimate_gaze, find_landmarks

UNCHANGED = 2.0  # grey levels: a mean change below this is an eye that was not translated


class Features(NamedTuple):
    """What the feature networks see in pictures."""

    gaze: NDArray[np.float32]
    """(N, 2) pitch and yaw in radians."""
    landmarks: NDArray[np.float32]
    """(N, 18, 2) x and y in pixels."""


class Preservation(NamedTuple):
    """What translation leaves of an eye, as the feature networks see it; means over eyes."""

    gaze_drift_degrees: float
    landmark_drift_pixels: float
    change: float
    """Mean absolute change of a pixel, in grey levels of 255."""
    unchanged_share: float
    """Share of eyes changed by less than `UNCHANGED` grey levels."""
    diversity: float
    """How much translations differ from each other, as a share of how much their sources do: 0 when alike."""


def find_features(gaze_net: GazeNet, landmark_net: LandmarkNet, pictures: NDArray[np.uint8]) -> Features:
    """Gaze and landmarks of pictures (N, H, W[, 3])."""
    return Features(estimate_gaze(gaze_net, pictures), find_landmarks(landmark_net, pictures))


def feature_preservation(
    source: NDArray[np.uint8], translation: NDArray[np.uint8], before: Features, after: Features
) -> Preservation:
    """How far gaze, landmarks and pixels of pictures (N, H, W[, 3]) are from those of their translations."""
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
