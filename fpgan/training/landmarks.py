"""Trains the landmark network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fpgan.data.eyes import Eyes
from fpgan.losses import heatmap_loss
from fpgan.networks.hourglass import LandmarkNet, landmark_distance
from fpgan.networks.inference import find_landmarks
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.estimator import train_estimator
from fpgan.training.loop import History
from fpgan.training.recorder import Recorder

if TYPE_CHECKING:
    from fpgan.params import TrainLandmarks
    from fpgan.training.augmentation import Augment


def train_landmarks(
    network: LandmarkNet,
    *,
    training: Eyes,
    validation: Eyes,
    augment: Augment,
    params: TrainLandmarks,
    workers: int,
    checkpoints: Checkpoints,
    recorder: Recorder,
    device: torch.device,
) -> History:
    """Trains the hourglass in place on eyes with landmarks; the epoch with the least distance stays."""

    def loss(pictures: Tensor, eyes: Eyes) -> Tensor:
        return heatmap_loss(network.heatmaps(pictures), torch.from_numpy(eyes.landmarks).to(device))

    def validation_error() -> float:
        return float(
            landmark_distance(find_landmarks(network, validation.image), validation.landmarks).mean()
        )

    return train_estimator(
        network,
        eyes=training,
        loss=loss,
        validation_error=validation_error,
        error_name="validation_landmark_error_pixels",
        augment=augment,
        params=params,
        workers=workers,
        checkpoints=checkpoints,
        recorder=recorder,
        device=device,
    )
