"""Normalization of generators and discriminators, and their initial weights, which depend on it."""

from typing import Literal

from torch import Tensor, nn

Normalization = Literal["instance", "batch", "none"]


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalization that leaves a map of a single value unchanged, as its variance is 0.

    PyTorch's own layer raises an error for them in training. Deep discriminators make them from small
    pictures.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x if x.shape[2] * x.shape[3] == 1 else super().forward(x)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalization that leaves a batch of one value per channel unchanged, for the same reason."""

    def forward(self, x: Tensor) -> Tensor:
        return x if self.training and x[:, 0].numel() == 1 else super().forward(x)


def normalize(kind: Normalization, channels: int) -> list[nn.Module]:
    """The list of layers, empty or of one, that follows a convolution with `channels` outputs."""
    if kind == "none":
        return []
    return [InstanceNorm(channels, affine=True) if kind == "instance" else BatchNorm(channels)]


def initialize(network: nn.Module, kind: Normalization) -> None:
    """Sets CycleGAN's initial weights: normal with standard deviation 0.02, biases 0.

    Without normalization these small weights would make a deep network's output constant, so those of He et
    al. (ICCV 2015) are used instead.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            if kind == "none":
                nn.init.kaiming_normal_(module.weight)
            else:
                nn.init.normal_(module.weight, 0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
