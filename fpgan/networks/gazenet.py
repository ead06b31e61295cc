"""Gaze estimators, by name: GazeNet of SimGAN (Shrivastava et al., CVPR 2017) in two readings, and a small
residual network (after He et al., CVPR 2016) that costs an eighth of the arithmetic.

A new architecture needs an entry in `GAZE_ESTIMATORS` and its name in `fpgan.params.TrainGaze`.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from fpgan.networks.eye_network import EyeNetwork, find_architecture

SLOPE = 0.1  # of the leaky ReLU


def _convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(SLOPE),
    ]


def _fully_connected(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.LeakyReLU(SLOPE)]


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions, the first with the stride, added to a 1 x 1 convolution of their input."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(inputs, outputs, stride),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.layers(x) + self.shortcut(x), SLOPE)


def _simgan_features(channels: int) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(channels, 32, stride=2),
        *_convolution(32, 32),
        *_convolution(32, 64),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        *_convolution(64, 80),
        *_convolution(80, 192),
        nn.MaxPool2d(2, 2, ceil_mode=True),
        nn.Flatten(),
    )


def _residual_features(channels: int) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(channels, 16, stride=2),
        BasicBlock(16, 16, 1),
        BasicBlock(16, 32, 2),
        BasicBlock(32, 64, 2),
        BasicBlock(64, 64, 1),
        nn.Flatten(),  # not averaged, as the gaze depends on the position of the iris
    )


class Architecture(NamedTuple):
    """How a gaze estimator is built."""

    features: Callable[[int], nn.Module]
    """Builds, for a number of channels, the layers from pictures to flat features (N, D)."""
    hidden: tuple[int, ...]
    """Units of the fully connected layers between the features and the two angles."""


GAZE_ESTIMATORS: dict[str, Architecture] = {
    # "FC 9600" in the paper, read as the number of inputs of the layer of 1000 units.
    "simgan": Architecture(_simgan_features, (1000,)),
    # The same, read as a hidden layer, as in FP-GAN's code.
    "reference": Architecture(_simgan_features, (9600, 1000)),
    "residual": Architecture(_residual_features, (128,)),
}


class GazeNet(EyeNetwork):
    """Estimates gaze from eye pictures (N, C, H, W) in [-1, 1]: (N, 2) pitch and yaw in radians.

    Raises InputError for a `network` that is not in `GAZE_ESTIMATORS`.
    """

    answer = "gaze"

    def __init__(self, channels: int = 1, height: int = 36, width: int = 60, network: str = "simgan") -> None:
        super().__init__()
        self.channels, self.height, self.width = channels, height, width
        architecture = find_architecture(GAZE_ESTIMATORS, network, "gaze estimator")
        self.features = architecture.features(channels).eval()
        with torch.no_grad():
            flat = self.features(torch.zeros(1, channels, height, width)).shape[1]
        self.features.train()
        sizes = [flat, *architecture.hidden]
        layers = [layer for pair in pairwise(sizes) for layer in _fully_connected(*pair)]
        self.head = nn.Sequential(*layers, nn.Linear(sizes[-1], 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))
