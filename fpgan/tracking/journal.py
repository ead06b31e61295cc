"""The file in which the events of a run wait while the store does not take them."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from fpgan.layout import LOCKS, project_root

Event = dict[str, Any]
"""Something to log, as JSON: its `kind`, its `time` in milliseconds, and more depending on the kind.

The kinds are 'open' (see `opening`), metrics, system, picture, artifact, tag, warning, child and end (see
`stored_run`); `run` makes them.
"""
Payload = NDArray[np.uint8] | Path | None
"""The part of an event that JSON cannot hold: a picture, or a file or folder."""


def now() -> int:
    """The time of an event, in milliseconds since the epoch."""
    return round(time.time() * 1000)


def waiting_folder() -> Path:
    """The folder of all journals of the project."""
    return project_root() / ".fpgan" / "offline"


class Journal:
    """The waiting events of one run: a file with one event per line, and a folder of their payloads.

    An appended event survives a crash of the process and of the machine. A line that was only half written
    is skipped.
    """

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self.path = waiting_folder() / f"{run_id}.jsonl"
        self._payloads = self.path.with_suffix("")
        self._lock = FileLock(project_root() / LOCKS / f"journal-{run_id}.lock")

    def claim(self, *, blocking: bool = True) -> None:
        """Keeps other processes from writing or sending the events until `release`.

        Raises filelock.Timeout when another process holds them and `blocking` is false.
        """
        if not self._lock.is_locked:
            Path(self._lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=blocking)

    def release(self) -> None:
        """Ends `claim`."""
        self._lock.release()

    @property
    def waits(self) -> bool:
        """Whether there are events."""
        return self.path.exists()

    def events(self) -> list[Event]:
        """The events in their order."""
        found = []
        with suppress(FileNotFoundError):  # also when another process has just sent them
            for line in self.path.read_bytes().split(b"\n"):
                with suppress(ValueError):
                    found.append(json.loads(line))
        return found

    def began(self) -> int:
        """The time of the first event; 0 if there is none."""
        return next((event["time"] for event in self.events()), 0)

    def payload(self, event: Event) -> Payload:
        """The payload that was appended with an event."""
        if "file" not in event:
            return None
        path = self._payloads / event["file"]
        return np.load(path) if path.suffix == ".npy" else path

    def append(self, event: Event, payload: Payload) -> None:
        """Adds an event and a copy of its payload; both are on the disk when this returns."""
        self.claim()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if payload is not None:
            event = event | {"file": self._copy(payload)}
        with self.path.open("ab") as file:
            file.write(f"\n{json.dumps(event)}\n".encode())  # begins a new line after a half written one
            file.flush()
            os.fsync(file.fileno())

    def _copy(self, payload: NDArray[np.uint8] | Path) -> str:
        folder = self._payloads / uuid.uuid4().hex
        folder.mkdir(parents=True)
        if isinstance(payload, Path):
            copy = folder / payload.name
            (shutil.copytree if payload.is_dir() else shutil.copy2)(payload, copy)
        else:
            copy = folder / "picture.npy"
            np.save(copy, payload)
        for file in folder.rglob("*"):
            if file.is_file():
                with file.open("rb") as written:
                    os.fsync(written.fileno())
        return copy.relative_to(self._payloads).as_posix()

    def remove(self) -> None:
        """Removes the events, once the store has them."""
        self.path.unlink(missing_ok=True)
        shutil.rmtree(self._payloads, ignore_errors=True)
