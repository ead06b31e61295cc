"""Events of a run that the store could not take: kept in a file, until it can."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

Event = dict[str, Any]
"""What is to be logged, as JSON can hold it: its `kind`, its `time` in milliseconds, and more by kind."""
Payload = NDArray[np.uint8] | Path | None
"""What JSON cannot hold: a picture, or a file or folder."""


def now() -> int:
    """The time of an event."""
    return round(time.time() * 1000)


class Journal:
    """The events of one run that wait, a line of JSON each, and a folder of what belongs to them.

    Its first line names the store they are for. What has been appended survives the process and the machine;
    the half of a line that one of them left is passed over.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self.id = run_id
        self.path = folder / f"{run_id}.jsonl"
        self.files = folder / run_id
        self.lock = FileLock(folder / f"{run_id}.lock")
        """Held by the process that writes or sends the events."""

    def append(self, event: Event, payload: Payload, store: str) -> None:
        """Adds an event and a copy of its payload; they are on the disk when this returns."""
        if not self.lock.is_locked:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.lock.acquire()
        if payload is not None:
            event = event | {"file": self._keep(payload)}
        with self.path.open("a+b") as file:
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)
            lines = ([] if whole else [{"store": store}]) + [event]
            file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())

    def _keep(self, payload: NDArray[np.uint8] | Path) -> str:
        folder = self.files / uuid.uuid4().hex
        folder.mkdir(parents=True)
        if isinstance(payload, Path):
            kept = folder / payload.name
            (shutil.copytree if payload.is_dir() else shutil.copy2)(payload, kept)
        else:
            kept = folder / "picture.npy"
            np.save(kept, payload)
        for file in kept.rglob("*") if kept.is_dir() else [kept]:
            if file.is_file():
                with file.open("rb") as written:
                    os.fsync(written.fileno())
        return kept.relative_to(self.files).as_posix()

    def _lines(self) -> list[Event]:
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]

    @property
    def store(self) -> str | None:
        """The store the events are for; None where there are none."""
        return next((line["store"] for line in self._lines()), None)

    @property
    def began(self) -> int:
        """When the first event was, in milliseconds; 0 where there are none."""
        return next((event["time"] for event in self._lines()[1:]), 0)

    def __len__(self) -> int:
        return max(0, len(self._lines()) - 1)

    def __iter__(self) -> Iterator[tuple[Event, Payload]]:
        for event in self._lines()[1:]:
            path = self.files / event["file"] if "file" in event else None
            yield event, np.load(path) if path and path.suffix == ".npy" else path

    def remove(self) -> None:
        """Forgets the events, once the store has them."""
        self.path.unlink(missing_ok=True)
        shutil.rmtree(self.files, ignore_errors=True)
        Path(self.lock.lock_file).unlink(missing_ok=True)
        self.lock.release()
