"""Normalization of generators and discriminators, and the initial weights that go with it."""

from typing import Literal

from torch import Tensor, nn

Normalization = Literal["instance", "batch", "none"]


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalization that leaves a map of a single value as it is, since that has no spread.

    PyTorch's own refuses such maps in training; deep discriminators make them of small pictures.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x if x.shape[2] * x.shape[3] == 1 else super().forward(x)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalization that leaves a batch of a single value a channel as it is, for the same reason."""

    def forward(self, x: Tensor) -> Tensor:
        return x if self.training and x[:, 0].numel() == 1 else super().forward(x)


def normalize(kind: Normalization, channels: int) -> list[nn.Module]:
    """The layers, none or one, that follow a convolution with `channels` outputs."""
    if kind == "none":
        return []
    return [InstanceNorm(channels, affine=True) if kind == "instance" else BatchNorm(channels)]


def initialize(network: nn.Module, kind: Normalization) -> None:
    """CycleGAN's initial weights, normal with standard deviation 0.02 and biases 0.

    Without normalization to restore the scale, such small weights would leave a deep network's output
    constant: then He's (ICCV 2015) are used.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            if kind == "none":
                nn.init.kaiming_normal_(module.weight)
            else:
                nn.init.normal_(module.weight, 0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
