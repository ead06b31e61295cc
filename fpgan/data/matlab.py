"""The arrays of numbers in a MATLAB 5 file (MATLAB's MAT-File Format, R2016, chapter 1).

scipy's reader trusts the type numbers in a file, so that a damaged file can crash the process.
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

HEADER = 128  # bytes
VERSION_5 = 0x0100
COMPRESSED, MATRIX = 15, 14  # types of elements
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC_CLASSES = range(6, 16)  # of matrices: double, single and the integers
COMPLEX = 0x0800
MAX_INFLATED = 1 << 24  # bytes


def read_arrays(content: bytes) -> dict[str, NDArray[np.float64]]:
    """Arrays of real numbers by name, as float64; other values in the file are left out.

    Raises ValueError when the file is damaged or of another version.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[HEADER - 2 : HEADER])
    if order is None or struct.unpack_from(f"{order}H", content, HEADER - 4) != (VERSION_5,):
        raise ValueError("not of version 5; in MATLAB: save -v7")
    arrays = {}
    for kind, data in _elements(content[HEADER:], order):
        if kind == COMPRESSED:
            kind, data = next(_elements(_inflate(data), order), (0, b""))
        if kind != MATRIX:
            continue
        (_, flags), *parts = _elements(data, order)
        (kind_of_array,) = struct.unpack_from(f"{order}I", flags.ljust(4, b"\0"))
        if kind_of_array & 0xFF not in NUMERIC_CLASSES or kind_of_array & COMPLEX:
            continue
        (_, sides), (_, name), (kind, numbers), *_ = parts
        if kind not in NUMBERS:
            raise ValueError(f"numbers of the unknown type {kind}")
        with np.errstate(invalid="ignore"):  # signalling NaNs
            array = np.frombuffer(numbers, order + NUMBERS[kind]).astype(np.float64)
        shape = np.frombuffer(sides, f"{order}i4")
        arrays[name.decode("ascii")] = array.reshape(shape, order="F")
    return arrays


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of consecutive elements."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start = at + 8
        if kind >> 16:  # a small element: up to four bytes of content in place of the size
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
        if start + size > len(data):
            raise ValueError("cut off")
        yield kind, data[start : start + size]
        at = start + size
        if kind != COMPRESSED:
            at += -at % 8


def _inflate(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MAX_INFLATED)
    except zlib.error as error:
        raise ValueError(str(error)) from None
