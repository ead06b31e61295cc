"""Files that are written whole or not at all, and what is said when there is no room for them."""

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
    """Yields a file beside `path` to be written, which takes its place when the block ends well.

    `size` is what it will take, in bytes, where that is known. Raises Unavailable when there is no room;
    however the block fails, nothing is left of the new file and the old one stays.
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
    """Raises Unavailable, naming the file or else `path`, when the block fails for want of room.

    `size` is what the block writes, in bytes, where that is known.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, Unavailable) or not (reason := _want_of_room(error)):
            raise
        name = next((each.filename for each in causes(error) if isinstance(each, OSError)), None) or path
        there = next(folder for folder in path.absolute().parents if folder.exists())
        free = f"{shutil.disk_usage(there).free / MEBIBYTE:.1f} MiB free"
        needed = f"{size / MEBIBYTE:.1f} MiB needed, {free}" if size else free
        raise Unavailable(
            f"{name}: cannot be written: {reason} ({needed}); what was there before is as it was. "
            "Make room and start the same command again"
        ) from error


def _want_of_room(error: Exception) -> str | None:
    """The system's words for what was the matter, if that is it; libraries give them in their own ways."""
    for each in causes(error):
        for number in FULL:
            if getattr(each, "errno", None) == number or os.strerror(number) in str(each):
                return os.strerror(number)
    return None
