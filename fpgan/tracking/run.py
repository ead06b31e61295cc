"""An open MLflow run, and what is logged to it."""

from __future__ import annotations

import math
import os
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.tracking.context.registry import resolve_tags
from numpy.typing import NDArray

from fpgan.errors import InputError, Interrupted
from fpgan.provenance.working_tree import commit_here
from fpgan.tracking.journal import Event, Journal, Payload, now
from fpgan.tracking.outage import forget_outage, known_outage, note_outage
from fpgan.tracking.sending import Sent, check_credentials, send, send_waiting, waiting_folder
from fpgan.tracking.store import StoredRun, StoreLost, open_stored, opening, store_name
from fpgan.tracking.system_metrics import SystemMetrics


class Run:
    """An open run: a `training.recorder.Recorder`, and artifacts besides.

    While the store is away what is logged waits in a journal, and the run has an id of its own if it was
    opened then.
    """

    def __init__(self, first: Event) -> None:
        self.stored: StoredRun | None = None
        self.journal = Journal(waiting_folder(), first["resume"] or uuid.uuid4().hex)
        self._retry_at = 0.0
        began = time.monotonic()
        known = known_outage()
        sent = Sent(lost=known) if known else send_waiting()
        if sent.runs:
            print(sent, file=sys.stderr)
        self._waits = False
        if sent.lost:
            check_credentials(sent.lost)
            self._lose(sent.lost, began)
        self._waits = self._waits or self.journal.path.exists()
        self._log_one(first)
        self._system = SystemMetrics()

    @property
    def id(self) -> str:
        """Names the run in the store, at once or when it has been sent there."""
        return self.stored.id if self.stored else self.journal.id

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Logs scalars of one step in one call, but for those a resumed run holds already."""
        finite = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        if finite:
            self._log({"kind": "metrics", "step": step, "values": finite})

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Logs a picture (H, W) or (H, W, 3) that MLflow shows with a step slider; likewise."""
        self._log({"kind": "picture", "step": step, "name": name}, image)

    def warn(self, step: int, message: str) -> None:
        """Prints a warning and keeps it in the run's tag 'warnings'."""
        line = f"step {step}: {message}"
        print(f"warning: {line}", file=sys.stderr)
        self._log({"kind": "warning", "line": line})

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Copies a file, or a folder under its name, to the run."""
        self._log({"kind": "artifact", "folder": folder}, path)

    def tag(self, name: str, value: str) -> None:
        """Sets a tag."""
        self._log({"kind": "tag", "name": name, "value": value})

    def child(
        self, name: str, *, params: dict[str, str], metrics: dict[str, float], tags: dict[str, str]
    ) -> None:
        """Logs a finished run under this one, unless it is there since before this one was resumed."""
        finite = {key: value for key, value in metrics.items() if math.isfinite(value)}
        self._log({"kind": "child", "name": name, "params": params, "metrics": finite, "tags": tags})

    def end(self, status: str) -> None:
        """Closes the run with MLflow's name of how it ended; says what waits for the store."""
        self._system.stop()
        self._log({"kind": "end", "status": status})
        if self._waits:
            print(
                f"{len(self.journal)} events wait in {self.journal.path}; `fpgan sync` sends them",
                file=sys.stderr,
            )
        self.journal.lock.release()

    def _log(self, event: Event, payload: Payload = None) -> None:
        """Logs an event, after what the machine did before it."""
        if samples := self._system.take():
            self._log_one({"kind": "system", "samples": samples})
        self._log_one(event, payload)

    def _log_one(self, event: Event, payload: Payload = None) -> None:
        """Gives an event to the store, or to the journal while the store is away or earlier events wait."""
        event |= {"time": now()}
        began = time.monotonic()
        if not self._waits:
            try:
                self._give(event, payload)
                return
            except StoreLost as error:
                if event["kind"] == "open":
                    check_credentials(error)
                self._lose(error, began)
        self.journal.append(event, payload, store_name())
        if began >= self._retry_at:
            self._retry(began)

    def _give(self, event: Event, payload: Payload) -> None:
        if self.stored:
            self.stored.take(event, payload)
        else:
            self._connect(open_stored(event))

    def _connect(self, stored: StoredRun) -> None:
        forget_outage()
        self.stored = stored
        self.journal = Journal(waiting_folder(), stored.id)

    def _lose(self, error: StoreLost, began: float) -> None:
        if not self._waits:
            print(
                f"warning: the MLflow store {store_name()} does not answer ({error}); the work goes on, and "
                f"what is logged waits in {waiting_folder()}",
                file=sys.stderr,
            )
        self._waits, self.stored = True, None
        now = time.monotonic()
        self._retry_at = now + note_outage(error, now - began)

    def _retry(self, began: float) -> None:
        if known := known_outage():
            self._lose(known, began)
            return
        try:
            stored = send(self.journal)
        except StoreLost as error:
            self._lose(error, began)
        except InputError as error:
            print(f"warning: {error}", file=sys.stderr)
            self._retry_at = math.inf
        else:
            assert stored, "an event has just been appended"
            self._waits = False
            self._connect(stored)
            print(
                f"the MLflow store {store_name()} answers again: what waited has been sent", file=sys.stderr
            )


@contextmanager
def open_run(
    name: str,
    *,
    experiment: str,
    params: dict[str, Any],
    inputs: dict[str, tuple[Path, str]],
    tags: dict[str, str],
    description: str,
    key: str,
    resume: str | None,
) -> Iterator[Run]:
    """An MLflow run for one stage; KILLED when a signal stops the block, FAILED when it raises otherwise.

    `params` may be nested; `inputs` are (path, digest) by name; `key` stands for both. `resume` is the id of
    a run to go on with, in whatever experiment it is; without one, a run of the same key that was killed
    before its id was noted is. Raises InputError when the store is none or refuses the credentials.
    """
    run = Run(
        opening(
            experiment,
            name,
            description=description,
            key=key,
            context=resolve_tags(),
            tags=tags | _environment_tags(),
            params=params,
            inputs=inputs,
            resume=resume,
        )
    )
    try:
        yield run
    except BaseException as error:
        with suppress(OSError, InputError):  # `error` tells of the full disk, or whatever it is
            run.end("KILLED" if isinstance(error, Interrupted | KeyboardInterrupt) else "FAILED")
        raise
    run.end("FINISHED")


def _environment_tags() -> dict[str, str]:
    """The DVC stage and experiment this process runs for, and the git commit."""
    names = {
        "DVC_STAGE": "dvc.stage",
        "DVC_EXP_NAME": "dvc.experiment",
        "DVC_EXP_BASELINE_REV": "dvc.baseline",
    }
    tags = {tag: os.environ[variable] for variable, tag in names.items() if variable in os.environ}
    if commit := commit_here(Path.cwd()):
        tags["git.commit"] = commit
    return tags
