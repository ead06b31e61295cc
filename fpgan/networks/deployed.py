"""A trained network as it leaves the house: it takes eye pictures as cameras and renderers make them.

Equalising belongs to the network, so that nobody who uses it elsewhere can forget it. Everything here is
torch operations that ONNX has too.
"""

import torch
from torch import Tensor, nn

from fpgan.networks.generator import Generator

LEVELS = 256
# OpenCV's fixed-point weights between RGB and YCrCb. All sums stay below 2^24: float32 holds them exactly.
FIXED_POINT = 1 << 14
R_TO_Y, G_TO_Y, B_TO_Y = 4899, 9617, 1868
R_TO_CR, B_TO_CB = 11682, 9241
CR_TO_R, CR_TO_G, CB_TO_G, CB_TO_B = 22987, -11698, -5636, 29049
CENTER = 128


class Deployed(nn.Module):
    """A network with all that is done to pictures before and to its answers after.

    Takes uint8 pictures, not equalised, (N, H, W) grey or (N, H, W, 3) RGB as the network was trained. A
    generator answers with float32 grey levels 0 to 255 of the same shape, other networks as they are:
    (N, 2) pitch and yaw in radians, (N, 18, 2) x and y in pixels.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval()
        self.translates = isinstance(network, Generator)

    def forward(self, eyes: Tensor) -> Tensor:
        color = eyes.ndim == 4
        pictures = equalize_color(eyes.float()).permute(0, 3, 1, 2) if color else equalize_grey(eyes.float())
        answers = self.network((pictures if color else pictures[:, None]) / 127.5 - 1)
        if not self.translates:
            return answers
        levels = (answers + 1) * 127.5
        return levels.permute(0, 2, 3, 1) if color else levels[:, 0]


def equalize_grey(pictures: Tensor) -> Tensor:
    """Histogram-equalised pictures (N, H, W) of whole grey levels, as cv2.equalizeHist makes them."""
    levels = pictures.flatten(1)
    counts = torch.zeros_like(levels[:, :1]).expand(-1, LEVELS)
    counts = counts.scatter_add(1, levels.long(), torch.ones_like(levels))
    darkest = levels.amin(1, keepdim=True)
    of_darkest = counts.gather(1, darkest.long())
    others = levels.shape[1] - of_darkest
    # Two tensors divided, as PyTorch would turn a number by a tensor into a product, rounded twice.
    scale = torch.full_like(others, LEVELS - 1) / others
    table = ((counts.cumsum(1) - of_darkest) * scale).round()
    equalized = torch.where(others == 0, levels, table.gather(1, levels.long()))
    return equalized.unflatten(1, pictures.shape[1:])


def equalize_color(pictures: Tensor) -> Tensor:
    """RGB pictures (N, H, W, 3) of whole levels, their luma equalised as by `fpgan.data.eyes.equalize`."""
    red, green, blue = pictures.unbind(3)
    luma = _descale(red * R_TO_Y + green * G_TO_Y + blue * B_TO_Y)
    cr = (_descale((red - luma) * R_TO_CR) + CENTER).clamp(0, LEVELS - 1) - CENTER
    cb = (_descale((blue - luma) * B_TO_CB) + CENTER).clamp(0, LEVELS - 1) - CENTER
    luma = equalize_grey(luma)
    parts = [
        luma + _descale(cr * CR_TO_R),
        luma + _descale(cr * CR_TO_G + cb * CB_TO_G),
        luma + _descale(cb * CB_TO_B),
    ]
    return torch.stack(parts, 3).clamp(0, LEVELS - 1)


def _descale(values: Tensor) -> Tensor:
    return torch.floor((values + FIXED_POINT // 2) / FIXED_POINT)
