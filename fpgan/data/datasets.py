"""The table of data sets, and what all of them share: recognition and preparation.

A new data set is a module with an entry here, and a section of `fpgan.params`.
"""

from collections.abc import Callable
from pathlib import Path

from fpgan.data.entry import DataSet, PreparationSection
from fpgan.data.hdf5_eyes import HDF5
from fpgan.data.mpiifacegaze import MPIIFACEGAZE
from fpgan.data.preparation import write_eyes
from fpgan.data.preparation_report import Report
from fpgan.data.unityeyes import UNITYEYES
from fpgan.errors import InputError
from fpgan.params import EyePicture

DATA_SETS = {entry.name: entry for entry in (HDF5, MPIIFACEGAZE, UNITYEYES)}
"""By name, in the order in which a source is compared with them."""


def recognize(source: Path) -> DataSet:
    """The data set that a file or folder holds; InputError when it holds none."""
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    for entry in DATA_SETS.values():
        if entry.recognizes(source):
            return entry
    *folders, last = (entry.description for entry in reversed(DATA_SETS.values()))
    raise InputError(f"{source}: not a data set; expected {', '.join(folders)} or {last}")


def prepare(
    data_set: DataSet,
    source: Path,
    output: Path,
    picture: EyePicture,
    section: PreparationSection,
    *,
    at_most: int | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Prepares the eyes of a source and writes them to `output`, which appears when it is complete.

    The source is a folder of the data set, or an HDF5 eye set in its place. `section` holds the data set's
    parameters. Of more than `at_most` samples, that many are drawn at random, always the same. `workers`
    None starts one process per CPU, up to MOST_WORKERS; the result is the same for any number. `progress`
    receives the number of samples done and of all samples. Raises InputError when the source is absent,
    broken or empty, or when too many samples are broken.
    """
    if HDF5.recognizes(source):
        if any(getattr(section, key) is not None for key in data_set.filters):
            raise InputError(
                f"{source}: an HDF5 eye set is taken whole; set {', '.join(data_set.filters)} of "
                f"{data_set.section} to null, or name {data_set.description}"
            )
        data_set = HDF5
    elif not source.is_dir():
        raise InputError(
            f"{source}: no such file or folder; expected {data_set.description} or {HDF5.description}"
        )
    return write_eyes(
        source,
        output,
        data_set.samples(source, picture, section),
        at_most=at_most,
        max_bad_fraction=section.max_bad_fraction,
        workers=workers,
        progress=progress,
    )
