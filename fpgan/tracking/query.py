"""Runs that the store holds: found by id or stage, with what they read and which runs came before them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import mlflow
from mlflow.entities import ViewType

from fpgan.errors import InputError
from fpgan.layout import project_root
from fpgan.tracking.sending import reachable
from fpgan.tracking.store import OFFLINE_TAG, StoreLost, answering, find_stored, use_store

RUN_ID = re.compile(r"[0-9a-f]{6,32}", re.IGNORECASE)


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


def _stored() -> bool:
    """Whether there is a store to look into: MLflow would make one only to find nothing in it."""
    return not use_store() or (project_root() / "mlflow.db").exists()


def runs_by_id(start: str) -> list[LoggedRun]:
    """Runs of all experiments, deleted ones too, whose ids start so (hexadecimal)."""
    start = start.lower()
    return _search(f"attributes.run_id LIKE '{start}%'", ViewType.ALL) or _search(
        f"tags.`{OFFLINE_TAG}` LIKE '{start}%'", ViewType.ALL
    )


def run_by_prefix(digits: str) -> LoggedRun | None:
    """The run whose id is, or begins with, 6 to 32 hexadecimal digits; None when there is no such run.

    Raises InputError with the ids when several runs match.
    """
    runs = runs_by_id(digits) if RUN_ID.fullmatch(digits) else []
    if len(runs) > 1:
        raise InputError(
            f"{digits}: the ids of {len(runs)} MLflow runs begin with it: "
            + ", ".join(f"{run.id} ({run.stage})" for run in runs)
        )
    return runs[0] if runs else None


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
