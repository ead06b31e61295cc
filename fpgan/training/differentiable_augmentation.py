"""Differentiable augmentation (Zhao, Liu, Lin, Zhu, Han, NeurIPS 2020): a discriminator sees pictures and
translations only after a random change, so that it cannot memorise a small set of pictures."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BRIGHTNESS = 0.5  # largest change, where pictures span [-1, 1]
CONTRAST = 0.5  # largest relative change
SHIFT = 0.125  # largest, as a share of the picture's size


def draw_changes(step: int, batch_size: int, seed: int) -> NDArray[np.float32]:
    """Changes of brightness, contrast, x and y for batch `step`: (N, 4) in [-1, 1]; a pure function."""
    return np.random.default_rng([seed, step]).uniform(-1, 1, (batch_size, 4)).astype(np.float32)


def change(pictures: Tensor, changes: Tensor) -> Tensor:
    """Pictures (N, C, H, W), each changed by its row of (N, 4); shifted pictures repeat their border."""
    height, width = pictures.shape[2:]
    brightness, contrast, x, y = (column[:, None, None, None] for column in changes.unbind(1))
    mean = pictures.mean((1, 2, 3), keepdim=True)
    pictures = (pictures - mean) * (1 + CONTRAST * contrast) + mean + BRIGHTNESS * brightness
    pictures = pictures.gather(2, _source_indices(height, y).expand(-1, pictures.shape[1], -1, width))
    return pictures.gather(
        3, _source_indices(width, x)[:, :, None, :, 0].expand(-1, pictures.shape[1], height, -1)
    )


def _source_indices(size: int, shift: Tensor) -> Tensor:
    """The source index of each pixel of a shifted picture along one axis, (N, 1, size, 1)."""
    indices = torch.arange(size, device=shift.device)[None, None, :, None] + (shift * SHIFT * size).round()
    return indices.clamp(0, size - 1).long()
