"""The image pool of SimGAN (Shrivastava et al., CVPR 2017): earlier translations for discriminators."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Exchange(NamedTuple):
    """How the pictures of one batch are exchanged with those of the pool."""

    place: NDArray[np.int64]
    """(N,) the place in the pool where each picture is stored; places beyond the pool's size are not kept."""
    give_back: NDArray[np.bool_]
    """(N,) whether the discriminator sees the earlier picture of that place instead."""


def plan_exchange(step: int, batch_size: int, size: int, seed: int) -> Exchange:
    """The exchange of batch `step`, counted from 0: a pure function, so that a resumed training repeats it.

    The first `size` pictures fill the pool and are shown themselves. Of later pictures half are exchanged for
    earlier ones, each from a different place.
    """
    random = np.random.default_rng([seed, step])
    beyond = np.arange(size, size + batch_size)
    filled = np.arange(step * batch_size, (step + 1) * batch_size)
    places = beyond.copy()
    places[: min(size, batch_size)] = random.permutation(size)[:batch_size]
    filling = filled < size
    held = min(size, step * batch_size)
    give_back = (random.random(batch_size) < 0.5) & (places < held) & ~filling
    return Exchange(np.where(filling, filled, np.where(give_back, places, beyond)), give_back)


class ImagePool:
    """Up to `size` earlier pictures (C, H, W), with extra places for a batch's pictures that are not kept."""

    def __init__(self, size: int, batch_size: int, picture: tuple[int, ...], device: torch.device) -> None:
        self.pictures = torch.zeros(size + batch_size, *picture, device=device)

    def exchange(self, batch: Tensor, place: Tensor, give_back: Tensor) -> Tensor:
        """The batch (N, C, H, W), with some pictures replaced by earlier ones according to an `Exchange`."""
        shown = torch.where(give_back[:, None, None, None], self.pictures[place], batch)
        self.pictures[place] = batch
        return shown
