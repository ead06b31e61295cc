"""Sample data in MPIIFaceGaze's format: face pictures, `pXX/pXX.txt`, and the laptop's calibration."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io

from fpgan.data.coding import encode_picture
from fpgan.data.face_model import FACE_MODEL
from fpgan.parallel import available_cpus, map_in_order
from fpgan.sample.face import take_picture
from fpgan.sample.people import DAYS, PERSON, STREAM, Moment, Person, draw_day, draw_moment, draw_someone

MATLAB_HEADER = 116  # bytes of text at the start of a .mat file
VIEWS = 100  # of the checkerboard, as in a real Camera.mat


def picture_path(index: int) -> Path:
    """Path, in the person's folder, of picture `index`, from 0."""
    return Path(f"day{index % DAYS + 1:02d}") / f"{index // DAYS + 1:04d}.jpg"


def annotation(person: Person, moment: Moment, index: int) -> str:
    """The line of `pXX.txt`: path, screen point, landmarks, head pose, face centre, target, eye."""
    rotation_vector, _ = cv2.Rodrigues(moment.rotation)
    model = FACE_MODEL @ moment.rotation.T + moment.translation
    landmarks = person.camera.project(model)
    numbers = np.concatenate(
        [
            landmarks.ravel(),
            rotation_vector.ravel(),
            moment.translation,
            model.mean(axis=0),
            moment.target,
        ]
    )
    side = "left" if index // DAYS % 2 == 0 else "right"
    point = " ".join(str(int(value)) for value in moment.pixel)
    return f"{picture_path(index).as_posix()} {point} {' '.join(f'{v:.6f}' for v in numbers)} {side}"


def save_matlab(path: Path, values: dict[str, Any]) -> None:
    """Writes a .mat file without a time stamp, so that the same seed gives the same bytes."""
    scipy.io.savemat(path, values)
    with path.open("r+b") as file:
        file.write(b"MATLAB 5.0 MAT-file".ljust(MATLAB_HEADER))


def write_calibration(folder: Path, person: Person, seed: int, number: int) -> None:
    """Camera.mat, monitorPose.mat and screenSize.mat, with the keys and shapes of the real ones."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng([seed, STREAM, PERSON, number, 1])
    screen = person.screen
    save_matlab(
        folder / "Camera.mat",
        {
            "cameraMatrix": person.camera.matrix,
            "distCoeffs": person.camera.distortion,
            "retval": random.uniform(0.3, 0.8),
            "rvecs": random.normal(0, 0.4, (VIEWS, 3)),
            "tvecs": random.normal([0, 0, 800], [120, 60, 150], (VIEWS, 3)),
        },
    )
    save_matlab(
        folder / "monitorPose.mat",
        {"rvects": screen.rotation_vector[:, None], "tvecs": screen.translation[:, None]},
    )
    save_matlab(
        folder / "screenSize.mat",
        {
            "height_pixel": screen.height_pixel,
            "width_pixel": screen.width_pixel,
            "height_mm": screen.height_mm,
            "width_mm": screen.width_mm,
        },
    )


def write_picture(folder: Path, seed: int, task: tuple[int, int]) -> str:
    """Writes one picture, of (person, index), and returns its annotation."""
    number, index = task
    person = draw_someone(seed, number)
    moment = draw_moment(person, seed, number, index)
    picture = take_picture(person, draw_day(seed, number, index % DAYS), moment)
    content = encode_picture(picture, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, person.webcam.quality])
    (folder / f"p{number:02d}" / picture_path(index)).write_bytes(content)
    return annotation(person, moment, index)


def write_mpiifacegaze(
    folder: Path,
    persons: int,
    pictures_per_person: int,
    seed: int,
    *,
    workers: int | None = None,
    progress: Callable[[], object] | None = None,
) -> int:
    """Writes the sample pictures of p00, p01, ... into `folder` and returns their number.

    Each is a pure function of the seed, its person and its index. `progress` is called once per picture.
    """
    for number in range(persons):
        home = folder / f"p{number:02d}"
        write_calibration(home / "Calibration", draw_someone(seed, number), seed, number)
        for index in range(min(DAYS, pictures_per_person)):
            (home / picture_path(index)).parent.mkdir(parents=True, exist_ok=True)
    tasks = [(number, index) for number in range(persons) for index in range(pictures_per_person)]
    write = functools.partial(write_picture, folder, seed)
    lines = []
    for line in map_in_order(write, tasks, workers or available_cpus()):
        lines.append(line)
        if progress is not None:
            progress()
    for number in range(persons):
        own = lines[number * pictures_per_person : (number + 1) * pictures_per_person]
        text = "".join(f"{line}\n" for line in sorted(own))
        (folder / f"p{number:02d}" / f"p{number:02d}.txt").write_text(text, encoding="utf-8")
    return len(lines)
