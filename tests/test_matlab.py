import io
import random
import struct

import numpy as np
import pytest
import scipy.io
from test_fuzz import mutate

from fpgan.data.matlab import read_arrays

ARRAYS = {
    "cameraMatrix": np.array([[990.1, 0, 637.2], [0, 995.0, 355.8], [0, 0, 1]]),
    "distCoeffs": np.array([[-0.16, 0.5, -0.001, 0.003, -0.4]]),
    "one": np.array([[3]], np.uint8),
    "few": np.array([[1, 2, 3]], np.int16),
    "single": np.arange(6, dtype=np.float32).reshape(2, 3),
    "empty": np.zeros((0, 3)),
    "deep": np.arange(24.0).reshape(2, 3, 4),
}
OTHERS = {"text": "words", "cells": np.array([1, "a"], object), "fields": {"a": 1}, "wave": np.array([1j])}


def saved(*, compress: bool) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, {**OTHERS, **ARRAYS}, do_compression=compress)
    return file.getvalue()


@pytest.mark.parametrize("compress", [False, True])
def test_what_scipy_writes_is_read(compress: bool) -> None:
    arrays = read_arrays(saved(compress=compress))
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_big_endian_files_are_read() -> None:
    tag, content = struct.pack(">4I", 6, 8, 6, 0), struct.pack(">2d", 1.5, -2.5)
    parts = (
        tag + struct.pack(">4I", 5, 8, 1, 2) + struct.pack(">HH4s", 1, 1, b"x") + struct.pack(">II", 9, 16)
    )
    element = struct.pack(">II", 14, len(parts + content)) + parts + content
    header = b"MATLAB 5.0".ljust(124) + struct.pack(">H", 0x0100) + b"MI"
    np.testing.assert_array_equal(read_arrays(header + element)["x"], [[1.5, -2.5]])


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"MATLAB 7.3".ljust(124) + b"\0\2IM" + b"\x89HDF"])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"not of version 5.*save -v7"):
        read_arrays(content)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("compress", [False, True])
def test_damage_is_a_value_error(compress: bool) -> None:
    chance = random.Random(0)
    intact = saved(compress=compress)
    failed = 0
    for _ in range(1000):
        try:
            read_arrays(mutate(intact, chance))
        except ValueError:
            failed += 1
    assert 0 < failed < 1000
