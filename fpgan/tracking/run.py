"""An open MLflow run, to which metrics, pictures, warnings, files and tags are logged."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.tracking.context.registry import resolve_tags
from numpy.typing import NDArray

from fpgan.errors import InputError, Interrupted
from fpgan.provenance.working_tree import commit_here
from fpgan.tracking.delivery import Delivery
from fpgan.tracking.journal import Event, Payload
from fpgan.tracking.opening import opening
from fpgan.tracking.outage import known_outage
from fpgan.tracking.sending import send_waiting
from fpgan.tracking.system_metrics import SystemMetrics


class Run:
    """An open run: a `training.recorder.Recorder` that takes artifacts, tags and child runs as well.

    While the store does not answer, logged values wait in a journal. Metrics and pictures that a resumed run
    already holds are skipped.
    """

    def __init__(self, first: Event) -> None:
        if not known_outage() and (sent := send_waiting()).runs:
            print(sent, file=sys.stderr)
        self._delivery = Delivery(first["resume"])
        self._delivery.put(first)
        self._system = SystemMetrics()

    @property
    def id(self) -> str:
        """Names the run in the store; if it was opened during an outage, also once it has been sent there."""
        return self._delivery.id

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Logs the finite ones of some scalars of one step in one call."""
        finite = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        if finite:
            self._log({"kind": "metrics", "step": step, "values": finite})

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Logs a picture (H, W) or (H, W, 3), uint8, which MLflow shows with a slider over the steps."""
        self._log({"kind": "picture", "step": step, "name": name}, image)

    def warn(self, step: int, message: str) -> None:
        """Prints a warning and adds it to the run's tag 'warnings'."""
        line = f"step {step}: {message}"
        print(f"warning: {line}", file=sys.stderr)
        self._log({"kind": "warning", "line": line})

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Copies a file, or a folder under its name, to the run's artifacts or a folder of theirs."""
        self._log({"kind": "artifact", "folder": folder}, path)

    def tag(self, name: str, value: str) -> None:
        """Sets a tag."""
        self._log({"kind": "tag", "name": name, "value": value})

    def child(
        self, name: str, *, params: dict[str, str], metrics: dict[str, float], tags: dict[str, str]
    ) -> None:
        """Logs a finished run below this one, unless there is one of this name since before a resumption."""
        finite = {key: value for key, value in metrics.items() if math.isfinite(value)}
        self._log({"kind": "child", "name": name, "params": params, "metrics": finite, "tags": tags})

    def end(self, status: str) -> None:
        """Closes the run with an MLflow status, and says on stderr how many events wait for the store."""
        self._system.stop()
        self._log({"kind": "end", "status": status})
        journal = self._delivery.journal
        if journal.waits:
            waiting = f"{len(journal.events())} events wait in {journal.path}"
            print(f"{waiting}; `fpgan sync` sends them", file=sys.stderr)
        self._delivery.close()

    def _log(self, event: Event, payload: Payload = None) -> None:
        """Logs an event, after the samples of the machine's load up to now."""
        if samples := self._system.take():
            self._delivery.put({"kind": "system", "samples": samples})
        self._delivery.put(event, payload)


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

    `params` may be nested; `inputs` are (path, digest) by name; `key` identifies both. `resume` is the id of
    a run to resume, in any experiment; without it an unfinished run with the same key is resumed, which a
    killed process left before its id was noted. Raises InputError when MLFLOW_TRACKING_URI names no store or
    the store refuses the credentials.
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
        with suppress(OSError, InputError):  # `error` already names the cause, such as a full disk
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
