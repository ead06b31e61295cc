"""HDF5 files: written completely or not at all, and opened with a clear message for an unreadable file."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from fpgan.errors import InputError
from fpgan.files.writing import replacing


class DeferredErrors(io.FileIO):
    """A file that remembers a failed write instead of raising it: HDF5 crashes when it closes such a file."""

    failure: OSError | None = None

    def write(self, data: bytes) -> int:  # type: ignore[override]
        remaining = memoryview(data).cast("B")
        size = len(remaining)
        while len(remaining) and not self.failure:
            try:
                remaining = remaining[super().write(remaining) :]
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
        """Raises the OSError of the first failed write, if any."""
        if self.failure:
            raise self.failure


@contextmanager
def new_hdf5(path: Path) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """Yields a new HDF5 file, which appears at `path` when the block succeeds, and a function that checks it.

    The function, to be called from time to time, and the end of the block raise Unavailable or OSError when
    the file could not be written.
    """
    with replacing(path) as partial, DeferredErrors(partial, "w+b") as raw:
        with h5py.File(raw, "w") as file:
            yield file, raw.check
        raw.check()


def open_hdf5(path: Path, expected: str) -> h5py.File:
    """Opens a file for reading; raises InputError, with the `expected` content, when it is not HDF5."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected {expected}")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error})") from None
