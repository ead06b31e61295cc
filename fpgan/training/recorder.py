"""The interface through which a training logs; tracking implements it, and so can a test."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Recorder(Protocol):
    """Records the scalars, pictures and warnings of a run, by step.

    A resumed training repeats the records made after its checkpoint; records that exist already are skipped.
    """

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Scalars under names such as 'loss/G'."""

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """One picture (H, W) or (H, W, 3) under a name such as 'translations/s2r'."""

    def warn(self, step: int, message: str) -> None:
        """A sentence about a problem."""


class Silent:
    """A recorder that ignores everything."""

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Ignores the scores."""

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Ignores the picture."""

    def warn(self, step: int, message: str) -> None:
        """Ignores the message."""
