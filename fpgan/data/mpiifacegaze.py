"""The data set MPIIFaceGaze (Zhang et al., CVPR Workshops 2017): faces before a laptop's webcam.

A folder holds, for each person, pXX/pXX.txt with one line per picture, the pictures that it names, and
pXX/Calibration/Camera.mat. Every eye is normalized (see `normalization`), and the subject's right eye
mirrored, so that the inner corner is on the picture's left.
"""

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fpgan.data.calibration import read_camera
from fpgan.data.entry import Contents, DataSet, Samples
from fpgan.data.eyes import Eye
from fpgan.data.face_model import Side, eye_center, head_angles
from fpgan.data.gaze import mirror, vectors_to_angles
from fpgan.data.normalization import (
    Camera,
    NormalizedCamera,
    magnification,
    normalize_picture,
    rotation_towards,
)
from fpgan.data.preparation_report import SampleError
from fpgan.data.raw_files import parse_number, read_bytes, read_jpeg
from fpgan.domains import Domain
from fpgan.errors import InputError
from fpgan.params import EyePicture, PrepareMPIIFaceGaze

COLUMNS = 28
LONGEST_LINE = 8192  # bytes; a path of 4 KiB and the numbers
REFERENCE_WIDTH = 60  # pixels of the picture that params.focal_length is given for
STEEPEST = np.cos(np.radians(85))  # of the angle between the line of sight and a gaze or a head


@dataclass(frozen=True)
class Line:
    """One line of a person's annotation."""

    person: str
    number: int
    text: bytes

    @property
    def file(self) -> str:
        return f"{self.person}/{self.person}.txt"

    def error(self, reason: str) -> SampleError:
        return SampleError(self.file, self.number, reason)


@dataclass(frozen=True)
class AnnotatedPicture:
    """The content of one line; millimetres, camera frame."""

    picture: str
    head_rotation: NDArray[np.floating]
    """(3, 3), from the face model's frame."""
    head_translation: NDArray[np.floating]
    """(3,)"""
    gaze_target: NDArray[np.floating]
    """(3,)"""
    evaluated_eye: Side


def is_mpiifacegaze(source: Path) -> bool:
    """Whether a folder holds folders p00, p01, ..."""
    return bool(find_persons(source))


def find_persons(source: Path) -> list[str]:
    """The names of the folders p00, p01, ... in a folder."""
    return sorted(path.name for path in source.glob("p[0-9][0-9]") if path.is_dir())


def mpiifacegaze_contents(source: Path) -> Contents:
    """All annotation lines of an MPIIFaceGaze folder; a picture that is annotated and absent is missing."""
    root = source.resolve()
    contents = Contents({}, [], [])
    for person in find_persons(source):
        for line in annotation_lines(root, person):
            contents.counts[person] = contents.counts.get(person, 0) + 1
            with suppress(SampleError):  # the preparation reports malformed lines
                name = f"{person}/{parse_line(line).picture}"
                (contents.pictures if (root / name).is_file() else contents.missing).append(name)
    return contents


def mpiifacegaze_samples(source: Path, picture: EyePicture, params: PrepareMPIIFaceGaze) -> Samples[Line]:
    """The annotation lines of an MPIIFaceGaze folder, each with one eye or both.

    Raises InputError when there are no persons, or when an annotation or a camera is absent or broken.
    """
    root = source.resolve()
    persons = find_persons(source)
    if not persons:
        raise InputError(f"{source}: holds no persons; expected MPIIFaceGaze's folders p00, p01, ...")
    cameras = {person: read_camera(root, person) for person in persons}
    normalized = NormalizedCamera(
        params.focal_length * picture.width / REFERENCE_WIDTH, params.distance, picture.width, picture.height
    )
    return Samples(
        count=sum(1 for person in persons for _ in annotation_lines(root, person)),
        samples=(line for person in persons for line in annotation_lines(root, person)),
        prepare=partial(_prepare_line, root, cameras, normalized, picture.color, params.eye),
        labels=("gaze", "head"),
        persons=persons,
    )


def annotation_lines(root: Path, person: str) -> Iterator[Line]:
    """The lines of a person's annotation without empty ones; raises InputError when it cannot be read."""
    name = f"{person}/{person}.txt"
    try:
        content = read_bytes(root, name)
    except SampleError as error:
        raise InputError(f"{root / name}: {error}; expected the person's annotation") from None
    for number, text in enumerate(io.BytesIO(content), 1):
        if text.strip():
            yield Line(person, number, text)


def parse_line(line: Line) -> AnnotatedPicture:
    """A line's annotation; raises SampleError when it is malformed."""
    if len(line.text) > LONGEST_LINE:
        raise line.error(f"is longer than {LONGEST_LINE} bytes")
    try:
        columns = line.text.decode().split()
        if len(columns) != COLUMNS:
            raise ValueError(f"{len(columns)} columns; expected {COLUMNS}")
        values = np.array([parse_number(column) for column in columns[1:-1]])
    except ValueError as error:  # UnicodeDecodeError is one
        raise line.error(str(error)) from None
    sides: dict[str, Side] = {"left": "left", "right": "right"}
    evaluated = sides.get(columns[-1])
    if evaluated is None:
        raise line.error(f"the evaluated eye is '{columns[-1][:40]}'; expected left or right")
    # After the path: screen point 2, landmarks 12, rotation 3, translation 3, face centre 3, target 3.
    rotation, _ = cv2.Rodrigues(values[14:17])
    return AnnotatedPicture(columns[0], np.asarray(rotation), values[17:20], values[23:26], evaluated)


def _prepare_line(
    root: Path,
    cameras: dict[str, Camera],
    normalized: NormalizedCamera,
    color: bool,
    eye: str,
    line: Line,
) -> list[Eye]:
    annotation = parse_line(line)
    try:
        pixels = read_jpeg(root, str(Path(line.person) / annotation.picture)).decode(color=color)
    except SampleError as error:
        raise line.error(f"{annotation.picture[:200]} {error}") from None
    sides: list[Side] = ["right", "left"]
    if eye == "evaluated":
        sides = [annotation.evaluated_eye]
    elif eye != "both":
        sides = [side for side in sides if side == eye]
    return [
        _normalize_eye(line, annotation, side, pixels, cameras[line.person], normalized) for side in sides
    ]


def _normalize_eye(
    line: Line,
    annotation: AnnotatedPicture,
    side: Side,
    pixels: NDArray[np.uint8],
    camera: Camera,
    normalized: NormalizedCamera,
) -> Eye:
    center = eye_center(side, annotation.head_rotation, annotation.head_translation)
    if center[2] <= 0:
        raise line.error("the head is not before the camera")
    samples = normalized.width * normalized.height * magnification(camera, normalized, center) ** 2
    if samples > pixels.shape[0] * pixels.shape[1]:
        raise line.error(f"the {side} eye is too near the camera: its picture would be larger than this one")
    gaze = annotation.gaze_target - center
    sight = center / np.linalg.norm(center)
    if not (sight @ annotation.head_rotation[:, 2] > STEEPEST):
        raise line.error("the head faces away from the camera")
    if not -sight @ gaze > STEEPEST * np.linalg.norm(gaze):
        raise line.error("the gaze target lies behind the eye")
    x, y = camera.project(center[None])[0]
    if not (0 <= x < pixels.shape[1] and 0 <= y < pixels.shape[0]):
        raise line.error(f"the {side} eye lies outside the picture, at ({x:.0f}, {y:.0f})")
    rotation = rotation_towards(center, annotation.head_rotation)
    image = normalize_picture(pixels, camera, normalized, center, rotation)
    gaze_angles = vectors_to_angles(rotation @ gaze)
    head = head_angles(rotation @ annotation.head_rotation)
    if side == "right":
        image, gaze_angles, head = np.ascontiguousarray(image[:, ::-1]), mirror(gaze_angles), mirror(head)
    return Eye(line.person, image, gaze_angles, head)


MPIIFACEGAZE = DataSet(
    name="mpiifacegaze",
    kind="MPIIFaceGaze folder",
    description="an MPIIFaceGaze folder (p00/p00.txt, p00/day01/0001.jpg, ...)",
    recognizes=is_mpiifacegaze,
    samples=mpiifacegaze_samples,
    unit="annotation lines",
    domain=Domain.REAL,
    section="prepare_mpiifacegaze",
    contents=mpiifacegaze_contents,
)
