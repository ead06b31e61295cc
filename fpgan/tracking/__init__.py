"""Runs and what is logged to them: the only package that knows of MLflow.

What the store cannot take, because it does not answer, is locked or full, waits in a file and is sent later.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# A training does not stand still for the minutes that MLflow would wait for a server; we try again later.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

import mlflow
import numpy as np
from mlflow.entities import ViewType
from mlflow.tracking.context.registry import resolve_tags
from numpy.typing import NDArray

from fpgan.errors import InputError, Interrupted
from fpgan.provenance.working_tree import commit_here
from fpgan.tracking.journal import Event, Journal, Payload, now
from fpgan.tracking.outage import forget_outage, known_outage, note_outage
from fpgan.tracking.sending import Sent, check_credentials, reachable, send, send_waiting, waiting_folder
from fpgan.tracking.sending import sync as sync
from fpgan.tracking.store import (
    OFFLINE_TAG,
    StoredRun,
    StoreLost,
    answering,
    find_stored,
    open_stored,
    opening,
    project_root,
    store_name,
    use_store,
)
from fpgan.tracking.system_metrics import SystemMetrics


@dataclass(frozen=True)
class LoggedRun:
    """A run as the store holds it."""

    id: str
    status: str
    """MLflow's: RUNNING, FINISHED, FAILED, KILLED, ...; or DELETED."""
    started: datetime
    """Local time."""
    tags: dict[str, str]
    params: dict[str, str]
    inputs: dict[str, tuple[Path, str]]
    """Path and digest of what it read, by what that was to it."""

    @property
    def stage(self) -> str:
        """The stage it ran, or else its name."""
        return self.tags.get("stage") or self.tags.get("mlflow.runName", "")

    @property
    def commit(self) -> str | None:
        """The git commit it ran at."""
        return self.tags.get("git.commit")

    @property
    def upstream(self) -> dict[str, str]:
        """Ids of the runs that made its inputs, by what those were to it."""
        start = "upstream."
        return {tag.removeprefix(start): id for tag, id in self.tags.items() if tag.startswith(start)}


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


def _stored() -> bool:
    """Whether there is a store to look into: MLflow would make one only to find nothing in it."""
    return not use_store() or (project_root() / "mlflow.db").exists()


def runs_by_id(start: str) -> list[LoggedRun]:
    """Runs of all experiments, deleted ones too, whose ids start so (hexadecimal)."""
    start = start.lower()
    return _search(f"attributes.run_id LIKE '{start}%'", ViewType.ALL) or _search(
        f"tags.`{OFFLINE_TAG}` LIKE '{start}%'", ViewType.ALL
    )


def runs_of_stage(stage: str) -> list[LoggedRun]:
    """Runs of a stage in all experiments, newest first."""
    return _search(f"tags.stage = '{stage}'", ViewType.ACTIVE_ONLY)


def _search(condition: str, view: int) -> list[LoggedRun]:
    if not _stored():
        return []
    with reachable():
        found = mlflow.search_runs(
            search_all_experiments=True,
            filter_string=condition,
            run_view_type=view,
            order_by=["attributes.start_time DESC"],
            output_format="list",
        )
    return [_logged(run) for run in found]


def _logged(run: mlflow.entities.Run) -> LoggedRun:
    return LoggedRun(
        run.info.run_id,
        run.info.status if run.info.lifecycle_stage == "active" else "DELETED",
        datetime.fromtimestamp(run.info.start_time / 1000),
        dict(run.data.tags),
        dict(run.data.params),
        {
            each.dataset.name: (_source(each.dataset), each.dataset.digest)
            for each in run.inputs.dataset_inputs
        },
    )


def _source(dataset: mlflow.entities.Dataset) -> Path:
    """Of a dataset as `open_run` logs it."""
    return Path(json.loads(dataset.source).get("uri", ""))


def find_run(run_id: str) -> LoggedRun | None:
    """The run of an id; None when there is no such run, or no store."""
    if not _stored():
        return None
    try:
        with answering():
            found = find_stored(run_id)
    except (StoreLost, InputError):
        return None
    return _logged(found) if found else None


def ancestors(run: LoggedRun, known: dict[str, LoggedRun | None]) -> set[str]:
    """Ids of the runs that made a run's inputs, and theirs, all the way up.

    `known` keeps looked-up runs from one call to the next.
    """
    found: set[str] = set()
    waiting = list(run.upstream.values())
    while waiting:
        run_id = waiting.pop()
        if run_id in found:
            continue
        found.add(run_id)
        if run_id not in known:
            known[run_id] = find_run(run_id)
        if above := known[run_id]:
            found.add(above.id)
            waiting.extend(above.upstream.values())
    return found


def download(run: LoggedRun, name: str, folder: Path) -> Path | None:
    """Copies a file of a run into a folder; None when the run holds no such file."""
    use_store()
    with reachable():
        if name not in (file.path for file in mlflow.MlflowClient().list_artifacts(run.id)):
            return None
        return Path(
            mlflow.artifacts.download_artifacts(run_id=run.id, artifact_path=name, dst_path=str(folder))
        )
