"""DVC's records of files and folders, in dvc.lock and .dvc files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

READ_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class LockedStage:
    """The last run of a stage."""

    name: str
    command: str
    lock: Path
    """The dvc.lock that records it."""
    params: dict[str, Any]
    reads: tuple[DVCVersion, ...]
    makes: tuple[DVCVersion, ...]


@dataclass(frozen=True)
class DVCVersion:
    """A version of a file or folder."""

    path: Path
    """Relative to the project's root, the current folder."""
    md5: str
    """MD5 of a file's content; DVC's MD5 of a folder ends in '.dir'."""
    size: int | None
    """Bytes; of a folder, those of all its files."""
    files: int | None
    """Number of files in a folder."""


def maker(path: Path) -> LockedStage | None:
    """The stage that made a file or folder."""
    wanted = _inside(path)
    return next((stage for stage in locked_stages() if any(out.path == wanted for out in stage.makes)), None)


def known_version(path: Path) -> tuple[DVCVersion, Path] | None:
    """The last version of a path known to DVC, and the file that records it.

    Records of the stage that made it take precedence over those of stages that read it.
    """
    wanted = _inside(path)
    added = path.with_name(path.name + ".dvc")
    stages = locked_stages()
    known = [(out, stage.lock) for stage in stages for out in stage.makes]
    known += [(out, added) for out in _versions(_load(added).get("outs"), added.parent)]
    known += [(read, stage.lock) for stage in stages for read in stage.reads]
    return next((each for each in known if each[0].path == wanted), None)


def made_below(folder: Path) -> list[DVCVersion]:
    """The outputs of stages in a folder."""
    wanted = _inside(folder)
    return [out for stage in locked_stages() for out in stage.makes if wanted in out.path.parents]


def locked_stages() -> list[LockedStage]:
    """The stages of all pipelines that have run."""
    return [
        stage
        for lock in [Path("dvc.lock"), *sorted(Path("pipelines").rglob("dvc.lock"))]
        for stage in _stages(lock)
    ]


def _stages(lock: Path) -> Iterator[LockedStage]:
    content, pipeline = _load(lock), _load(lock.with_name("dvc.yaml"))
    for name, entry in (content.get("stages") or {}).items():
        declared = (pipeline.get("stages") or {}).get(name.partition("@")[0]) or {}
        folder = lock.parent / (declared.get("wdir") or (declared.get("do") or {}).get("wdir") or ".")
        params: dict[str, Any] = {}
        for values in (entry.get("params") or {}).values():
            params |= values
        yield LockedStage(
            name,
            str(entry.get("cmd", "")),
            lock,
            params,
            tuple(_versions(entry.get("deps"), folder)),
            tuple(_versions(entry.get("outs"), folder)),
        )


def _versions(entries: list[dict[str, Any]] | None, folder: Path) -> list[DVCVersion]:
    return [
        DVCVersion(_inside(folder / entry["path"]), entry["md5"], entry.get("size"), entry.get("nfiles"))
        for entry in entries or []
        if "md5" in entry
    ]


def _inside(path: Path) -> Path:
    return Path(os.path.relpath(path))


def _load(file: Path) -> dict[str, Any]:
    try:
        return _parse(file, file.stat().st_mtime_ns)
    except OSError:
        return {}


@cache
def _parse(file: Path, changed: int) -> dict[str, Any]:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}  # DVC itself reports errors in its files
    return content if isinstance(content, dict) else {}


def md5(path: Path) -> str:
    """MD5 of a file's content, as in DVC's files."""
    found = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(READ_AT_ONCE):
            found.update(block)
    return found.hexdigest()
