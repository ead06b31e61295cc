"""Digests of the files and folders that stages read, and their versions in DVC."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fpgan.errors import InputError
from fpgan.provenance.dvc_files import known_version, md5

OURS = "fpgan:"
"""Prefix of a digest that DVC does not know."""
DIGITS = 30  # with the prefix as long as MLflow allows for a dataset's digest


@dataclass(frozen=True)
class Digested:
    """A file or folder as it is now."""

    digest: str
    """MD5 of a file; SHA-256 of the names and sizes of the files in a folder. A raw folder holds up to a
    million pictures, and reading them twice would take longer than preparing them."""
    version: str
    """DVC's MD5 of a file, or of a folder, which ends in '.dir'; for a folder that DVC does not know, or knew
    with other files, `OURS` and the digest."""
    files: int | None
    """Number of files in a folder."""


def digested(path: Path) -> Digested:
    """The digest and version of a file or folder; raises InputError if it does not exist."""
    if path.is_file():
        content = md5(path)
        return Digested(content, content, None)
    if not path.is_dir():
        raise InputError(
            f"{path}: no such file or folder; run the stage that makes it, or all stages with `dvc repro`"
        )
    found, files, size = hashlib.sha256(), 0, 0
    for file in sorted(path.rglob("*")):
        if file.is_file():
            bytes_ = file.stat().st_size
            found.update(f"{file.relative_to(path)}\0{bytes_}\n".encode())
            files, size = files + 1, size + bytes_
    digest = found.hexdigest()
    known = known_version(path)
    if known and (known[0].files, known[0].size) == (files, size):
        return Digested(digest, known[0].md5, files)
    return Digested(digest, OURS + digest[:DIGITS], files)


def digest(path: Path) -> str:
    """The digest that decides whether a stage may resume from its checkpoints."""
    return digested(path).digest
