"""What a gaze estimator or a translation is worth: numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpgan.eyes import Eyes
from fpgan.gaze import angles_to_vectors, angular_error, vectors_to_angles
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet, landmark_distance
from fpgan.networks.inference import estimate_gaze, find_landmarks

UNCHANGED = 2.0  # grey levels: a mean change below this is an eye that was not translated


class GazeErrors(NamedTuple):
    """Angular errors of one estimator on one set of eyes."""

    degrees: NDArray[np.floating]
    """(N,) of every eye."""
    person: NDArray[np.str_]
    """(N,)"""

    @property
    def mean(self) -> float:
        return float(self.degrees.mean())

    @property
    def median(self) -> float:
        return float(np.median(self.degrees))

    def by_person(self) -> dict[str, float]:
        """Mean error in degrees of every person."""
        return {
            name: float(self.degrees[self.person == name].mean()) for name in np.unique(self.person).tolist()
        }


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


def gaze_errors(network: GazeNet, eyes: Eyes) -> GazeErrors:
    """Errors of an estimator on eyes whose gaze is known."""
    return GazeErrors(angular_error(estimate_gaze(network, eyes.image), eyes.gaze), eyes.person)


def constant_errors(gaze: NDArray[np.floating], eyes: Eyes) -> GazeErrors:
    """Errors of always answering one gaze (2,), pitch and yaw in radians."""
    return GazeErrors(angular_error(np.broadcast_to(gaze, eyes.gaze.shape), eyes.gaze), eyes.person)


def mean_gaze(gaze: NDArray[np.floating]) -> NDArray[np.floating]:
    """The mean direction (2,) of gazes (N, 2), pitch and yaw in radians."""
    return vectors_to_angles(angles_to_vectors(gaze.astype(np.float64)).mean(axis=0))


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
