"""Where a training loop tells what happens; tracking implements it, and so can a test."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Recorder(Protocol):
    """Takes the scalars, pictures and warnings of a run, by step.

    A resumed training tells again what happened after its checkpoint; what is known already is passed over.
    """

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Scalars under names such as 'loss/G'."""

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """One picture (H, W) or (H, W, 3) under a name such as 'translations/s2r'."""

    def warn(self, step: int, message: str) -> None:
        """What looks wrong, in a sentence."""


class Silent:
    """A recorder that keeps nothing."""

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Passes over them."""

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Passes over it."""

    def warn(self, step: int, message: str) -> None:
        """Passes over it."""
