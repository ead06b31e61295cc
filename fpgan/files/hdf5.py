"""HDF5 files: written whole or not at all, and read with what is wrong with them in words."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from fpgan.errors import InputError
from fpgan.files.writing import replacing


class Quiet(io.FileIO):
    """A file that keeps a failed write to itself: HDF5 crashes when it closes what it could not write."""

    failure: OSError | None = None

    def write(self, data: bytes) -> int:  # type: ignore[override]
        left = memoryview(data).cast("B")
        size = len(left)
        while len(left) and not self.failure:
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self.failure = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0

    def check(self) -> None:
        """Raises the OSError of the first write that failed."""
        if self.failure:
            raise self.failure


@contextmanager
def new_hdf5(path: Path) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """A new HDF5 file, under its name when the block ends well, and a function to call now and then.

    It, and the end of the block, raise Unavailable or OSError where the file could not be written.
    """
    with replacing(path) as partial, Quiet(partial, "w+b") as quiet:
        with h5py.File(quiet, "w") as file:
            yield file, quiet.check
        quiet.check()


def open_hdf5(path: Path, expected: str) -> h5py.File:
    """A file to read, `expected` to be such and such; raises InputError when it is absent or not HDF5."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected {expected}")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error})") from None
