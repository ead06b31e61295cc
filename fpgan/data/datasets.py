"""Eyes from whatever the user has: a raw folder of either dataset, or an HDF5 eye set."""

from collections.abc import Callable
from pathlib import Path

from fpgan.data.hdf5_eyes import prepare_hdf5
from fpgan.data.mpiifacegaze import prepare_mpiifacegaze
from fpgan.data.preparation_report import Report
from fpgan.data.unityeyes import prepare_unityeyes
from fpgan.errors import InputError
from fpgan.params import EyePicture, PrepareMPIIFaceGaze, PrepareUnityEyes


def prepare(
    source: Path,
    output: Path,
    picture: EyePicture,
    params: PrepareUnityEyes | PrepareMPIIFaceGaze,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Prepares a source; the parameters' section says which dataset's a folder is.

    Raises InputError when the source is neither, or as the preparation of its kind does.
    """
    if source.is_file():
        if isinstance(params, PrepareUnityEyes) and any(params.ranges):
            raise InputError(
                f"{source}: an HDF5 eye set is taken whole; set gaze_pitch, gaze_yaw, head_pitch, "
                "head_yaw of prepare_unityeyes to null, or name a UnityEyes folder"
            )
        return prepare_hdf5(
            source, output, picture, max_bad_fraction=params.max_bad_fraction, progress=progress
        )
    if isinstance(params, PrepareUnityEyes):
        expected = "a UnityEyes folder (imgs/N.jpg and imgs/N.json)"
    else:
        expected = "an MPIIFaceGaze folder (p00/p00.txt, p00/day01/0001.jpg, ...)"
    if not source.is_dir():
        raise InputError(f"{source}: no such file or folder; expected {expected} or an HDF5 eye set")
    if isinstance(params, PrepareUnityEyes):
        return prepare_unityeyes(source, output, picture, params, workers=workers, progress=progress)
    return prepare_mpiifacegaze(source, output, picture, params, workers=workers, progress=progress)
