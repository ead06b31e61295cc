"""Where a training loop tells what happens; tracking implements it, and so can a test."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Recorder(Protocol):
    """Takes the scalars and pictures of a run, by step."""

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Scalars under names such as 'loss/G'."""

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """One picture (H, W) or (H, W, 3) under a name such as 'translations/s2r'."""
