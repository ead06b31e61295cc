"""Gaze estimators: GazeNet of SimGAN (Shrivastava et al., CVPR 2017) in two readings, and a small residual
network (after He et al., CVPR 2016) that costs an eighth of the arithmetic."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.1  # of the leaky ReLU


def _convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(SLOPE),
    ]


def _joined(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.LeakyReLU(SLOPE)]


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions, the first with the stride, added to their (halved, widened) input."""

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
        nn.Flatten(),  # not averaged: where in the picture the iris lies is the gaze
    )


class GazeNet(nn.Module):
    """Estimates gaze from eye pictures (N, C, H, W) in [-1, 1]: (N, 2) pitch and yaw in radians.

    `simgan` joins the flattened features to 1000 units, as the paper's "FC 9600" counts inputs;
    `reference` puts a hidden layer of 9600 units between, as FP-GAN's code reads it; `residual` is small.
    """

    def __init__(
        self,
        channels: int = 1,
        height: int = 36,
        width: int = 60,
        network: Literal["simgan", "reference", "residual"] = "simgan",
    ) -> None:
        super().__init__()
        self.channels, self.height, self.width = channels, height, width
        build = _residual_features if network == "residual" else _simgan_features
        with torch.device("meta"):  # the shape of the features, at no cost and without random numbers
            flat = build(channels).eval()(torch.empty(1, channels, height, width)).shape[1]
        sizes = {"simgan": [flat, 1000], "reference": [flat, 9600, 1000], "residual": [flat, 128]}[network]
        self.features = build(channels)
        layers = [layer for pair in pairwise(sizes) for layer in _joined(*pair)]
        self.head = nn.Sequential(*layers, nn.Linear(sizes[-1], 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))
