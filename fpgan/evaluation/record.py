"""The record of an evaluation: one HDF5 file with all that evaluations are compared by.

Layout: `name`, `protocol`, `seeds`, `test_digest`, `skipped`, `scores` and `params` are JSON; `person` (N,),
`gaze` (N, 2) and `head` (N, 2) describe the real test eyes; the group `estimates` holds a dataset a protocol;
`shown/s2r` and `shown/r2s` hold what `Shown` does. What is not known is NaN. Text is of fixed length: of
variable length, HDF5 never comes back from reading some damaged files.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from fpgan.data.eye_set import DAMAGED, check_links, check_stored
from fpgan.data.eyes import LANDMARKS, Eyes
from fpgan.errors import InputError
from fpgan.files.hdf5 import new_hdf5, open_hdf5

FORMAT = "fpgan evaluation 1"
DIRECTIONS = ("s2r", "r2s")
JSON = {
    "name": str,
    "protocol": str,
    "seeds": list,
    "test_digest": str,
    "skipped": dict,
    "scores": dict,
    "params": dict,
}
KINDS = {"f": "real numbers", "u1": "bytes", "S": "text of fixed length"}
Shape = tuple[int | None, ...]  # None: any length


class Shown(NamedTuple):
    """A few test eyes of one direction and their translations; rows correspond."""

    source: NDArray[np.uint8]
    """(n, H, W) grey or (n, H, W, 3) RGB."""
    translation: NDArray[np.uint8]
    """As the source."""
    gaze: NDArray[np.float32]
    """(n, 2) labels, pitch and yaw in radians; NaN where unknown."""
    gaze_source: NDArray[np.float32]
    """(n, 2) estimates on the sources by the estimator trained on S."""
    gaze_translation: NDArray[np.float32]
    """(n, 2) estimates on the translations by the same estimator."""
    landmarks_source: NDArray[np.float32]
    """(n, 18, 2) found in the sources, x and y in pixels."""
    landmarks_translation: NDArray[np.float32]
    """(n, 18, 2) found in the translations."""


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation measured, on which eyes, and what it depended on."""

    name: str
    """Such as "default" or "ablation/cyclegan"."""
    protocol: str
    """In words: on whom, and what the translator had seen."""
    seeds: tuple[int, ...]
    person: NDArray[np.str_]
    """(N,) of the real test eyes with gaze labels."""
    gaze: NDArray[np.float32]
    """(N, 2) their labels, pitch and yaw in radians."""
    head: NDArray[np.float32]
    """(N, 2) pitch and yaw in radians; NaN where unknown."""
    test_digest: str
    """Of all real test eyes, as `digest_test_eyes` makes it."""
    estimates: dict[str, NDArray[np.float32]]
    """By protocol (seeds, N, 2), or (1, N, 2) where nothing is trained; empty when no eye has a label."""
    skipped: dict[str, str]
    """Protocols that were not run, and why."""
    shown: dict[str, Shown]
    """By direction, of the first seed."""
    scores: dict[str, Any]
    """The content of metrics.json."""
    params: dict[str, Any]
    """The sections of params.yaml that the evaluation and its inputs depended on."""


def digest_test_eyes(eyes: Eyes) -> str:
    """SHA-256 of the pictures, persons, gaze and head labels of eyes, in their order."""
    found = hashlib.sha256()
    for values in (eyes.image, eyes.gaze.astype("<f4"), eyes.head.astype("<f4")):
        found.update(f"{values.shape}\n".encode())
        found.update(np.ascontiguousarray(values).tobytes())
    found.update("\0".join(eyes.person.tolist()).encode())
    return found.hexdigest()


def save_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Writes the record; the file appears under its name only when it is complete.

    Raises Unavailable when there is no room for it.
    """
    with new_hdf5(path) as (file, _):
        file.attrs["format"] = np.bytes_(FORMAT)
        for name in JSON:
            file[name] = np.bytes_(json.dumps(getattr(evaluation, name)))
        file["person"] = np.char.encode(evaluation.person, "utf-8")
        file["gaze"], file["head"] = evaluation.gaze, evaluation.head
        estimates = file.create_group("estimates", track_order=True)
        for protocol, angles in evaluation.estimates.items():
            estimates[protocol] = angles
        shown = file.create_group("shown")
        for direction, eyes in evaluation.shown.items():
            group = shown.create_group(direction)
            for name, values in eyes._asdict().items():
                group[name] = values


def load_evaluation(path: Path) -> Evaluation:
    """Reads a record.

    Raises InputError, naming the file and what is wrong in it, when it is absent, is no such record, or a
    dataset is missing, damaged, of the wrong type or shape, or not in this file.
    """
    with open_hdf5(path, "the record of an evaluation (evaluation.h5)") as file:
        try:
            return _read_evaluation(path, file)
        except (*DAMAGED, MemoryError) as error:  # or of a length that no memory holds
            raise InputError(f"{path}: damaged record of an evaluation ({error})") from None


def _read_evaluation(path: Path, file: h5py.File) -> Evaluation:
    written = file.attrs.get("format")
    if not isinstance(written, bytes) or written.decode() != FORMAT:
        raise InputError(f"{path}: not the record of an evaluation: its format is not '{FORMAT}'")
    check_links(f"{path}:", file)
    texts = {name: _json(path, file, name, kind) for name, kind in JSON.items()}
    seeds = texts["seeds"]
    if not seeds or not all(type(seed) is int for seed in seeds):
        raise InputError(f"{path}: 'seeds' is not a list of numbers")
    person = np.char.decode(_array(path, file, "person", "S", (None,)), "utf-8")
    count = len(person)
    groups = {name: _group(path, file, name) for name in ("estimates", "shown")}
    return Evaluation(
        **(texts | {"seeds": tuple(seeds)}),
        person=person,
        gaze=_finite_angles(path, file, "gaze", (count, 2)),
        head=_array(path, file, "head", "f", (count, 2)),
        estimates={
            protocol: _read_estimates(path, groups["estimates"], protocol, len(seeds), count)
            for protocol in groups["estimates"]
        },
        shown={
            direction: _read_shown(path, _group(path, groups["shown"], direction))
            for direction in DIRECTIONS
            if direction in groups["shown"]
        },
    )


def _read_estimates(path: Path, group: h5py.Group, protocol: str, seeds: int, count: int) -> NDArray:
    angles = _finite_angles(path, group, protocol, (None, count, 2))
    if len(angles) not in (1, seeds):
        raise InputError(f"{path}: '{_place(group, protocol)}' is of {len(angles)} seeds, not of {seeds}")
    if not count:
        raise InputError(f"{path}: '{_place(group, protocol)}' holds estimates on no eyes")
    return angles


def _finite_angles(path: Path, group: h5py.Group, name: str, shape: Shape) -> NDArray:
    angles = _array(path, group, name, "f", shape)
    if not np.isfinite(angles).all():
        raise InputError(f"{path}: '{_place(group, name)}' holds angles that are not finite")
    return angles


def _read_shown(path: Path, group: h5py.Group) -> Shown:
    source = group.get("source")
    color = isinstance(source, h5py.Dataset) and source.ndim == 4
    image = _array(path, group, "source", "u1", (None, None, None, 3) if color else (None, None, None))
    angles, points = (len(image), 2), (len(image), LANDMARKS, 2)
    return Shown(
        image,
        _array(path, group, "translation", "u1", image.shape),
        *(_array(path, group, name, "f", angles) for name in ("gaze", "gaze_source", "gaze_translation")),
        *(_array(path, group, name, "f", points) for name in ("landmarks_source", "landmarks_translation")),
    )


def _json(path: Path, file: h5py.File, name: str, kind: type) -> Any:
    text = _array(path, file, name, "S", ()).item()
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: '{name}' is not JSON ({error})") from None
    if not isinstance(value, kind):
        raise InputError(f"{path}: '{name}' is not a JSON {kind.__name__}")
    return value


def _group(path: Path, parent: h5py.Group, name: str) -> h5py.Group:
    group = parent.get(name)
    if not isinstance(group, h5py.Group):
        raise InputError(f"{path}: has no group '{_place(parent, name)}'")
    check_links(f"{path}: group '{_place(parent, name)}':", group)
    return group


def _array(path: Path, group: h5py.Group, name: str, kind: str, shape: Shape) -> NDArray:
    """A dataset of one of `KINDS`; real numbers as float32."""
    where = f"{path}: '{_place(group, name)}'"
    data = group.get(name)
    if not isinstance(data, h5py.Dataset):
        raise InputError(f"{where} is missing")
    fits = data.ndim == len(shape) and all(
        wanted in (None, length) for wanted, length in zip(shape, data.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if length is None else str(length) for length in shape)
        raise InputError(f"{where} has shape {data.shape}; expected ({expected})")
    if (data.dtype.str[1:] if kind == "u1" else data.dtype.kind) != kind:
        raise InputError(f"{where} is {data.dtype}; expected {KINDS[kind]}")
    check_stored(where, data)
    return np.asarray(data[()], np.float32) if kind == "f" else np.asarray(data[()])


def _place(parent: h5py.Group, name: str) -> str:
    return f"{parent.name}/{name}".lstrip("/")
