"""Upright rectangles cut out of a picture, at any place and size, without aliasing."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fpgan.data.eyes import to_color
from fpgan.params import EyePicture


@dataclass(frozen=True)
class Crop:
    """A rectangle in a picture.

    Its edges are in pixels from the picture's left and upper edge, so pixel i spans i to i + 1 and has
    its centre at i + 0.5. Points, as everywhere, count from the centre of the first pixel.
    """

    left: float
    top: float
    width: float
    height: float

    @classmethod
    def around(cls, center: NDArray[np.floating], width: float, height: float) -> "Crop":
        """The rectangle with its centre at a point (2,)."""
        x, y = center + 0.5
        return cls(float(x) - width / 2, float(y) - height / 2, width, height)

    @classmethod
    def middle(cls, size: tuple[int, int], width: int, height: int) -> "Crop":
        """The largest rectangle of the shape height x width in the middle of a picture of size (H, W)."""
        whole_height, whole_width = size
        cut_width = min(whole_width, whole_height * width / height)
        center = np.array([whole_width - 1, whole_height - 1]) / 2
        return cls.around(center, cut_width, cut_width * height / width)

    def cut(
        self, picture: NDArray[np.uint8], width: int, height: int, reduction: int = 1
    ) -> NDArray[np.uint8]:
        """The part of a picture (H, W) or (H, W, 3) in the rectangle, resampled to height x width.

        `reduction` is the factor, a power of 2, by which the picture was reduced when it was decoded. Outside
        its border the picture continues with its border pixels.
        """
        left, top = self.left / reduction, self.top / reduction
        cut_width, cut_height = self.width / reduction, self.height / reduction
        # Bilinear samples no further apart than the picture's pixels, then their mean: an area average.
        finer = max(1, math.ceil(max(cut_width / width, cut_height / height)))
        x_step, y_step = cut_width / (width * finer), cut_height / (height * finer)
        to_picture = np.array([[x_step, 0, left + x_step / 2 - 0.5], [0, y_step, top + y_step / 2 - 0.5]])
        samples = cv2.warpAffine(
            picture,
            to_picture,
            (width * finer, height * finer),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    def move(self, points: NDArray[np.floating], width: int, height: int) -> NDArray[np.floating]:
        """Points (..., 2) of the picture as points of the height x width cut."""
        scale = np.array([width / self.width, height / self.height])
        return (points + 0.5 - [self.left, self.top]) * scale - 0.5


def fit_picture(picture: NDArray[np.uint8], shape: EyePicture) -> tuple[NDArray[np.uint8], Crop]:
    """The largest middle part of a picture that has the wanted shape, resampled to it and in its colours.

    Also returns the rectangle that this part fills. `picture` is (H, W) grey or (H, W, 3) RGB.
    """
    height, width = picture.shape[:2]
    crop = Crop.middle((height, width), shape.width, shape.height)
    picture = to_color(picture, color=shape.color)
    if (height, width) == (shape.height, shape.width):
        return picture, crop
    return crop.cut(picture, shape.width, shape.height), crop
