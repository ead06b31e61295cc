"""A trained network in the form that is exported: it takes eye pictures as cameras and renderers make them.

Histogram equalisation is part of the exported network, so that no user has to remember it. All operations
here exist in ONNX too.
"""

import torch
from torch import Tensor, nn

from fpgan.networks.eye_network import EyeNetwork

LEVELS = 256
# OpenCV's fixed-point weights between RGB and YCrCb. All sums stay below 2^24: float32 holds them exactly.
FIXED_POINT = 1 << 14
R_TO_Y, G_TO_Y, B_TO_Y = 4899, 9617, 1868
R_TO_CR, B_TO_CB = 11682, 9241
CR_TO_R, CR_TO_G, CB_TO_G, CB_TO_B = 22987, -11698, -5636, 29049
CENTER = 128


class Deployed(nn.Module):
    """A network together with the preparation of its pictures and the conversion of its answers.

    Takes uint8 pictures, not equalised: (N, H, W) grey or (N, H, W, 3) RGB, as the network was trained on. A
    generator answers with float32 grey levels 0 to 255 of the same shape. Other networks give their own
    answers: (N, 2) pitch and yaw in radians, or (N, 18, 2) x and y in pixels.
    """

    def __init__(self, network: EyeNetwork) -> None:
        super().__init__()
        self.network = network.eval()
        self.answers_pictures = network.answers_pictures

    def forward(self, eyes: Tensor) -> Tensor:
        color = eyes.ndim == 4
        pictures = equalize_color(eyes.float()).permute(0, 3, 1, 2) if color else equalize_grey(eyes.float())
        answers = self.network((pictures if color else pictures[:, None]) / 127.5 - 1)
        if not self.answers_pictures:
            return answers
        levels = (answers + 1) * 127.5
        return levels.permute(0, 2, 3, 1) if color else levels[:, 0]


def equalize_grey(pictures: Tensor) -> Tensor:
    """Histogram-equalised pictures (N, H, W) of integer grey levels, equal to those of cv2.equalizeHist."""
    levels = pictures.flatten(1)
    counts = torch.zeros_like(levels[:, :1]).expand(-1, LEVELS)
    counts = counts.scatter_add(1, levels.long(), torch.ones_like(levels))
    darkest = levels.amin(1, keepdim=True)
    of_darkest = counts.gather(1, darkest.long())
    others = levels.shape[1] - of_darkest
    # A tensor divided by a tensor: a number divided by a tensor would become a product and be rounded twice.
    scale = torch.full_like(others, LEVELS - 1) / others
    table = ((counts.cumsum(1) - of_darkest) * scale).round()
    equalized = torch.where(others == 0, levels, table.gather(1, levels.long()))
    return equalized.unflatten(1, pictures.shape[1:])


def equalize_color(pictures: Tensor) -> Tensor:
    """RGB pictures (N, H, W, 3) of integer levels with equalised luma, as `fpgan.data.eyes.equalize` does."""
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
