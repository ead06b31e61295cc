"""The PatchGAN discriminator of pix2pix and CycleGAN (Isola et al., CVPR 2017; Zhu et al., ICCV 2017)."""

from torch import Tensor, nn
from torch.nn import functional

from fpgan.networks.normalization_layers import Normalization, initialize, normalize

KERNEL = 4


class SamePaddedConvolution(nn.Module):
    """A 4 x 4 convolution with TensorFlow's padding SAME: its output has ceil(size / stride) pixels.

    FP-GAN was trained with it: at 36 x 60 its discriminator judges 3 x 4 patches. With symmetric padding
    only 1 x 2 would be left.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, bias: bool) -> None:
        super().__init__()
        self.stride = stride
        self.convolution = nn.Conv2d(inputs, outputs, KERNEL, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        padding = []
        for size in (x.shape[3], x.shape[2]):
            total = max((-(-size // self.stride) - 1) * self.stride + KERNEL - size, 0)
            padding += [total // 2, total - total // 2]
        return self.convolution(functional.pad(x, padding))


class Discriminator(nn.Module):
    """Judges patches of eye pictures (N, C, H, W) in [-1, 1]: a map (N, 1, h, w), one value per patch.

    C64-C128-C256-C512 with 64 `filters` and four `layers`; each layer halves the picture.
    """

    def __init__(
        self,
        channels: int = 1,
        filters: int = 64,
        layers: int = 4,
        normalization: Normalization = "instance",
    ) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        width = channels
        for layer in range(layers):
            outputs, kind = filters * 2**layer, normalization if layer else "none"
            modules.append(SamePaddedConvolution(width, outputs, stride=2, bias=kind == "none"))
            modules += [*normalize(kind, outputs), nn.LeakyReLU(0.2)]
            width = outputs
        modules.append(SamePaddedConvolution(width, 1, stride=1, bias=True))
        self.layers = nn.Sequential(*modules)
        initialize(self, normalization)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).float()


def patch_size(layers: int) -> int:
    """Side, in pixels, of the patch that one value of a discriminator judges."""
    size = KERNEL
    for _ in range(layers):
        size = size * 2 + KERNEL - 2
    return size
