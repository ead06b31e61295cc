"""Pictures as the content of picture files."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray


def encode_picture(picture: NDArray[np.uint8], ending: str, options: Sequence[int] = ()) -> bytes:
    """A picture (H, W) grey or (H, W, 3) RGB as the content of a file that ends in .png or .jpg.

    `options` are OpenCV's, pairs of a flag and its value.
    """
    stored = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(ending, stored, list(options))[1].data)
