"""The image pool of SimGAN (Shrivastava et al., CVPR 2017): earlier translations for a discriminator."""

from typing import Any

import torch
from torch import Tensor


class ImagePool:
    """Up to `size` earlier pictures; of those asked about, half are exchanged for earlier ones.

    It has a random generator of its own, so that its choices depend on nothing else.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.generator = torch.Generator().manual_seed(seed)
        self.pictures: list[Tensor] = []

    def exchange(self, batch: Tensor) -> Tensor:
        """The batch (N, C, H, W), some of its pictures replaced by earlier ones; keeps those replaced."""
        if self.size == 0:
            return batch
        result = []
        for picture in batch:
            if len(self.pictures) < self.size:
                self.pictures.append(picture.clone())
            elif torch.rand((), generator=self.generator) < 0.5:
                place = int(torch.randint(self.size, (), generator=self.generator))
                picture, self.pictures[place] = self.pictures[place], picture.clone()
            result.append(picture)
        return torch.stack(result)

    def state(self) -> dict[str, Any]:
        """All it holds, for a checkpoint."""
        return {"pictures": self.pictures, "generator": self.generator.get_state()}

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Goes back to what `state` gave."""
        self.pictures = [picture.to(device) for picture in state["pictures"]]
        self.generator.set_state(state["generator"])
