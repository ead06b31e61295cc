"""Stored runs, found by id or stage, with their inputs and the runs that made these."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import mlflow
from mlflow.entities import ViewType

from fpgan.errors import InputError
from fpgan.tracking.store import StoreLost, answering, reachable, store_exists
from fpgan.tracking.stored_run import OFFLINE_TAG, find_stored

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
    """Path and digest of each input, by its name in the stage."""

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
        """Ids of the runs that made its inputs, by the input's name."""
        start = "upstream."
        return {tag.removeprefix(start): id for tag, id in self.tags.items() if tag.startswith(start)}


def runs_by_id(start: str) -> list[LoggedRun]:
    """Runs of all experiments, including deleted ones, whose ids begin with `start` (hexadecimal).

    Raises Unavailable when the store does not answer.
    """
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
    """Runs of a stage in all experiments, newest first.

    Raises Unavailable when the store does not answer.
    """
    return _search(f"tags.stage = '{stage}'", ViewType.ACTIVE_ONLY)


def _search(condition: str, view: int) -> list[LoggedRun]:
    if not store_exists():
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
    datasets = [each.dataset for each in run.inputs.dataset_inputs]
    return LoggedRun(
        run.info.run_id,
        run.info.status if run.info.lifecycle_stage == "active" else "DELETED",
        datetime.fromtimestamp(run.info.start_time / 1000),
        dict(run.data.tags),
        dict(run.data.params),
        {each.name: (Path(json.loads(each.source).get("uri", "")), each.digest) for each in datasets},
    )


def find_run(run_id: str) -> LoggedRun | None:
    """The run of an id; None when there is no such run, or no store that answers."""
    if not store_exists():
        return None
    try:
        with answering():
            found = find_stored(run_id)
    except (StoreLost, InputError):
        return None
    return _logged(found) if found else None


def ancestors(run: LoggedRun, known: dict[str, LoggedRun | None]) -> set[str]:
    """Ids of the runs that made a run's inputs, of those that made their inputs, and so on.

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
    """Copies a file of a run into a folder; None when the run holds no file of this name.

    Raises Unavailable when the store does not answer.
    """
    with reachable():
        if name not in (file.path for file in mlflow.MlflowClient().list_artifacts(run.id)):
            return None
        return Path(
            mlflow.artifacts.download_artifacts(run_id=run.id, artifact_path=name, dst_path=str(folder))
        )
