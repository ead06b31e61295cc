"""What a GAN training is watched by: how its generators do on eyes that are held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fpgan.data.eyes import Eyes
from fpgan.data.gaze import angular_error
from fpgan.data.pictures import tile
from fpgan.evaluation.preservation import Features, feature_preservation, find_features, mean_change
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import translate_pictures
from fpgan.training.gan import TASK_METRIC
from fpgan.training.objective import Generators

WATCHED_EYES = 192
WATCHED_FEATURES = ("gaze", "landmarks")
GRID_EYES, GRID_COLUMNS = 10, 5


class Watch:
    """Scores of the generators on held-out eyes of both domains: a `training.gan.Watcher`.

    Every time the same eyes are translated, the first of them into the fixed grid.
    """

    def __init__(
        self,
        synthetic: Eyes,
        real: Eyes,
        features: Mapping[str, nn.Module],  # those of WATCHED_FEATURES
        picture: Callable[[int, str, NDArray[np.uint8]], None],  # takes step, name and grid
    ) -> None:
        self.eyes = {"s2r": spread(synthetic), "r2s": spread(real)}
        gaze_net, landmark_net = (features[name] for name in WATCHED_FEATURES)
        assert isinstance(gaze_net, GazeNet)
        assert isinstance(landmark_net, LandmarkNet)
        self.gaze_net, self.landmark_net = gaze_net, landmark_net
        self.picture = picture
        self.before = {direction: self._features(eyes.image) for direction, eyes in self.eyes.items()}

    def _features(self, pictures: NDArray[np.uint8]) -> Features:
        return find_features(self.gaze_net, self.landmark_net, pictures)

    def __call__(self, step: int, generators: Generators) -> dict[str, float]:
        scores: dict[str, float] = {}
        there_and_back = {"s2r": generators, "r2s": (generators.F, generators.G)}
        for direction, (there, back) in there_and_back.items():
            eyes = self.eyes[direction]
            translated = translate_pictures(there, eyes.image)
            returned = translate_pictures(back, translated)
            self.picture(step, f"translations/{direction}", grid(eyes.image, translated, returned))
            after = self._features(translated)
            kept = feature_preservation(eyes.image, translated, self.before[direction], after)
            scores |= {f"{direction}/{name}": value for name, value in kept._asdict().items()}
            scores[f"{direction}/cycle_error"] = float(mean_change(eyes.image, returned).mean())
        scores |= self._gaze_errors(after)
        return scores

    def _gaze_errors(self, translated: Features) -> dict[str, float]:
        """Errors of the estimator trained on S on real eyes with labels and on their translations."""
        eyes = self.eyes["r2s"]
        known = eyes.has_gaze
        if not known.any():
            return {}
        return {
            TASK_METRIC: float(angular_error(translated.gaze, eyes.gaze)[known].mean()),
            "real/gaze_error_degrees": float(angular_error(self.before["r2s"].gaze, eyes.gaze)[known].mean()),
        }


def grid(*rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture of the first `GRID_EYES` of pictures (N, H, W[, 3]), each kind under the one before."""
    whole = min(len(rows[0]), GRID_EYES) - GRID_COLUMNS
    starts = range(0, max(whole, 0) + 1, GRID_COLUMNS)
    return tile([pictures[start : start + GRID_COLUMNS] for start in starts for pictures in rows])


def spread(eyes: Eyes) -> Eyes:
    """Up to `WATCHED_EYES` of the eyes, in an order that spreads the first few over all of them."""
    order = np.random.default_rng(0).permutation(len(eyes))
    return eyes.select(order[:WATCHED_EYES])
