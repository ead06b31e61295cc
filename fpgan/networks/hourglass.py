"""The landmark network: a stacked hourglass (Newell, Yang, Deng, ECCV 2016) for eyes, as in ELG
(Park, Zhang, Bulling, Hilliges, ETRA 2018), with landmarks found by soft-argmax."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fpgan.data.eyes import LANDMARKS
from fpgan.networks.eye_network import EyeNetwork

DEPTH = 3


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Bottleneck(nn.Module):
    """Adds to its input the output of 1 x 1, 3 x 3 and 1 x 1 convolutions."""

    def __init__(self, features: int) -> None:
        super().__init__()
        half = features // 2
        self.layers = nn.Sequential(
            _convolution(features, half, 1), _convolution(half, half, 3), _convolution(half, features, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Hourglass(nn.Module):
    """Halves the features `depth` times and enlarges them again, with a skip connection at every size."""

    def __init__(self, features: int, depth: int = DEPTH) -> None:
        super().__init__()
        self.kept = Bottleneck(features)
        self.before = Bottleneck(features)
        self.inner = Hourglass(features, depth - 1) if depth > 1 else Bottleneck(features)
        self.after = Bottleneck(features)

    def forward(self, x: Tensor) -> Tensor:
        small = functional.max_pool2d(x, 2, ceil_mode=True)
        small = self.after(self.inner(self.before(small)))
        return self.kept(x) + functional.interpolate(small, size=x.shape[2:], mode="nearest")


class LandmarkNet(EyeNetwork):
    """Finds the 18 landmarks of eye pictures (N, C, H, W) in [-1, 1]: (N, 18, 2) x and y in pixels.

    Each module gives heatmaps (N, 18, H/2, W/2). A landmark is the mean position under the softmax of the
    last module's heatmap.
    """

    answer = "landmarks"

    def __init__(self, channels: int = 1, modules: int = 3, features: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _convolution(channels, features, 7, stride=2), Bottleneck(features), Bottleneck(features)
        )
        self.hourglasses = nn.ModuleList(
            nn.Sequential(Hourglass(features), Bottleneck(features), _convolution(features, features, 1))
            for _ in range(modules)
        )
        self.heads = nn.ModuleList(nn.Conv2d(features, LANDMARKS, 1) for _ in range(modules))
        self.merge_features = nn.ModuleList(nn.Conv2d(features, features, 1) for _ in range(modules - 1))
        self.merge_heatmaps = nn.ModuleList(nn.Conv2d(LANDMARKS, features, 1) for _ in range(modules - 1))

    def heatmaps(self, x: Tensor) -> list[Tensor]:
        """The heatmaps (N, 18, H/2, W/2) of every module, as logits."""
        x = self.stem(x)
        maps: list[Tensor] = []
        for i, (hourglass, head) in enumerate(zip(self.hourglasses, self.heads, strict=True)):
            features = hourglass(x)
            maps.append(head(features))
            if i < len(self.merge_features):
                x = x + self.merge_features[i](features) + self.merge_heatmaps[i](maps[-1])
        return maps

    def forward(self, x: Tensor) -> Tensor:
        return soft_argmax(self.heatmaps(x)[-1])


def heatmap_grid(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """x (width,) and y (height,) of the cells of a half-size heatmap, in pixels of the full picture.

    A cell covers two pixels. With pixel centres at integer coordinates, cell i is centred at 2 i + 0.5.
    """
    x, y = (torch.arange(size, device=like.device, dtype=like.dtype) * 2 + 0.5 for size in (width, height))
    return x, y


def soft_argmax(heatmaps: Tensor) -> Tensor:
    """Mean positions (N, K, 2), x and y in pixels, under the softmax of heatmaps (N, K, H/2, W/2)."""
    height, width = heatmaps.shape[2:]
    share = heatmaps.flatten(2).softmax(dim=2).unflatten(2, (height, width))
    x, y = heatmap_grid(height, width, heatmaps)
    return torch.stack([(share.sum(2) * x).sum(2), (share.sum(3) * y).sum(2)], dim=2)


def landmark_distance(found: NDArray[np.floating], true: NDArray[np.floating]) -> NDArray[np.floating]:
    """Mean distances (N,) in pixels between two sets of landmarks (N, 18, 2)."""
    return np.linalg.norm(found - true, axis=2).mean(axis=1)
