"""Eye pictures as their owner keeps them: PNG and JPEG files of any size, in folders of any depth."""

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from fpgan.data.cropping import Crop
from fpgan.data.preparation_report import SampleError
from fpgan.data.raw_files import MAX_PIXELS, MAX_SIDE, check_jpeg, read_bytes
from fpgan.errors import InputError

ENDINGS = (".png", ".jpg", ".jpeg")
PNG = b"\x89PNG\r\n\x1a\n"
BEHIND = 128  # the grey of what is transparent: the middle, which says nothing
NOTABLE = 0.1  # of a picture's width or height, cut off to give it another shape


@dataclass(frozen=True)
class PictureShape:
    """Of the pictures a network sees."""

    height: int
    width: int
    color: bool

    def __str__(self) -> str:
        return f"{self.width} x {self.height} pixels, {'RGB' if self.color else 'grey'}"


def list_pictures(folder: Path) -> Iterator[str]:
    """Names relative to `folder` of the PNG and JPEG files in it and below, and of linked folders.

    Sorted within each folder. Hidden files and folders are passed over, links to folders not followed.
    Raises InputError when a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror})")

    for path, folders, files in os.walk(folder, onerror=refuse):
        links = [name for name in folders if os.path.islink(os.path.join(path, name))]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        pictures = [name for name in files if name.lower().endswith(ENDINGS)]
        below = "" if Path(path) == folder else os.path.relpath(path, folder)
        for name in sorted(name for name in (*links, *pictures) if not name.startswith(".")):
            yield os.path.join(below, name)


def read_picture(root: Path, name: str) -> NDArray[np.uint8]:
    """A PNG or JPEG picture named relative to `root`, an absolute path without links.

    (H, W) grey or (H, W, 3) RGB: turned upright as its camera noted, transparent parts grey, and of 16-bit
    pictures the bits that are used. Raises SampleError when it cannot be read or leads out of `root`.
    """
    data = read_bytes(root, name)
    if data.startswith(PNG):
        width, height = _check_png(name, data)
        mode = cv2.IMREAD_UNCHANGED
    elif data.startswith(b"\xff\xd8"):
        jpeg = check_jpeg(name, data)
        width, height = jpeg.width, jpeg.height
        mode = cv2.IMREAD_ANYCOLOR
    else:
        raise SampleError(name, None, "is not a PNG or JPEG picture")
    pixels: MatLike | None = None
    with suppress(cv2.error):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    if pixels is None or sorted(pixels.shape[:2]) != sorted((height, width)):
        raise SampleError(name, None, "does not decode as a picture")
    return _as_bytes(pixels)


def fit_picture(picture: NDArray[np.uint8], shape: PictureShape) -> tuple[NDArray[np.uint8], bool]:
    """The largest middle part of a picture that has the wanted shape, resampled to it, and in its colours.

    Also whether more than a tenth of the picture's width or height is cut off.
    """
    height, width = picture.shape[:2]
    if shape.color != (picture.ndim == 3):
        code = cv2.COLOR_GRAY2RGB if shape.color else cv2.COLOR_RGB2GRAY
        picture = np.asarray(cv2.cvtColor(picture, code), np.uint8)
    if (height, width) == (shape.height, shape.width):
        return picture, False
    cut_width = min(width, height * shape.width / shape.height)
    cut_height = cut_width * shape.height / shape.width
    crop = Crop.around(np.array([width - 1, height - 1]) / 2, cut_width, cut_height)
    cut_off = cut_width < (1 - NOTABLE) * width or cut_height < (1 - NOTABLE) * height
    return crop.cut(picture, shape.width, shape.height), cut_off


def _check_png(name: str, data: bytes) -> tuple[int, int]:
    """Width and height of a PNG (ISO/IEC 15948) whose every chunk is there and whole."""
    width = height = 0
    at = len(PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        checksum = data[at + 8 + length : at + 12 + length]
        if len(checksum) < 4:
            break
        if zlib.crc32(content, zlib.crc32(kind)) != int.from_bytes(checksum, "big"):
            raise SampleError(name, None, "is damaged: its checksums do not match")
        if at == len(PNG) and kind == b"IHDR" and length == 13:
            width, height = struct.unpack(">II", content[:8])
            if not 0 < width * height <= MAX_PIXELS or max(width, height) > MAX_SIDE:
                raise SampleError(name, None, f"has a broken header: {width} x {height} pixels")
        if not width:
            break
        if kind == b"IEND":
            return width, height
        at += 12 + length
    raise SampleError(name, None, "is cut off: the PNG data has no end")


def _as_bytes(pixels: MatLike) -> NDArray[np.uint8]:
    """Decoded pixels, grey, BGR or BGR with alpha, of 8 or 16 bits, as grey or RGB bytes."""
    opaque: NDArray[Any] | None = None
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        opaque = pixels[..., 3:] / np.float32(65535 if pixels.dtype == np.uint16 else 255)
        pixels = pixels[..., :3]
    if pixels.dtype == np.uint16:
        used = max(8, int(pixels.max()).bit_length())  # many cameras fill 10 or 12 of the 16
        pixels = (pixels * np.float32(255 / (2**used - 1))).round().astype(np.uint8)
    if opaque is not None:
        pixels = (pixels * opaque + BEHIND * (1 - opaque)).round().astype(np.uint8)
    return np.asarray(pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
