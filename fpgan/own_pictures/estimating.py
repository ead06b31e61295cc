"""A trained gaze estimator applied to a folder of pictures."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fpgan.data.gaze import angles_to_vectors, mirror
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.inference import BATCH, stream_gaze
from fpgan.own_pictures.folder import FolderResult, run_over_folder
from fpgan.params import EyePicture

OVERLAY_WIDTH = 480  # approximately, in pixels
ARROW = 0.6  # length of a gaze arrow parallel to the picture, in picture widths
COLOR = (255, 127, 14)
TABLE = "gaze.csv"
COLUMNS = ("pitch", "yaw", "pitch_degrees", "yaw_degrees")


def estimate_folder(
    network: GazeNet,
    source: Path,
    output: Path,
    shape: EyePicture,
    *,
    flip: bool,
    progress: Callable[[int, int], object] | None = None,
) -> FolderResult:
    """Estimates gaze in a user's pictures: writes gaze.csv, with COLUMNS, and each picture with a gaze arrow.

    With `flip` pictures are mirrored for the network, and gaze and picture are mirrored back. Raises
    InputError as `run_over_folder` does.
    """
    return run_over_folder(
        stream_gaze,
        network,
        partial(_with_angles, flip),
        source,
        output,
        shape,
        table=TABLE,
        columns=COLUMNS,
        flip=flip,
        batch_size=BATCH,
        progress=progress,
    )


def _with_angles(
    flip: bool, picture: NDArray[np.uint8], gaze: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], list[str]]:
    if flip:
        picture, gaze = picture[:, ::-1], mirror(gaze)
    angles = [f"{angle:.6f}" for angle in gaze]
    return draw_gaze(picture, gaze), [*angles, *(f"{angle:.4f}" for angle in np.degrees(gaze))]


def draw_gaze(picture: NDArray[np.uint8], gaze: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A picture (H, W) or (H, W, 3), magnified, as RGB, with its gaze as an arrow from the middle."""
    times = max(1, round(OVERLAY_WIDTH / picture.shape[1]))
    large = cv2.resize(np.ascontiguousarray(picture), None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    if large.ndim == 2:
        large = cv2.cvtColor(large, cv2.COLOR_GRAY2RGB)
    height, width = large.shape[:2]
    start = np.array([(width - 1) / 2, (height - 1) / 2])
    end = start + angles_to_vectors(gaze)[:2] * ARROW * width
    (x, y), (to_x, to_y) = start.round().astype(int).tolist(), end.round().astype(int).tolist()
    drawn = cv2.arrowedLine(large, (x, y), (to_x, to_y), COLOR, 2, cv2.LINE_AA, tipLength=0.2)
    return np.asarray(drawn, np.uint8)
