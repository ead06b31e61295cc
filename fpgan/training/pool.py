"""The image pool of SimGAN (Shrivastava et al., CVPR 2017): earlier translations for a discriminator."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Exchange(NamedTuple):
    """What happens to the pictures of one batch."""

    place: NDArray[np.int64]
    """(N,) where in the pool each is put; a place beyond the pool's size forgets it."""
    give_back: NDArray[np.bool_]
    """(N,) whether the discriminator is shown what was at that place instead."""


def plan_exchange(step: int, batch_size: int, size: int, seed: int) -> Exchange:
    """The exchange of batch `step`, counted from 0: a pure function, so that a resumed training repeats it.

    The first `size` pictures fill the pool and are shown as they are; of later ones half are exchanged for
    earlier ones, each from another place.
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
    """Up to `size` earlier pictures (C, H, W), and room for those of a batch that are not kept."""

    def __init__(self, size: int, batch_size: int, picture: tuple[int, ...], device: torch.device) -> None:
        self.pictures = torch.zeros(size + batch_size, *picture, device=device)

    def exchange(self, batch: Tensor, place: Tensor, give_back: Tensor) -> Tensor:
        """The batch (N, C, H, W), some of its pictures replaced by earlier ones, as an `Exchange` says."""
        shown = torch.where(give_back[:, None, None, None], self.pictures[place], batch)
        self.pictures[place] = batch
        return shown
