"""Any HDF5 eye set into a prepared eye set of the wanted size and colour."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from fpgan.data.cropping import Crop
from fpgan.data.eye_set import DAMAGED, open_eyes, person_groups
from fpgan.data.eyes import LABELS
from fpgan.data.preparation import CHUNK, PreparedEye, write_eyes
from fpgan.data.preparation_report import Report, SampleError
from fpgan.errors import InputError
from fpgan.params import EyePicture

MAX_PIXELS = 1 << 20  # of an eye's picture


@dataclass(frozen=True)
class Row:
    """One row of a group, as stored; labels are float32, None where the group has none."""

    person: str
    number: int
    image: NDArray[np.uint8]
    labels: dict[str, NDArray[np.float32]]


def prepare_hdf5(
    source: Path,
    output: Path,
    picture: EyePicture,
    *,
    max_bad_fraction: float = 0.05,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Copies an eye set laid out as `fpgan.data.eyes` says, in other sizes or colours too, with any labels.

    Of pictures of another shape the largest middle part of the wanted shape is kept. Labels that are not
    finite are not known. Raises InputError when the file is absent, broken or empty, or when too many
    rows carry absurd labels.
    """
    with open_eyes(source) as file:
        groups = person_groups(file)
        shape = next(iter(groups.values()))["image"].shape[1:]
        if not 0 < shape[0] * shape[1] <= MAX_PIXELS:
            raise InputError(
                f"{source}: pictures of shape {shape} are not of an eye; at most {MAX_PIXELS} pixels"
            )
        rows = sum(len(group["image"]) for group in groups.values())
        return write_eyes(
            output,
            [label for label in LABELS if any(label in _labels(group) for group in groups.values())],
            (row for name, group in groups.items() for row in _rows(source, name, group)),
            partial(_prepare_row, picture),
            Report(str(source), rows, dict.fromkeys(groups, 0)),
            # Resampling undoes equalisation.
            equalized=bool(file.attrs.get("equalized", False)) and shape == picture.shape,
            max_bad_fraction=max_bad_fraction,
            workers=1,  # reading the file takes longer than resizing its pictures
            progress=progress,
        )


def _labels(group: h5py.Group) -> dict[str, h5py.Dataset]:
    return {label: data for label in LABELS if (data := group.get(label)) is not None}


def _rows(source: Path, name: str, group: h5py.Group) -> Iterator[Row]:
    for start in range(0, len(group["image"]), CHUNK):
        block = slice(start, start + CHUNK)
        try:
            images = group["image"][block]
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite: not known
                labels = {label: data[block].astype(np.float32) for label, data in _labels(group).items()}
        except DAMAGED as error:
            raise InputError(f"{source}: group '{name}' cannot be read ({error})") from None
        for i, image in enumerate(images):
            yield Row(name, start + i, image, {label: rows[i] for label, rows in labels.items()})


def _prepare_row(picture: EyePicture, row: Row) -> list[PreparedEye]:
    height, width = row.image.shape[:2]
    known = {label: value for label, value in row.labels.items() if np.isfinite(value).all()}
    for label in ("gaze", "head"):
        if label in known and (np.abs(known[label]) > np.pi / 2).any():
            raise SampleError(
                f"{row.person}/{label}",
                row.number,
                f"{known[label].tolist()} are not pitch and yaw in radians, within pi/2",
            )
    if "landmarks" in known and (np.abs(known["landmarks"]) > 10 * max(width, height)).any():
        raise SampleError(f"{row.person}/landmarks", row.number, "are not pixels of the picture")
    cut_width = min(width, height * picture.width / picture.height)
    cut_height = cut_width * picture.height / picture.width
    crop = Crop.around(np.array([width - 1, height - 1]) / 2, cut_width, cut_height)
    if "landmarks" in known:
        known["landmarks"] = crop.move(known["landmarks"], picture.width, picture.height)
    image = crop.cut(_colored(row.image, picture.color), picture.width, picture.height)
    return [PreparedEye(row.person, image, **known)]


def _colored(image: NDArray[np.uint8], color: bool) -> NDArray[np.uint8]:
    """The picture as RGB, or else as grey."""
    if color == (image.ndim == 3):
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB if color else cv2.COLOR_RGB2GRAY), np.uint8)
