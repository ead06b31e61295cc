"""Eye pictures and their labels in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

LANDMARKS = 18  # 8 on the eyelid margin, 8 on the iris edge, the iris centre, the eyeball centre
LABELS = {"gaze": (2,), "head": (2,), "landmarks": (LANDMARKS, 2)}


@dataclass(frozen=True)
class Eye:
    """One eye and its labels; None or NaN where a label is not known."""

    person: str
    """As in Eyes."""
    image: NDArray[np.uint8]
    """(H, W) grey or (H, W, 3) RGB."""
    gaze: NDArray[np.floating] | None = None
    """(2,) pitch and yaw in radians."""
    head: NDArray[np.floating] | None = None
    """(2,) pitch and yaw in radians."""
    landmarks: NDArray[np.floating] | None = None
    """(18, 2) x and y in pixels."""


@dataclass(frozen=True)
class Eyes:
    """Eye pictures and their labels, one row per eye; unknown labels are NaN."""

    image: NDArray[np.uint8]
    """(N, H, W) grey or (N, H, W, 3) RGB."""
    gaze: NDArray[np.float32]
    """(N, 2) pitch and yaw in radians."""
    head: NDArray[np.float32]
    """(N, 2) pitch and yaw in radians."""
    landmarks: NDArray[np.float32]
    """(N, 18, 2) x and y in pixels."""
    person: NDArray[np.str_]
    """(N,) the person of each eye, or the name of a data set without persons."""

    def __len__(self) -> int:
        return len(self.image)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.integer] | slice) -> "Eyes":
        """The eyes of rows given by a mask, indices or a slice, in that order."""
        return Eyes(
            self.image[rows], self.gaze[rows], self.head[rows], self.landmarks[rows], self.person[rows]
        )

    def with_images(self, image: NDArray[np.uint8]) -> "Eyes":
        """The same labels on other pictures (N, ...)."""
        return replace(self, image=image)

    def each(self) -> Iterator[Eye]:
        """The eyes one by one, copied, so that one does not keep the others in memory."""
        for row, person in enumerate(self.person.tolist()):
            arrays = (self.image, self.gaze, self.head, self.landmarks)
            yield Eye(person, *(array[row].copy() for array in arrays))

    @property
    def channels(self) -> int:
        """1 for grey pictures, 3 for RGB."""
        return 3 if self.image.ndim == 4 else 1

    @property
    def has_gaze(self) -> NDArray[np.bool_]:
        """(N,) whether the gaze of each eye is known."""
        return np.all(np.isfinite(self.gaze), axis=1)

    @property
    def has_landmarks(self) -> NDArray[np.bool_]:
        """(N,) whether all landmarks of each eye are known."""
        return np.all(np.isfinite(self.landmarks), axis=(1, 2))


def spread_rows(count: int, most: int) -> NDArray[np.int64]:
    """Up to `most` of the rows 0 to `count` - 1, evenly spread, with the first and the last."""
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)


def stack_eyes(eyes: Sequence[Eye]) -> Eyes:
    """One or more eyes as a set, in their order."""
    labels = {
        label: np.array(
            [np.full(shape, np.nan) if (value := getattr(eye, label)) is None else value for eye in eyes],
            np.float32,
        )
        for label, shape in LABELS.items()
    }
    return Eyes(
        image=np.stack([eye.image for eye in eyes]), person=np.array([eye.person for eye in eyes]), **labels
    )


def to_color(picture: NDArray[np.uint8], *, color: bool) -> NDArray[np.uint8]:
    """A picture (H, W) or (H, W, 3) RGB as RGB, or without `color` as grey."""
    if color == (picture.ndim == 3):
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB if color else cv2.COLOR_RGB2GRAY), np.uint8)


def equalize(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Histogram-equalised copies of pictures (N, H, W) or, on their luma, (N, H, W, 3) RGB."""
    result = np.empty_like(images)
    for i, picture in enumerate(images):
        if picture.ndim == 2:
            result[i] = cv2.equalizeHist(picture)
        else:
            luma = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
            luma[..., 0] = cv2.equalizeHist(np.ascontiguousarray(luma[..., 0]))
            result[i] = cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB)
    return result


def join_eyes(parts: Sequence[Eyes]) -> Eyes:
    """All eyes of one set or of several, in their order."""
    return Eyes(
        np.concatenate([part.image for part in parts]),
        np.concatenate([part.gaze for part in parts]),
        np.concatenate([part.head for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
        np.concatenate([part.person for part in parts]),
    )
