"""The prepared eye set: one HDF5 file with one group per person.

Layout (the one FP-GAN published, with landmarks added): every group holds `image` uint8 (N, H, W) or
(N, H, W, 3) RGB, and where known `gaze` (N, 2) and `head` (N, 2), pitch and yaw in radians, and
`landmarks` (N, 18, 2), x and y in pixels of the picture. The file's attribute `equalized` is true where the
pictures are histogram-equalised. An unknown value is NaN.
"""

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from fpgan.data.eyes import LABELS, Eye, Eyes, equalize, join_eyes, stack_eyes
from fpgan.errors import InputError
from fpgan.files.hdf5 import new_hdf5, open_hdf5

BUFFERED_EYES = 256  # of one person, read or written at once
DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError)  # h5py's, for a damaged file


@contextmanager
def open_eyes(path: Path) -> Iterator[h5py.File]:
    """Opens the HDF5 file of an eye set and checks its groups against the layout above.

    Raises InputError, naming file, group and dataset, when the file is absent, is not HDF5 or has no
    groups, or when a dataset is missing, has the wrong type, shape or length, is not written in full, or
    lies in another file, which HDF5 allows for any part.
    """
    with open_hdf5(path, "a prepared eye set (HDF5)") as file:
        try:
            _check_layout(path, file)
        except DAMAGED as error:
            raise InputError(f"{path}: damaged HDF5 file ({error})") from None
        yield file


def person_groups(file: h5py.File) -> dict[str, h5py.Group]:
    """The groups of an eye set by name; other things in the file are ignored."""
    return {name: group for name in file if isinstance(group := file.get(name), h5py.Group)}


def _check_layout(path: Path, file: h5py.File) -> None:
    if np.ndim(file.attrs.get("equalized", False)):
        raise InputError(f"{path}: the attribute 'equalized' is not true or false")
    check_links(f"{path}:", file)
    groups = person_groups(file)
    if not groups:
        raise InputError(f"{path}: holds no groups; expected one group per person (such as 'p00')")
    size: tuple[int, ...] | None = None
    for name, group in groups.items():
        where = f"{path}: group '{name}'"
        check_links(f"{where}:", group)
        image = group.get("image")
        if not isinstance(image, h5py.Dataset):
            raise InputError(f"{where} has no dataset 'image'")
        if image.dtype != np.uint8 or image.ndim not in (3, 4) or (image.ndim == 4 and image.shape[3] != 3):
            raise InputError(
                f"{where}: 'image' is {image.dtype} {image.shape}; expected uint8 (N, H, W) or (N, H, W, 3)"
            )
        if size is not None and image.shape[1:] != size:
            raise InputError(f"{where}: pictures are {image.shape[1:]}, those of the groups before it {size}")
        size = image.shape[1:]
        check_stored(f"{where}: 'image'", image)
        for label, shape in LABELS.items():
            data = group.get(label)
            if data is None:
                continue
            if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "fiu":
                raise InputError(f"{where}: '{label}' is not a dataset of numbers")
            if data.shape[1:] != shape:
                raise InputError(
                    f"{where}: '{label}' has shape {data.shape}; expected (N, {', '.join(map(str, shape))})"
                )
            if len(data) != len(image):
                raise InputError(f"{where}: {len(image)} pictures but {len(data)} rows of '{label}'")
            check_stored(f"{where}: '{label}'", data)


def check_links(where: str, group: h5py.Group) -> None:
    """Raises InputError when a member is a link; looks at links without following them."""
    for name in group:
        if not (isinstance(name, str) and name.isprintable()):  # h5py gives bytes where it is not UTF-8
            raise InputError(f"{where} the name {name!r} is not printable text")
        if group.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
            raise InputError(f"{where} '{name}' is a link; expected data in the file itself")


def check_stored(where: str, data: h5py.Dataset) -> None:
    """Raises InputError when a part of a dataset is missing: HDF5 reads missing parts as zeros."""
    if data.is_virtual or data.external:
        raise InputError(f"{where} lies in other files; expected data in the file itself")
    if data.chunks:
        chunks = math.prod(math.ceil(n / c) for n, c in zip(data.shape, data.chunks, strict=True))
        if data.id.get_num_chunks() != chunks:
            raise InputError(
                f"{where} was never written in full: {data.id.get_num_chunks()} of {chunks} chunks"
            )
    elif data.size and not data.id.get_storage_size():
        raise InputError(f"{where} was never written")


def load_eyes(path: Path, *, equalized: bool = True) -> Eyes:
    """Reads a whole eye set into memory.

    With `equalized` the pictures are histogram-equalised, unless they are so in the file.
    Raises InputError as `open_eyes` does, and when the set is empty.
    """
    with open_eyes(path) as file:
        already = is_equalized(file)
        blocks = list(read_blocks(path, file))
    if not blocks:
        raise InputError(f"{path}: holds no eyes")
    eyes = join_eyes(blocks)
    return eyes if already or not equalized else eyes.with_images(equalize(eyes.image))


def is_equalized(file: h5py.File) -> bool:
    """Whether an open set says that its pictures are histogram-equalised."""
    return bool(file.attrs.get("equalized", False))


def count_eyes(file: h5py.File) -> int:
    """The number of eyes in an open set."""
    return sum(len(group["image"]) for group in person_groups(file).values())


def stored_labels(path: Path, file: h5py.File) -> list[str]:
    """The labels that at least one eye of an open set has; raises InputError as `read_blocks` does."""
    groups = person_groups(file).values()
    try:
        return [label for label in LABELS if any(_is_known(g[label]) for g in groups if label in g)]
    except DAMAGED as error:
        raise InputError(f"{path}: labels cannot be read ({error})") from None


def _is_known(data: h5py.Dataset) -> bool:
    starts = range(0, len(data), BUFFERED_EYES)
    return any(np.isfinite(data[start : start + BUFFERED_EYES]).any() for start in starts)


def read_batches(path: Path, file: h5py.File, size: int) -> Iterator[Eyes]:
    """The eyes of an open set in batches of `size`, the last one smaller; pictures as stored.

    Raises InputError as `read_blocks` does.
    """
    waiting: list[Eyes] = []
    for block in read_blocks(path, file):
        waiting.append(block)
        if sum(map(len, waiting)) >= size:
            eyes = join_eyes(waiting)
            whole = len(eyes) - len(eyes) % size
            for start in range(0, whole, size):
                yield eyes.select(slice(start, start + size))
            waiting = [eyes.select(slice(whole, None))]
    if any(map(len, waiting)):
        yield join_eyes(waiting)


def read_blocks(path: Path, file: h5py.File, size: int = BUFFERED_EYES) -> Iterator[Eyes]:
    """The eyes of an open set, up to `size` of one person at a time; pictures as stored.

    Raises InputError, naming `path`, when a group cannot be read.
    """
    for person, group in person_groups(file).items():
        for start in range(0, len(group["image"]), size):
            try:
                yield _read_rows(person, group, slice(start, start + size))
            except DAMAGED as error:
                raise InputError(f"{path}: group '{person}' cannot be read ({error})") from None


def _read_rows(person: str, group: h5py.Group, rows: slice) -> Eyes:
    image = group["image"][rows]
    with np.errstate(over="ignore"):  # a value too large for float32 becomes infinite: it is unknown
        labels = {
            label: group[label][rows].astype(np.float32)
            if label in group
            else np.full((len(image), *shape), np.nan, np.float32)
            for label, shape in LABELS.items()
        }
    return Eyes(image, labels["gaze"], labels["head"], labels["landmarks"], np.full(len(image), person))


def save_eyes(path: Path, eyes: Eyes, *, equalized: bool) -> None:
    """Writes an eye set whole; `equalized` records whether its pictures are histogram-equalised."""
    known = [name for name in LABELS if np.isfinite(getattr(eyes, name)).any()]
    with new_eye_set(path, labels=known, equalized=equalized) as writer:
        writer.extend(eyes)


@contextmanager
def new_eye_set(
    path: Path, *, labels: Collection[str] = tuple(LABELS), equalized: bool = False
) -> Iterator["EyeWriter"]:
    """A new eye set, which appears under its name when the block ends without an exception.

    Only the named labels are written; `equalized` is as in `save_eyes`. Raises Unavailable when there is no
    room for the file.
    """
    with new_hdf5(path) as (file, check):
        file.attrs["equalized"] = equalized
        writer = EyeWriter(file, ["image", *(label for label in LABELS if label in labels)], check)
        yield writer
        for person in writer.waiting:
            writer.flush(person)


@dataclass
class EyeWriter:
    """Appends eyes to a new set, in blocks, with memory that does not grow with the set."""

    file: h5py.File
    datasets: list[str]
    """Written for every person."""
    check: Callable[[], None]
    """Raises an exception when the file could not be written."""
    counts: dict[str, int] = field(default_factory=dict)
    """Eyes per person."""
    waiting: dict[str, list[Eye]] = field(default_factory=dict)
    """Eyes per person that are not written yet."""

    def append(self, eye: Eye) -> None:
        """Adds one eye."""
        waiting = self.waiting.setdefault(eye.person, [])
        waiting.append(eye)
        self.counts[eye.person] = self.counts.get(eye.person, 0) + 1
        if len(waiting) == BUFFERED_EYES:
            self.flush(eye.person)

    def extend(self, eyes: Eyes) -> None:
        """Adds eyes in their order."""
        for eye in eyes.each():
            self.append(eye)

    def flush(self, person: str) -> None:
        """Writes a person's waiting eyes."""
        if not self.waiting[person]:
            return
        eyes = stack_eyes(self.waiting[person])
        self.waiting[person] = []
        group = self.file.require_group(person)
        for name in self.datasets:
            block = getattr(eyes, name)
            if name not in group:
                shape = block.shape[1:]
                group.create_dataset(
                    name, data=block, maxshape=(None, *shape), chunks=(BUFFERED_EYES, *shape)
                )
            else:
                data = group[name]
                data.resize(len(data) + len(block), axis=0)
                data[-len(block) :] = block
        self.check()
