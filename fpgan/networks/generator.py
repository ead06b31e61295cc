"""Generators, by name: that of CycleGAN (Zhu et al., ICCV 2017), after Johnson et al. (ECCV 2016).

A new architecture needs a module, an entry in `GENERATORS` and its name in `fpgan.params.GeneratorParams`.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from fpgan.networks.eye_network import EyeNetwork, find_architecture
from fpgan.networks.normalization_layers import Normalization, initialize, normalize

Upsampling = Literal["transposed", "resize"]


def _convolution(
    inputs: int, outputs: int, size: int, kind: Normalization, stride: int = 1
) -> list[nn.Module]:
    return [
        nn.Conv2d(
            inputs, outputs, size, stride, padding=size // 2, padding_mode="reflect", bias=kind == "none"
        ),
        *normalize(kind, outputs),
    ]


def _doubling(inputs: int, outputs: int, kind: Normalization, upsampling: Upsampling) -> list[nn.Module]:
    if upsampling == "resize":
        return [nn.Upsample(scale_factor=2, mode="nearest"), *_convolution(inputs, outputs, 3, kind)]
    return [
        nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1, bias=kind == "none"),
        *normalize(kind, outputs),
    ]


class ResidualBlock(nn.Module):
    """Adds to its input the output of two 3 x 3 convolutions with normalization."""

    def __init__(self, filters: int, normalization: Normalization) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(filters, filters, 3, normalization),
            nn.ReLU(),
            *_convolution(filters, filters, 3, normalization),
        )

    def begin_as_identity(self) -> None:
        """Sets the last convolution's weights to 0 (after Zhang, Dauphin, Ma, ICLR 2019)."""
        for weights in self.layers[-1].parameters():
            nn.init.zeros_(weights)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class ResidualLayers(nn.Sequential):
    """CycleGAN's layers: c7s1-f, d2f, d4f, residual blocks, u2f, uf, c7s1-C in its notation.

    `upsampling` is by transposed convolution, as published, or by resizing followed by a convolution, which
    leaves no checkerboard (Odena, Dumoulin, Olah, Distill 2016).
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        residual_blocks: int,
        normalization: Normalization,
        upsampling: Upsampling,
    ) -> None:
        layers: list[nn.Module] = [*_convolution(channels, filters, 7, normalization), nn.ReLU()]
        for width in (filters, filters * 2):
            layers += [*_convolution(width, width * 2, 3, normalization, stride=2), nn.ReLU()]
        layers += [ResidualBlock(filters * 4, normalization) for _ in range(residual_blocks)]
        for width in (filters * 4, filters * 2):
            layers += [*_doubling(width, width // 2, normalization, upsampling), nn.ReLU()]
        layers += [nn.Conv2d(filters, channels, 7, padding=3, padding_mode="reflect")]
        super().__init__(*layers)
        initialize(self, normalization)
        if normalization == "none":  # otherwise every block doubles the variance, and tanh saturates
            for block in self:
                if isinstance(block, ResidualBlock):
                    block.begin_as_identity()


GENERATORS: dict[str, type[nn.Module]] = {"residual": ResidualLayers}
"""The layers before the tanh, by the name of the architecture; all are built with the same arguments."""


class Generator(EyeNetwork):
    """Translates eye pictures (N, C, H, W) in [-1, 1] into pictures of the same shape and range.

    H and W are divisible by 4. Raises InputError for a `network` that is not in `GENERATORS`.
    """

    answer = "translations"
    answers_pictures = True

    def __init__(
        self,
        channels: int = 1,
        filters: int = 64,
        residual_blocks: int = 6,
        normalization: Normalization = "instance",
        upsampling: Upsampling = "transposed",
        network: str = "residual",
    ) -> None:
        super().__init__()
        self.channels = channels
        build = find_architecture(GENERATORS, network, "generator")
        self.layers = build(channels, filters, residual_blocks, normalization, upsampling)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layers(x).float())  # in full precision, also under mixed precision
