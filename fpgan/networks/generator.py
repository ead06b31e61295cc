"""The generator of CycleGAN (Zhu et al., ICCV 2017), after Johnson et al. (ECCV 2016)."""

import torch
from torch import Tensor, nn


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, padding_mode="reflect", bias=False),
        nn.InstanceNorm2d(outputs, affine=True),
    ]


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with instance normalization, added to their input."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(filters, filters, 3), nn.ReLU(), *_convolution(filters, filters, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Generator(nn.Module):
    """Translates eye pictures (N, C, H, W) in [-1, 1] into pictures of the same shape and range.

    c7s1-f, d2f, d4f, residual blocks, u2f, uf, c7s1-C in CycleGAN's notation; H and W divisible by 4.
    """

    def __init__(self, channels: int = 1, filters: int = 64, residual_blocks: int = 6) -> None:
        super().__init__()
        layers: list[nn.Module] = [*_convolution(channels, filters, 7), nn.ReLU()]
        for factor in (1, 2):
            layers += [*_convolution(filters * factor, filters * factor * 2, 3, stride=2), nn.ReLU()]
        layers += [ResidualBlock(filters * 4) for _ in range(residual_blocks)]
        for factor in (4, 2):
            width = filters * factor
            layers += [
                nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1, bias=False),
                nn.InstanceNorm2d(width // 2, affine=True),
                nn.ReLU(),
            ]
        layers += [nn.Conv2d(filters, channels, 7, padding=3, padding_mode="reflect")]
        self.layers = nn.Sequential(*layers)
        self.apply(initialize)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layers(x))


def initialize(module: nn.Module) -> None:
    """CycleGAN's initial weights: normal with standard deviation 0.02, biases 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
