"""The effects of a laptop's webcam on a picture: exposure, colour cast, blur, noise, sharpening, JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


MIDDLE = 0.5
GAIN_RANGE = (0.6, 3.0)


@dataclass(frozen=True)
class Webcam:
    shrinkage: float
    """Pixels of the picture per pixel of the sensor, along each axis: cheap webcams enlarge pictures."""
    blur: float
    """Standard deviation of the lens' spread, pixels of the sensor."""
    noise: float
    """Standard deviation of the sensor's noise in mid grey at gain 1, share of the full range."""
    grain: float
    """Standard deviation, pixels of the sensor, over which the webcam smooths that noise."""
    sharpening: float
    """Strength of the unsharp mask it applies."""
    contrast: float
    """Exponent of its tone curve."""
    saturation: float
    quality: int
    """Of its JPEG pictures."""


def draw_webcam(random: np.random.Generator) -> Webcam:
    return Webcam(
        shrinkage=random.uniform(1.0, 1.3),
        blur=random.uniform(0.5, 0.8),
        noise=random.uniform(0.003, 0.008),
        grain=random.uniform(0.4, 0.9),
        sharpening=random.uniform(0.0, 0.9),
        contrast=random.uniform(0.9, 1.35),
        saturation=random.uniform(0.6, 1.0),
        quality=int(random.integers(65, 93)),
    )


def expose(picture: NDArray[np.float32], webcam: Webcam, gains: Array, seed: int) -> NDArray[np.uint8]:
    """The webcam's picture (H, W, 3), RGB, of a clean one (H, W, 3).

    The exposure aims at a mean of `MIDDLE`; `gains` (3,) are its error and the colour cast.
    """
    random = np.random.default_rng(seed)
    rows, columns = picture.shape[:2]
    sensor = (round(columns / webcam.shrinkage), round(rows / webcam.shrinkage))
    blurred = cv2.GaussianBlur(cv2.resize(picture, sensor, interpolation=cv2.INTER_AREA), (0, 0), webcam.blur)
    gain = np.clip(MIDDLE / blurred.mean(), *GAIN_RANGE)
    saturation = np.full((3, 3), (1 - webcam.saturation) / 3) + webcam.saturation * np.eye(3)
    tone = np.clip(cv2.transform(blurred, gain * gains[:, None] * saturation), 0, 1.6)
    tone = cv2.pow(tone, webcam.contrast)
    noise = cv2.GaussianBlur(random.standard_normal(tone.shape[:2], np.float32), (0, 0), webcam.grain)
    noise *= webcam.noise * gain / noise.std()
    tone += cv2.merge([noise] * 3) * (0.4 + cv2.sqrt(tone))
    tone = cv2.resize(tone, (columns, rows), interpolation=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(tone, (0, 0), 1.5)
    sharp = cv2.addWeighted(tone, 1 + webcam.sharpening, soft, -webcam.sharpening, 0)
    np.maximum(sharp, 0, out=sharp)
    return np.asarray(cv2.convertScaleAbs(sharp, alpha=255), np.uint8)
