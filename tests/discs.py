"""Frozen networks that find the disc of drawn eyes by arithmetic, so that their answers are known."""

import torch
from conftest import HEIGHT, PIXELS_PER_RADIAN, WIDTH
from torch import Tensor

from fpgan.data.eyes import LANDMARKS
from fpgan.networks.eye_network import EyeNetwork
from fpgan.networks.frozen import frozen
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet


def disc_center(x: Tensor) -> Tensor:
    """The centre of the dark pixels of pictures (N, C, H, W) in [-1, 1]: (N, 2) x and y in pixels."""
    share = (-20 * x.mean(1)).flatten(1).softmax(1).unflatten(1, x.shape[2:])
    across, down = torch.arange(x.shape[3]).float(), torch.arange(x.shape[2]).float()
    return torch.stack([(share.sum(1) * across).sum(1), (share.sum(2) * down).sum(1)], 1)


class DiscGaze(GazeNet):
    """The gaze of `draw_eyes`."""

    def __init__(self) -> None:
        super().__init__(1, HEIGHT, WIDTH, "residual")

    def forward(self, x: Tensor) -> Tensor:
        middle = torch.tensor([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
        return (middle - disc_center(x)).flip(1) / PIXELS_PER_RADIAN


class DiscLandmarks(LandmarkNet):
    """All landmarks at the disc's centre."""

    def __init__(self) -> None:
        super().__init__(1, 1, 4)

    def forward(self, x: Tensor) -> Tensor:
        return disc_center(x)[:, None].expand(-1, LANDMARKS, -1)


def disc_features() -> dict[str, EyeNetwork]:
    return {"gaze": frozen(DiscGaze()), "landmarks": frozen(DiscLandmarks())}
