"""An HDF5 eye set as a source: its eyes in another size, shape or colour.

The layout is that of `fpgan.data.eye_set`. Of pictures of another shape the largest middle part is kept.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fpgan.data.cropping import fit_picture
from fpgan.data.entry import DataSet, Samples
from fpgan.data.eye_set import count_eyes, is_equalized, open_eyes, person_groups, read_blocks
from fpgan.data.eyes import LABELS, Eye
from fpgan.data.preparation import CHUNK
from fpgan.data.preparation_report import SampleError
from fpgan.errors import InputError
from fpgan.params import EyePicture

MAX_PIXELS = 1 << 20  # of an eye's picture


@dataclass(frozen=True)
class Row:
    """One row of a person's group."""

    number: int
    eye: Eye
    """As stored."""


def hdf5_samples(source: Path, picture: EyePicture, _: object) -> Samples[Row]:
    """The rows of an eye set; raises InputError when the file is absent or broken, or its pictures are huge.

    Labels that are not finite count as unknown; absurd ones make their row a broken sample.
    """
    with open_eyes(source) as file:
        groups = person_groups(file)
        shape = next(iter(groups.values()))["image"].shape[1:]
        if not 0 < shape[0] * shape[1] <= MAX_PIXELS:
            raise InputError(
                f"{source}: pictures of shape {shape} are not of an eye; at most {MAX_PIXELS} pixels"
            )
        return Samples(
            count=count_eyes(file),
            samples=_rows(source),
            prepare=partial(_prepare_row, picture),
            labels=[label for label in LABELS if any(label in group for group in groups.values())],
            persons=list(groups),
            # Resampling undoes equalisation.
            equalized=is_equalized(file) and shape == picture.shape,
            in_parallel=False,  # reading the file takes longer than resizing its pictures
        )


def _rows(source: Path) -> Iterator[Row]:
    numbers: Counter[str] = Counter()
    with open_eyes(source) as file:
        for block in read_blocks(source, file, CHUNK):
            for eye in block.each():
                yield Row(numbers[eye.person], eye)
                numbers[eye.person] += 1


def _prepare_row(picture: EyePicture, row: Row) -> list[Eye]:
    person, image = row.eye.person, row.eye.image
    known = {label: value for label in LABELS if np.isfinite(value := getattr(row.eye, label)).all()}
    for label in ("gaze", "head"):
        if label in known and (np.abs(known[label]) > np.pi / 2).any():
            raise SampleError(
                f"{person}/{label}",
                row.number,
                f"{known[label].tolist()} are not pitch and yaw in radians, within pi/2",
            )
    if "landmarks" in known and (np.abs(known["landmarks"]) > 10 * max(image.shape[:2])).any():
        raise SampleError(f"{person}/landmarks", row.number, "are not pixels of the picture")
    fitted, crop = fit_picture(image, picture)
    if "landmarks" in known:
        known["landmarks"] = crop.move(known["landmarks"], picture.width, picture.height)
    return [Eye(person, fitted, **known)]


HDF5 = DataSet(
    name="hdf5",
    kind="HDF5 eye set",
    description="an HDF5 eye set",
    recognizes=Path.is_file,
    samples=hdf5_samples,
    unit="eyes",
)
