"""Some eyes and labels of a set, chosen while it is being written."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpgan.data.eyes import Eye, Eyes, equalize, spread_rows, stack_eyes

SHOWN_EYES = 24
SHOWN_GAZES = 100_000


@dataclass
class Preview:
    """Eyes and gaze labels spread over a set, and numbers of labels; memory does not grow with the set."""

    samples: int
    """Samples that the whole set is made from."""
    equalized: bool = False
    """Whether the pictures of the set are histogram-equalised."""
    with_gaze: int = 0
    """Eyes with a known gaze."""
    with_landmarks: int = 0
    """Eyes with known landmarks."""
    _eyes: list[Eye] = field(default_factory=list)
    _gaze: list[NDArray[np.floating]] = field(default_factory=list)

    def add(self, eyes: Sequence[Eye], before: int, done: int) -> None:
        """Chooses among the eyes that are made from the samples `before` to `done`, counted from 0.

        Their unknown labels are None.
        """

        def chosen(count: int, most: int) -> list[int]:
            return spread_rows(count, most * done // self.samples - most * before // self.samples).tolist()

        gaze = [eye.gaze for eye in eyes if eye.gaze is not None]
        self.with_gaze += len(gaze)
        self.with_landmarks += sum(eye.landmarks is not None for eye in eyes)
        self._eyes += [eyes[row] for row in chosen(len(eyes), SHOWN_EYES)]
        self._gaze += [gaze[row] for row in chosen(len(gaze), SHOWN_GAZES)]

    @property
    def eyes(self) -> Eyes:
        """Up to SHOWN_EYES eyes, with equalised pictures."""
        eyes = stack_eyes(self._eyes)
        return eyes if self.equalized else eyes.with_images(equalize(eyes.image))

    @property
    def gaze(self) -> NDArray[np.float32]:
        """(N, 2): known pitch and yaw in radians, of up to SHOWN_GAZES eyes."""
        return np.array(self._gaze, np.float32)
