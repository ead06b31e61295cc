"""Files and numbers of a dataset, read on the assumption that they may be damaged or hostile.

Every function that reads a file raises SampleError, naming the file, when it cannot.
"""

import os
import re
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from fpgan.data.preparation_report import SampleError

MAX_BYTES = 32 << 20
MAX_TEXT_BYTES = 1 << 20  # of a JSON file or a calibration
MAX_PIXELS = 1 << 24
MAX_SIDE = 32766  # of a picture that OpenCV can resample
MAX_SCANS = 100  # of a progressive JPEG: each scan is decoded over the whole picture
# The JPEG decoder can shrink while it decodes, at a fraction of the cost: (grey, colour) modes by factor.
REDUCTIONS = {
    8: (cv2.IMREAD_REDUCED_GRAYSCALE_8, cv2.IMREAD_REDUCED_COLOR_8),
    4: (cv2.IMREAD_REDUCED_GRAYSCALE_4, cv2.IMREAD_REDUCED_COLOR_4),
    2: (cv2.IMREAD_REDUCED_GRAYSCALE_2, cv2.IMREAD_REDUCED_COLOR_2),
    1: (cv2.IMREAD_GRAYSCALE, cv2.IMREAD_COLOR_RGB),
}
# The lengths are limited, since a text of many digits would take very long to reject.
NUMBER = r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?"
LARGEST_NUMBER = 1e5  # of pixels, millimetres, degrees or radians in the raw formats


def parse_number(text: str) -> float:
    """A decimal number; raises ValueError for anything else, such as nan, or for an implausibly large one."""
    if not re.fullmatch(NUMBER, text):
        raise ValueError(f"'{text[:40]}' is not a number")
    value = float(text)
    if abs(value) > LARGEST_NUMBER:
        raise ValueError(f"{text[:40]} is not a plausible number")
    return value


def read_bytes(root: Path, name: str, most: int = MAX_BYTES) -> bytes:
    """The content, at most `most` bytes, of a file named relative to `root`, an absolute path without links.

    A file outside `root` is never opened, whether a name or a link leads to it.
    """
    try:
        path = os.path.realpath(os.path.join(root, name))
        if not path.startswith(os.path.join(root, "")):
            raise SampleError(name, None, f"leads out of the dataset's folder, to {path}{_by_dvc(path)}")
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise SampleError(name, None, "is not a file")
        if status.st_size > most:
            raise SampleError(name, None, f"is larger than {most >> 20} MiB")
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise SampleError(name, None, "no such file") from None
    except (OSError, ValueError) as error:  # names too long, zero bytes, loops of links
        raise SampleError(name, None, f"cannot be read ({error})") from None


def _by_dvc(path: str) -> str:
    """Advice where a path lies in DVC's cache, otherwise nothing."""
    if f"{os.sep}files{os.sep}md5{os.sep}" not in path:
        return ""
    return ", DVC's cache; to have files here: dvc config cache.type hardlink,copy && dvc checkout --relink"


@dataclass(frozen=True)
class JPEG:
    """A JPEG file in memory, complete from its first to its last marker, and not decoded yet."""

    name: str
    data: bytes
    width: int
    height: int

    def decode(self, *, color: bool, reduction: int = 1) -> NDArray[np.uint8]:
        """The pixels, (height, width) grey or (height, width, 3) RGB, reduced by a factor in REDUCTIONS."""
        # Labels refer to the stored pixels, so the camera's orientation mark is ignored.
        mode = REDUCTIONS[reduction][color] | cv2.IMREAD_IGNORE_ORIENTATION
        pixels: MatLike | None = None
        with suppress(cv2.error):
            pixels = cv2.imdecode(np.frombuffer(self.data, np.uint8), mode)
        expected = -(-self.height // reduction), -(-self.width // reduction)
        if pixels is None or pixels.shape[:2] != expected:
            raise SampleError(self.name, None, "does not decode as a picture")
        if color and reduction > 1:  # OpenCV reduces to BGR only
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        return np.asarray(pixels, np.uint8)


def read_jpeg(root: Path, name: str) -> JPEG:
    """A JPEG file named relative to `root`, checked by `check_jpeg`."""
    return check_jpeg(name, read_bytes(root, name))


def check_jpeg(name: str, data: bytes) -> JPEG:
    """The content of a JPEG file; raises SampleError when it is incomplete or too large."""
    if not data.startswith(b"\xff\xd8"):
        raise SampleError(name, None, "is not a JPEG picture")
    # The decoder silently fills missing parts with grey. Some cameras pad with zeros.
    if not data.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise SampleError(name, None, "is cut off: the JPEG data has no end marker")
    width, height, one_scan = _jpeg_header(data) or (0, 0, False)
    if not 0 < width * height <= MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise SampleError(name, None, f"has a broken header: {width} x {height} pixels")
    if not one_scan and data.count(b"\xff\xda") > MAX_SCANS:
        raise SampleError(name, None, f"has more than {MAX_SCANS} scans")
    return JPEG(name, data, width, height)


def _jpeg_header(data: bytes) -> tuple[int, int, bool] | None:
    """(width, height, whether the first scan is the only one) of a JPEG (ISO/IEC 10918-1, annex B).

    None unless its segments lead over exactly one frame header to a scan.
    """
    width = height = components = 0
    sequential = False
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD9:  # have no length: a decoder might continue elsewhere
            return None
        if marker == 0xDA:
            return width, height, sequential and data[at + 4] == components
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if components:
                return None
            height, width, components = struct.unpack(">HHB", data[at + 5 : at + 10])
            sequential = marker in (0xC0, 0xC1)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
