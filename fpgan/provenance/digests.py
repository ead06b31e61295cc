"""Digests of what stages read: by content where that is quick, and DVC's own wherever DVC has one."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fpgan.errors import InputError
from fpgan.provenance.dvc_files import known_version, md5

OURS = "fpgan:"
"""Begins a digest that DVC does not know."""
DIGITS = 30  # with `OURS` as many as MLflow keeps of a dataset's digest


@dataclass(frozen=True)
class Digested:
    """A file or folder as it is now."""

    digest: str
    """MD5 of a file; SHA-256 of the names and sizes of the files in a folder: a raw folder holds up to a
    million pictures, and reading them twice would take longer than preparing them."""
    version: str
    """As DVC knows it: MD5 of a file, and what ends in '.dir' of a folder; `OURS` and the digest of a folder
    that DVC does not know, or knew with other files."""
    files: int | None
    """How many there are in a folder."""


def digested(path: Path) -> Digested:
    """Takes the digests; raises InputError when there is no such file or folder."""
    if path.is_file():
        content = md5(path)
        return Digested(content, content, None)
    if not path.is_dir():
        raise InputError(
            f"{path}: no such file or folder; run the stage that makes it, or `dvc repro` for all"
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
    """The digest that decides whether a stage may go on from its checkpoints."""
    return digested(path).digest
