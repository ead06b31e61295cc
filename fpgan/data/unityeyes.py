"""The data set UnityEyes (Wood et al., ETRA 2016): rendered eyes with gaze, head pose and landmarks.

A folder holds imgs/N.jpg and imgs/N.json, or the same files directly. Points are strings "(x, y, z)" in
pixels from the picture's lower left corner. The camera is orthographic, with y up, and looks at the
eyeball's centre.
"""

import json
import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgan.data.cropping import Crop
from fpgan.data.entry import Contents, DataSet, Samples
from fpgan.data.eyes import LABELS, Eye
from fpgan.data.gaze import vectors_to_angles
from fpgan.data.preparation_report import SampleError
from fpgan.data.raw_files import LARGEST_NUMBER, MAX_TEXT_BYTES, NUMBER, REDUCTIONS, read_bytes, read_jpeg
from fpgan.domains import Domain
from fpgan.errors import InputError
from fpgan.params import EyePicture, PrepareUnityEyes

PERSON = "unityeyes"  # the name of the data set, since its eyes are of no person
OUTER_CORNER = 8  # of the interior margin's points
VECTOR = re.compile(rf"\({NUMBER}, *{NUMBER}, *{NUMBER}(?:, *{NUMBER})?\)")
POINTS = re.compile(rf"(?:\({NUMBER}, *{NUMBER}, *{NUMBER}\))+")


@dataclass(frozen=True)
class Annotation:
    """The content of one JSON file; points (N, 2) are in pixels as stored, y from the lower edge."""

    interior_margin: NDArray[np.floating]
    caruncle: NDArray[np.floating]
    iris: NDArray[np.floating]
    gaze: NDArray[np.floating]
    """(2,) pitch and yaw in radians."""
    head: NDArray[np.floating]
    """(2,) pitch and yaw in radians."""


@dataclass(frozen=True)
class Listing:
    """The files of a UnityEyes folder; names are without their endings."""

    folder: str
    """Of the files, relative to the source: `imgs`, or empty."""
    pictures: set[str]
    annotations: set[str]


def list_folder(source: Path) -> Listing:
    """Lists pictures and annotations; raises InputError when there are none."""
    folder = _image_folder(source)
    found: dict[str, set[str]] = {".jpg": set(), ".json": set()}
    try:
        with os.scandir(folder) as entries:  # a million names are small, a million paths are not
            for entry in entries:
                name, ending = os.path.splitext(entry.name)
                if ending in found and name[0] != ".":
                    found[ending].add(name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error})") from None
    if not any(found.values()):
        raise InputError(f"{folder}: holds no pictures; expected UnityEyes' N.jpg and N.json")
    return Listing(folder.relative_to(source).name, found[".jpg"], found[".json"])


def _image_folder(source: Path) -> Path:
    return source / "imgs" if (source / "imgs").is_dir() else source


def is_unityeyes(source: Path) -> bool:
    """Whether a folder, or `imgs` in it, holds JSON files."""
    return source.is_dir() and any(_image_folder(source).glob("*.json"))


def unityeyes_contents(source: Path) -> Contents:
    """All samples of a UnityEyes folder; a picture without its annotation, or the reverse, is missing it."""
    listing = list_folder(source)
    missing = [f"{name}.json" for name in sorted(listing.pictures - listing.annotations)]
    missing += [f"{name}.jpg" for name in sorted(listing.annotations - listing.pictures)]
    return Contents(
        {PERSON: len(listing.pictures | listing.annotations)},
        missing,
        [os.path.join(listing.folder, f"{name}.jpg") for name in sorted(listing.pictures)],
    )


def unityeyes_samples(source: Path, picture: EyePicture, params: PrepareUnityEyes) -> Samples[str]:
    """The pictures of a UnityEyes folder by their numbers; raises InputError when there are none.

    Those whose gaze or head pose lies outside the ranges in `params` have no eye, and their JPEG is not read.
    """
    listing = list_folder(source)
    names = sorted(sorted(listing.pictures | listing.annotations), key=len)  # numbers in their order
    return Samples(
        count=len(names),
        samples=names,
        prepare=partial(_prepare_picture, source.resolve(), listing.folder, picture, params),
        labels=tuple(LABELS),
    )


def _prepare_picture(
    root: Path, folder: str, size: EyePicture, params: PrepareUnityEyes, name: str
) -> list[Eye]:
    annotation = read_annotation(root, os.path.join(folder, f"{name}.json"))
    if not _is_wanted(annotation, params):
        return []
    jpeg = read_jpeg(root, os.path.join(folder, f"{name}.jpg"))
    margin, caruncle, iris = (
        points * [1, -1] + [-0.5, jpeg.height - 0.5]  # from the centre of the upper left pixel
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
    image = crop.cut(pixels, size.width, size.height, reduction)
    landmarks = crop.move(landmarks, size.width, size.height)
    return [Eye(PERSON, image, annotation.gaze, annotation.head, landmarks)]


def _is_wanted(annotation: Annotation, params: PrepareUnityEyes) -> bool:
    """Whether gaze and head pose lie in the wanted ranges."""
    angles = np.degrees([*annotation.gaze, *annotation.head])
    return all(
        wanted is None or wanted[0] <= angle <= wanted[1]
        for wanted, angle in zip(params.ranges, angles, strict=True)
    )


def find_crop(
    margin: NDArray[np.floating], caruncle: NDArray[np.floating], params: PrepareUnityEyes, aspect: float
) -> Crop:
    """The crop of an eye, from points (N, 2) with y down and the nose to the left.

    `aspect` is height / width. corners: centred midway between the eye's corners, which are the caruncle's
    point nearest to the nose and the margin's outer corner. reference: FP-GAN's, centred on the margin's
    bounding box; the eye's width counts from the caruncle's mean point.
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


def read_annotation(root: Path, name: str) -> Annotation:
    """The annotation in a JSON file named relative to `root`; raises SampleError when it is malformed."""
    try:
        text = read_bytes(root, name, MAX_TEXT_BYTES).decode("utf-8-sig")
        record = json.loads(text, object_pairs_hook=_unambiguous)
        margin = _vectors(record, "interior_margin_2d", range(16, 17))[:, :2]
        caruncle = _vectors(record, "caruncle_2d", range(1, 65))[:, :2]
        iris = _vectors(record, "iris_2d", range(32, 33))[:, :2]
        [look] = _vectors(_entry(record, "eye_details"), "look_vec")
        [[head_x, head_y, _]] = _vectors(record, "head_pose")
    except json.JSONDecodeError as error:
        raise SampleError(name, error.lineno, f"is not valid JSON: {error.msg}") from None
    except RecursionError:
        raise SampleError(name, None, "is not valid JSON: nested too deeply") from None
    except ValueError as error:
        raise SampleError(name, None, str(error)) from None
    if not (0.5 < np.linalg.norm(look) < 2 and look[2] < 0):
        raise SampleError(name, None, "look_vec does not point towards the camera")
    # Unity rotates the head about x, positive downwards, and about y, where 180 degrees face the camera.
    head = np.radians([-((head_x + 180) % 360 - 180), -(head_y % 360 - 180)])
    if (np.abs(head) >= np.pi / 2).any():
        raise SampleError(name, None, "head_pose faces away from the camera")
    return Annotation(margin, caruncle, iris, vectors_to_angles(look * [1, -1, 1]), head)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; raises ValueError when it has a key twice."""
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"has two '{next(key for key in keys if keys.count(key) > 1)[:60]}'")
    return record


def _entry(record: Any, key: str) -> Any:
    if not isinstance(record, dict) or key not in record:
        raise ValueError(f"has no '{key}'")
    return record[key]


def _vectors(record: Any, key: str, count: range | None = None) -> NDArray[np.floating]:
    """(N, 3): the vectors under a key.

    They are a list of `count` strings "(x, y, z)", or without `count` a single string, which may have a
    fourth number that is left out.
    """
    value, pattern = _entry(record, key), POINTS if count else VECTOR
    texts = value if count else [value]
    if count and not (isinstance(texts, list) and len(texts) in count):
        raise ValueError(f"'{key}' is not a list of {count.start} points")
    joined = "".join(text if isinstance(text, str) and text[-1:] == ")" else "?" for text in texts)
    numbers = joined[1:-1].replace(")(", ",").split(",")
    if not pattern.fullmatch(joined) or joined.count("(") != len(texts):
        wrong = next((text for text in texts if not pattern.fullmatch(str(text))), joined)
        raise ValueError(f"'{key}': {str(wrong)[:60]!r} is not a vector such as '(1.0, 2.0, 3.0)'")
    values = np.array([float(number) for number in numbers])
    if (np.abs(values) > LARGEST_NUMBER).any():
        raise ValueError(f"'{key}' is not plausible: {np.abs(values).max():g}")
    return values.reshape(len(texts), -1)[:, :3]


UNITYEYES = DataSet(
    name=PERSON,
    kind="UnityEyes folder",
    description="a UnityEyes folder (imgs/N.jpg and imgs/N.json)",
    recognizes=is_unityeyes,
    samples=unityeyes_samples,
    unit="pictures",
    domain=Domain.SYNTHETIC,
    section="prepare_unityeyes",
    filters=("gaze_pitch", "gaze_yaw", "head_pitch", "head_yaw"),
    contents=unityeyes_contents,
)
