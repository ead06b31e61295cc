"""Augmentation of training eyes: picture and landmarks move together. The result is a pure function of
(seed, epoch, row), so a resumed training sees the same pictures as an uninterrupted one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from fpgan.data.eyes import LANDMARKS

if TYPE_CHECKING:
    import albumentations

    from fpgan.params import Augmentation


@dataclass(frozen=True)
class Augment:
    """A random change of each eye; can be pickled, to be sent to another process."""

    params: Augmentation
    seed: int

    def __call__(
        self,
        images: NDArray[np.uint8],  # (N, H, W) or (N, H, W, 3)
        landmarks: NDArray[np.float32],  # (N, 18, 2)
        rows: NDArray[np.integer],  # (N,) of the eyes in their set
        epoch: int,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Changed copies of pictures and landmarks; unknown landmarks (NaN) stay unknown."""
        pipeline = _pipeline(self.params)
        changed, moved = np.empty_like(images), np.empty_like(landmarks)
        for i, row in enumerate(rows):
            seeds = np.random.SeedSequence([self.seed, epoch, int(row)])
            pipeline.set_random_seed(int(seeds.generate_state(1)[0]))
            known = np.isfinite(landmarks[i]).all()
            picture = images[i] if images.ndim == 4 else images[i][..., None]
            points = landmarks[i] if known else np.zeros((0, 2), np.float32)
            result = pipeline(image=picture, keypoints=points)
            changed[i] = result["image"].reshape(images.shape[1:])
            moved[i] = np.reshape(result["keypoints"], (LANDMARKS, 2)) if known else np.nan
        return changed, moved


@lru_cache(maxsize=1)
def _pipeline(params: Augmentation) -> albumentations.Compose:
    os.environ.setdefault(
        "NO_ALBUMENTATIONS_UPDATE", "1"
    )  # else the import looks for updates over the network
    import albumentations  # takes seconds

    return albumentations.Compose(
        [
            albumentations.Affine(
                translate_percent=(-params.shift, params.shift),
                scale=(1 - params.scale, 1 + params.scale),
                border_mode=cv2.BORDER_REPLICATE,
                p=1,
            ),
            albumentations.RandomBrightnessContrast(params.brightness, params.contrast, p=1),
            albumentations.GaussianBlur(blur_limit=0, sigma_limit=(0.3, params.blur_sigma), p=params.blur),
            albumentations.GaussNoise(std_range=(0, params.noise), p=float(params.noise > 0)),
            albumentations.Equalize(by_channels=False, p=float(params.equalize)),
        ],
        keypoint_params=albumentations.KeypointParams(format="xy", remove_invisible=False),
    )
