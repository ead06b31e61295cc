"""A user's own eye pictures: PNG and JPEG files of any size, in folders of any depth."""

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
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
BEHIND = 128  # the grey level behind transparent parts: neither dark nor bright
NOTABLE = 0.1  # share of a picture's width or height whose loss is reported


def list_pictures(folder: Path) -> Iterator[str]:
    """Names, relative to `folder`, of the PNG and JPEG files in it and in its subfolders.

    Sorted within each folder, without hidden files and folders. A link to a folder is listed like a picture
    and not followed. Raises InputError when a folder cannot be read.
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

    (H, W) grey or (H, W, 3) RGB: upright according to the camera's orientation mark, with grey in place of
    transparent parts; 16-bit pictures are scaled by the bits that they use. Raises SampleError when the
    picture cannot be read or lies outside `root`.
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


def is_cut_off(picture: NDArray[np.uint8], crop: Crop) -> bool:
    """Whether a crop leaves out more than a tenth of a picture's width or height."""
    height, width = picture.shape[:2]
    return crop.width < (1 - NOTABLE) * width or crop.height < (1 - NOTABLE) * height


def _check_png(name: str, data: bytes) -> tuple[int, int]:
    """Width and height of a PNG (ISO/IEC 15948); raises SampleError unless all its chunks are intact."""
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
        used = max(8, int(pixels.max()).bit_length())  # many cameras use 10 or 12 of the 16
        pixels = (pixels * np.float32(255 / (2**used - 1))).round().astype(np.uint8)
    if opaque is not None:
        pixels = (pixels * opaque + BEHIND * (1 - opaque)).round().astype(np.uint8)
    return np.asarray(pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
