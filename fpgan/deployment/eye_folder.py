"""Writes an eye set as a folder of pictures in FP-GAN's layout of translated sets, for readers without HDF5.

Every eye is `N.png` or `N.jpg`, N from 1 over all persons in their order, beside `N.json` with "gaze" and
"head", each [pitch, yaw] in radians, "landmarks" as 18 [x, y] in pixels, and "person"; unknown labels are
left out.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from fpgan.data.eye_set import count_eyes, open_eyes, read_blocks
from fpgan.data.eyes import LABELS
from fpgan.errors import InputError
from fpgan.files.output_folder import output_folder

Pictures = Literal["png", "jpg"]
CODING = {"png": [], "jpg": [cv2.IMWRITE_JPEG_QUALITY, 95]}

Row = tuple[NDArray[np.uint8], dict[str, object]]


def write_folder(
    source: Path,
    output: Path,
    *,
    pictures: Pictures = "png",
    progress: Callable[[int, int], object] | None = None,
) -> int:
    """Writes the eyes of an HDF5 set as pictures and JSON files, and returns their number.

    Pictures are written as they are stored; PNG keeps every value, JPEG does not. The folder appears when it
    is complete. `progress` receives the number of written eyes and of all. Raises InputError if the set
    cannot be read, or if the folder exists and is not empty.
    """
    number = 0
    with open_eyes(source) as file, output_folder(output) as folder:
        total = count_eyes(file)
        if not total:
            raise InputError(f"{source}: holds no eyes")
        for number, (picture, labels) in enumerate(_rows(source, file), 1):
            _write_eye(folder / f"{number}.{pictures}", picture, labels)
            if progress is not None:
                progress(number, total)
    return number


def _rows(source: Path, file: h5py.File) -> Iterator[Row]:
    """Picture and known labels of every eye, read in blocks."""
    for block in read_blocks(source, file):
        for row, image in enumerate(block.image):
            labels = {name: getattr(block, name)[row] for name in LABELS}
            known = {name: value.tolist() for name, value in labels.items() if np.isfinite(value).all()}
            yield image, {"person": str(block.person[row])} | known


def _write_eye(path: Path, picture: NDArray[np.uint8], labels: dict[str, object]) -> None:
    stored = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, coded = cv2.imencode(path.suffix, stored, CODING[path.suffix[1:]])
    path.write_bytes(coded.tobytes())
    path.with_suffix(".json").write_text(json.dumps(labels) + "\n", encoding="utf-8")
