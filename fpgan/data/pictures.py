"""Eye pictures as input and output of networks: float32 (N, C, H, W) in [-1, 1]."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def pictures_to_bytes(images: NDArray[np.uint8]) -> Tensor:
    """Pictures (N, H, W) or (N, H, W, 3) as a uint8 tensor (N, C, H, W)."""
    tensor = torch.from_numpy(np.ascontiguousarray(images))
    return tensor[:, None] if tensor.ndim == 3 else tensor.permute(0, 3, 1, 2).contiguous()


def bytes_to_input(pictures: Tensor) -> Tensor:
    """uint8 (N, C, H, W) as network input, float32 in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def pictures_to_input(images: NDArray[np.uint8]) -> Tensor:
    """Pictures (N, H, W) or (N, H, W, 3) as network input."""
    return bytes_to_input(pictures_to_bytes(images))


def output_to_pictures(output: Tensor) -> Tensor:
    """Network output (N, C, H, W) in [-1, 1] as uint8 (N, H, W) or (N, H, W, 3), rounded and clipped."""
    pictures = ((output.detach() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return (pictures[:, 0] if pictures.shape[1] == 1 else pictures.permute(0, 2, 3, 1)).contiguous()


def tile(rows: list[NDArray[np.uint8]], scale: int = 3) -> NDArray[np.uint8]:
    """One picture made of rows of pictures (N, H, W[, 3]) of one size, each magnified `scale` times."""
    lines = [np.concatenate(list(pictures), axis=1) for pictures in rows]
    return np.concatenate(lines).repeat(scale, axis=0).repeat(scale, axis=1)
