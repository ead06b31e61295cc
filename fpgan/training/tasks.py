"""What the estimators learn: the loss of gaze and of landmarks, and the error on validation eyes."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from fpgan.data.eyes import Eyes
from fpgan.data.gaze import angular_error
from fpgan.losses import heatmap_loss
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet, landmark_distance
from fpgan.networks.inference import estimate_gaze, find_landmarks

Network = TypeVar("Network", bound=nn.Module)


class Task(NamedTuple, Generic[Network]):
    """What a network learns."""

    loss: Callable[[Network, Tensor, Eyes], Tensor]
    """Of the network, its input (N, C, H, W), and the eyes in it."""
    error: Callable[[Network, Eyes], float]
    """Of the network on validation eyes; lower is better."""
    error_name: str
    """Name of the logged error, such as 'validation_gaze_error_degrees'."""


def _gaze_loss(network: GazeNet, pictures: Tensor, eyes: Eyes) -> Tensor:
    """Absolute errors of both angles in radians, squared where small."""
    gaze = torch.from_numpy(eyes.gaze).to(pictures.device)
    return functional.smooth_l1_loss(network(pictures), gaze, beta=0.05)


def _gaze_error(network: GazeNet, eyes: Eyes) -> float:
    return float(angular_error(estimate_gaze(network, eyes.image), eyes.gaze).mean())


def _landmark_loss(network: LandmarkNet, pictures: Tensor, eyes: Eyes) -> Tensor:
    return heatmap_loss(network.heatmaps(pictures), torch.from_numpy(eyes.landmarks).to(pictures.device))


def _landmark_error(network: LandmarkNet, eyes: Eyes) -> float:
    return float(landmark_distance(find_landmarks(network, eyes.image), eyes.landmarks).mean())


GAZE: Task[GazeNet] = Task(_gaze_loss, _gaze_error, "validation_gaze_error_degrees")
LANDMARKS: Task[LandmarkNet] = Task(_landmark_loss, _landmark_error, "validation_landmark_error_pixels")
