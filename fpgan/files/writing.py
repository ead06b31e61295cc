"""Files that appear complete or not at all, and the message when a disk is full."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fpgan.errors import Unavailable, causes

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MEBIBYTE = 1 << 20


@contextmanager
def replacing(path: Path, size: int | None = None) -> Iterator[Path]:
    """Yields the path of a new file, which replaces the one at `path` when the block succeeds.

    `size` is the size of the new file in bytes, if known. Raises Unavailable when there is no room. After any
    failure the old file is unchanged and the new one is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with needing_room(path, size):
        try:
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def needing_room(path: Path, size: int | None = None) -> Iterator[None]:
    """Raises Unavailable, with the name of the file (or `path`), when the block fails for lack of room.

    `size` is the number of bytes that the block writes, if known.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, Unavailable) or not (reason := _lack_of_room(error)):
            raise
        name = next((each.filename for each in causes(error) if isinstance(each, OSError)), None) or path
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        free = f"{shutil.disk_usage(folder).free / MEBIBYTE:.1f} MiB free"
        needed = f"{size / MEBIBYTE:.1f} MiB needed, {free}" if size else free
        raise Unavailable(
            f"{name}: cannot be written: {reason} ({needed}); existing files are unchanged. "
            "Make room and start the same command again"
        ) from error


def _lack_of_room(error: Exception) -> str | None:
    """The system's message if a full disk caused the error; libraries pass on its number or only its text."""
    for cause in causes(error):
        for number in FULL:
            if getattr(cause, "errno", None) == number or os.strerror(number) in str(cause):
                return os.strerror(number)
    return None
