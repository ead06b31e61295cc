"""Lashes and brows: hairs as smooth strokes over a rendered picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from fpgan.sample.appearance import Appearance
from fpgan.sample.geometry import Lids, on_skin
from fpgan.sample.shading import brow_line

Array = NDArray[np.floating]

BENDS = np.linspace(0, 1, 5)[:, None, None]  # points of a stroke
SUBPIXEL_BITS = 4


def lashes(lids: Lids, appearance: Appearance) -> Array:
    """Strokes (hairs, 5, 3) in the eye frame: upper lashes bend up and outwards, lower ones down."""
    random = np.random.default_rng(appearance.texture + 1)
    upper = _lash_row(random, lids, appearance.lashes, 90, raised=1.0)
    lower = _lash_row(random, lids, appearance.lashes * 0.45, 35, raised=-0.7)
    return np.concatenate([upper, lower])


def _lash_row(random: np.random.Generator, lids: Lids, length: float, count: int, raised: float) -> Array:
    along = np.linspace(0.2, 0.98, count) + random.normal(0, 0.006, count)
    x = lids.inner[0] + along * (lids.outer[0] - lids.inner[0])
    root = on_skin(x, lids.upper(x) if raised > 0 else lids.lower(x) + 0.9)
    lengths = length * random.uniform(0.6, 1.1, count)[:, None] * (0.55 + 0.45 * along[:, None])
    fan = 1.0 * (along - 0.42) + random.normal(0, 0.2, count)
    out = np.stack([fan, np.full(count, 0.12), np.full(count, -0.75)], axis=-1)
    curl = np.array([0.0, -0.75 * raised, 0.0])
    strokes = root + lengths * (BENDS * out + BENDS**1.7 * curl)
    return strokes.transpose(1, 0, 2)


def brow(appearance: Appearance) -> Array:
    """Strokes (hairs, 5, 3) in the eye frame, combed outwards."""
    random = np.random.default_rng(appearance.texture + 2)
    count = 420
    along = random.beta(1.2, 1.3, count)
    x = -19 + 43 * along
    y = brow_line(x, appearance) + random.normal(0, 1.7, count) * (1.1 - 0.7 * along)
    rise = 0.9 - 1.5 * along + random.normal(0, 0.15, count)
    length = random.uniform(3, 6, count)
    bend = BENDS[..., 0] * length
    xs = x + bend * np.cos(rise)
    ys = y - bend * np.sin(rise) * (1 - 0.4 * BENDS[..., 0])
    strokes = on_skin(xs, ys)
    return strokes.transpose(1, 0, 2)


def draw_strokes(
    picture: NDArray[np.float32], strokes: Array, color: Array, cover: float, thickness: int = 1
) -> None:
    """Draws strokes (hairs, points, 2), in pixels, over a picture (3, H, W), in place."""
    rows, columns = picture.shape[1:]
    left, top = np.clip(strokes.min(axis=(0, 1)) - 2, 0, [columns, rows]).astype(int)
    right, bottom = np.clip(strokes.max(axis=(0, 1)) + 3, 0, [columns, rows]).astype(int)
    if left >= right or top >= bottom:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    pixels = np.round((strokes - [left, top]) * 2**SUBPIXEL_BITS).astype(np.int32)
    cv2.polylines(mask, list(pixels), False, 255, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
    part = picture[:, top:bottom, left:right]
    part += mask * np.float32(cover / 255) * (color[:, None, None] - part)
