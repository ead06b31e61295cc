"""Some eyes and labels of a set, chosen while it is being written."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpgan.data.eyes import Eyes, equalize, join_eyes

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
    _eyes: list[Eyes] = field(default_factory=list)
    _gaze: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, eyes: Eyes, before: int, done: int) -> None:
        """Chooses among the eyes that are made from the samples `before` to `done`, counted from 0."""

        def spread(count: int, most: int) -> NDArray[np.int64]:
            due = most * done // self.samples - most * before // self.samples
            return np.linspace(0, count - 1, min(due, count)).astype(int)

        gaze = eyes.gaze[eyes.has_gaze]
        self.with_gaze += len(gaze)
        self.with_landmarks += int(eyes.has_landmarks.sum())
        self._eyes.append(eyes.select(spread(len(eyes), SHOWN_EYES)))
        self._gaze.append(gaze[spread(len(gaze), SHOWN_GAZES)])

    @property
    def eyes(self) -> Eyes:
        """Up to SHOWN_EYES eyes, with equalised pictures."""
        eyes = join_eyes(self._eyes)
        return eyes if self.equalized else eyes.with_images(equalize(eyes.image))

    @property
    def gaze(self) -> NDArray[np.float32]:
        """(N, 2): known pitch and yaw in radians, of up to SHOWN_GAZES eyes."""
        return np.concatenate(self._gaze)
