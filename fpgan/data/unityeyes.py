"""UnityEyes pictures (Wood et al., ETRA 2016) into a prepared eye set.

A folder holds imgs/N.jpg and imgs/N.json, or the same files directly. Points are strings "(x, y, z)" in
pixels from the picture's lower left corner. The camera is orthographic, with y up, and looks at the
eyeball's centre.
"""

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgan.data.cropping import Crop
from fpgan.data.eyes import LABELS
from fpgan.data.gaze import vectors_to_angles
from fpgan.data.preparation import PreparedEye, write_eyes
from fpgan.data.preparation_report import Report, SampleError
from fpgan.data.raw_files import LARGEST_NUMBER, MAX_TEXT_BYTES, NUMBER, REDUCTIONS, read_bytes, read_jpeg
from fpgan.errors import InputError
from fpgan.params import EyePicture, PrepareUnityEyes

PERSON = "unityeyes"
OUTER_CORNER = 8  # of the interior margin's points
VECTOR = re.compile(rf"\(({NUMBER}), *({NUMBER}), *({NUMBER})(?:, *{NUMBER})?\)")
POINTS = re.compile(rf"(?:\({NUMBER}, *{NUMBER}, *{NUMBER}\))+")


@dataclass(frozen=True)
class Record:
    """What one JSON file says; points (N, 2) are in pixels as stored, y from the lower edge."""

    interior_margin: NDArray[np.floating]
    caruncle: NDArray[np.floating]
    iris: NDArray[np.floating]
    gaze: NDArray[np.floating]
    """(2,) pitch and yaw in radians."""
    head: NDArray[np.floating]
    """(2,) pitch and yaw in radians."""


def prepare_unityeyes(
    source: Path,
    output: Path,
    picture: EyePicture,
    params: PrepareUnityEyes,
    *,
    at_most: int | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Crops all pictures of a UnityEyes folder and writes them with gaze, head and landmarks.

    Those whose gaze or head pose is outside the ranges in `params` are left out, and their JPEG not read. Of
    more than `at_most` pictures that many are drawn at random. `progress` is told the number of pictures done
    and of all. Raises InputError when the folder is absent or empty, or when too many pictures are bad.
    """
    folder, pictures, records = list_files(source)
    names = sorted(sorted(pictures | records), key=len)  # numbers in their order
    return write_eyes(
        output,
        tuple(LABELS),
        names,
        partial(_prepare_eye, source.resolve(), folder.relative_to(source).name, picture, params),
        Report(str(source), len(names)),
        at_most=at_most,
        max_bad_fraction=params.max_bad_fraction,
        workers=workers,
        progress=progress,
    )


def list_files(source: Path) -> tuple[Path, set[str], set[str]]:
    """The folder the files lie in, and the names, without their endings, of its pictures and of its records.

    Raises InputError when the folder is absent or holds neither.
    """
    folder = source / "imgs" if (source / "imgs").is_dir() else source
    if not folder.is_dir():
        raise InputError(f"{source}: no such folder; expected UnityEyes' imgs/N.jpg and imgs/N.json")
    pictures: set[str] = set()
    records: set[str] = set()
    try:
        with os.scandir(folder) as entries:  # a million names are small, a million paths are not
            for entry in entries:
                name, ending = os.path.splitext(entry.name)
                if ending in (".jpg", ".json") and name[0] != ".":
                    (pictures if ending == ".jpg" else records).add(name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error})") from None
    if not pictures | records:
        raise InputError(f"{folder}: holds no pictures; expected UnityEyes' N.jpg and N.json")
    return folder, pictures, records


def _prepare_eye(
    root: Path, folder: str, size: EyePicture, params: PrepareUnityEyes, name: str
) -> list[PreparedEye]:
    annotation = read_annotation(root, os.path.join(folder, f"{name}.json"))
    if not _is_wanted(annotation, params):
        return []
    jpeg = read_jpeg(root, os.path.join(folder, f"{name}.jpg"))
    margin, caruncle, iris = (
        _from_upper_left(points, jpeg.height)
        for points in (annotation.interior_margin, annotation.caruncle, annotation.iris)
    )
    eyeball = np.array([[jpeg.width - 1, jpeg.height - 1]]) / 2
    landmarks = np.concatenate([margin[::2], iris[::4], iris.mean(axis=0, keepdims=True), eyeball])
    crop = find_crop(margin, caruncle, params, size.height / size.width)
    center = crop.left + crop.width / 2, crop.top + crop.height / 2
    if not (
        0 <= center[0] <= jpeg.width
        and 0 <= center[1] <= jpeg.height
        and crop.width > 1
        and crop.width * crop.height <= 4 * jpeg.width * jpeg.height
        and (np.abs(landmarks - eyeball) <= [jpeg.width, jpeg.height]).all()
    ):
        raise SampleError(
            jpeg.name, None, f"the eye does not lie in the picture of {jpeg.width} x {jpeg.height} pixels"
        )
    reduction = max((r for r in REDUCTIONS if crop.width / r >= size.width), default=1)
    pixels = jpeg.decode(color=size.color, reduction=reduction)
    return [
        PreparedEye(
            PERSON,
            crop.scaled(1 / reduction).cut(pixels, size.width, size.height),
            annotation.gaze,
            annotation.head,
            crop.move(landmarks, size.width, size.height),
        )
    ]


def _is_wanted(annotation: Record, params: PrepareUnityEyes) -> bool:
    """Whether gaze and head pose lie in the ranges asked for."""
    angles = np.degrees([*annotation.gaze, *annotation.head])
    return all(
        wanted is None or wanted[0] <= angle <= wanted[1]
        for wanted, angle in zip(params.ranges, angles, strict=True)
    )


def _from_upper_left(points: NDArray[np.floating], height: int) -> NDArray[np.floating]:
    """Points (N, 2) from a picture's lower left corner, as points from the centre of its first pixel."""
    return points * [1, -1] + [-0.5, height - 0.5]


def find_crop(
    margin: NDArray[np.floating], caruncle: NDArray[np.floating], params: PrepareUnityEyes, aspect: float
) -> Crop:
    """Where to cut an eye out, from points (N, 2) with y down and the nose to the left.

    `aspect` is height / width. corners: centred midway between the corners, that is the caruncle's point
    furthest to the nose and the margin's outer corner. reference: FP-GAN's, centred on the margin's box,
    with the eye's width taken from the caruncle's mean point.
    """
    outer = margin[OUTER_CORNER]
    if params.crop == "corners":
        inner = caruncle[caruncle[:, 0].argmin()]
        center = (inner + outer) / 2
    else:
        inner = caruncle.mean(axis=0)
        center = (margin.min(axis=0) + margin.max(axis=0)) / 2
    eye_width = float(np.linalg.norm(outer - inner))
    width = params.crop_width * eye_width
    return Crop.around(center + np.multiply(params.crop_shift, eye_width), width, width * aspect)


def read_annotation(root: Path, name: str) -> Record:
    """The annotation in a JSON file named relative to `root`; SampleError when anything in it is wrong."""
    try:
        text = read_bytes(root, name, MAX_TEXT_BYTES).decode("utf-8-sig")
        record = json.loads(text, object_pairs_hook=_unambiguous)
        margin = _points(record, "interior_margin_2d", at_least=16, at_most=16)
        caruncle = _points(record, "caruncle_2d", at_least=1, at_most=64)
        iris = _points(record, "iris_2d", at_least=32, at_most=32)
        look = _vector(_entry(record, "eye_details"), "look_vec")
        head_x, head_y, _ = _vector(record, "head_pose")
    except json.JSONDecodeError as error:
        raise SampleError(name, error.lineno, f"is not valid JSON: {error.msg}") from None
    except RecursionError:
        raise SampleError(name, None, "is not valid JSON: nested too deeply") from None
    except ValueError as error:
        raise SampleError(name, None, str(error)) from None
    if not (0.5 < np.linalg.norm(look) < 2 and look[2] < 0):
        raise SampleError(name, None, "look_vec does not point towards the camera")
    # Unity turns the head about x, downwards, and about y, with 180 degrees facing the camera.
    head = np.radians([-((head_x + 180) % 360 - 180), -(head_y % 360 - 180)])
    if (np.abs(head) >= np.pi / 2).any():
        raise SampleError(name, None, "head_pose faces away from the camera")
    return Record(margin, caruncle, iris, vectors_to_angles(look * [1, -1, 1]), head)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError when it says something twice."""
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"has two '{next(key for key in keys if keys.count(key) > 1)[:60]}'")
    return record


def _entry(record: Any, key: str) -> Any:
    if not isinstance(record, dict) or key not in record:
        raise ValueError(f"has no '{key}'")
    return record[key]


def _points(record: Any, key: str, *, at_least: int, at_most: int) -> NDArray[np.floating]:
    """(N, 2): the points of a list of vectors, without their depth."""
    texts = _entry(record, key)
    if not isinstance(texts, list) or not at_least <= len(texts) <= at_most:
        raise ValueError(f"'{key}' is not a list of {at_least} points")
    for text in texts:
        if not (isinstance(text, str) and text[-1:] == ")"):
            raise _not_a_vector(key, text)
    joined = "".join(texts)
    numbers = joined[1:-1].replace(")(", ",").split(",")
    if not POINTS.fullmatch(joined) or len(numbers) != 3 * len(texts):
        raise _not_a_vector(key, next((text for text in texts if not POINTS.fullmatch(text)), joined))
    return _plausible(numbers, key).reshape(-1, 3)[:, :2]


def _vector(record: Any, key: str) -> NDArray[np.floating]:
    """(3,): the first three numbers of a string "(x, y, z)" or "(x, y, z, w)"."""
    text = _entry(record, key)
    match = VECTOR.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise _not_a_vector(key, text)
    return _plausible(match.groups(), key)


def _plausible(numbers: Iterable[str], key: str) -> NDArray[np.floating]:
    values = np.array([float(number) for number in numbers])
    if (np.abs(values) > LARGEST_NUMBER).any():
        raise ValueError(f"'{key}' is not plausible: {np.abs(values).max():g}")
    return values


def _not_a_vector(key: str, text: Any) -> ValueError:
    return ValueError(f"'{key}': {str(text)[:60]!r} is not a vector such as '(1.0, 2.0, 3.0)'")
