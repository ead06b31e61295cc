"""The cameras of MPIIFaceGaze: pXX/Calibration/Camera.mat."""

from pathlib import Path

import numpy as np

from fpgan.data.matlab import read_arrays
from fpgan.data.normalization import Camera
from fpgan.data.preparation_report import SampleError
from fpgan.data.raw_files import MAX_TEXT_BYTES, read_bytes
from fpgan.errors import InputError

DISTORTIONS = (4, 5, 8, 12, 14)  # numbers of coefficients that OpenCV knows


def read_camera(root: Path, person: str) -> Camera:
    """A person's camera; raises InputError when its file is absent or has no valid camera."""
    name = f"{person}/Calibration/Camera.mat"
    where = f"{root / name}"
    try:
        content = read_bytes(root, name, MAX_TEXT_BYTES)
    except SampleError as error:
        raise InputError(f"{where}: {error}; normalization needs the camera's matrix") from None
    try:
        values = read_arrays(content)
    except ValueError as error:
        raise InputError(f"{where}: not a readable MATLAB file ({error})") from None
    matrix = values.get("cameraMatrix")
    distortion = values.get("distCoeffs", np.zeros(5)).ravel()
    if matrix is None:
        raise InputError(f"{where}: holds no 'cameraMatrix'")
    if (
        matrix.shape != (3, 3)
        or not np.isfinite(matrix).all()
        or min(matrix[0, 0], matrix[1, 1]) <= 0
        or not np.array_equal(matrix[2], [0, 0, 1])
    ):
        raise InputError(f"{where}: 'cameraMatrix' is not [fx 0 cx; 0 fy cy; 0 0 1]: {matrix.tolist()}")
    if len(distortion) not in DISTORTIONS or not np.isfinite(distortion).all():
        raise InputError(f"{where}: 'distCoeffs' are not 4, 5, 8, 12 or 14 numbers: {distortion.tolist()}")
    return Camera(matrix, distortion)
