"""Trains GazeNet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from fpgan.data.eyes import Eyes
from fpgan.data.gaze import angular_error
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.inference import estimate_gaze
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.estimator import train_estimator
from fpgan.training.loop import History
from fpgan.training.recorder import Recorder

if TYPE_CHECKING:
    from fpgan.params import TrainGaze
    from fpgan.training.augmentation import Augment


def train_gaze(
    network: GazeNet,
    *,
    training: Eyes,
    validation: Eyes,
    augment: Augment,
    params: TrainGaze,
    workers: int,
    checkpoints: Checkpoints,
    recorder: Recorder,
    device: torch.device,
) -> History:
    """Trains GazeNet in place on eyes whose gaze is known; the epoch with the least angular error stays."""

    def validation_error() -> float:
        return float(angular_error(estimate_gaze(network, validation.image), validation.gaze).mean())

    return train_estimator(
        network,
        eyes=training,
        loss=gaze_error_loss(network, device),
        validation_error=validation_error,
        error_name="validation_gaze_error_degrees",
        augment=augment,
        params=params,
        workers=workers,
        checkpoints=checkpoints,
        recorder=recorder,
        device=device,
    )


def gaze_error_loss(network: GazeNet, device: torch.device) -> Callable[[Tensor, Eyes], Tensor]:
    """The loss of network input and the eyes it shows: absolute errors of both angles, squared if small."""

    def loss(pictures: Tensor, eyes: Eyes) -> Tensor:
        return functional.smooth_l1_loss(network(pictures), torch.from_numpy(eyes.gaze).to(device), beta=0.05)

    return loss
