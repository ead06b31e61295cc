"""The MLflow run of a pipeline's execution, which has no process of its own: its stages write it in turn."""

from __future__ import annotations

import uuid
from typing import Any

from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from fpgan.tracking.journal import Event, Journal, now
from fpgan.tracking.outage import noting_outage
from fpgan.tracking.sending import check_credentials, waiting_folder
from fpgan.tracking.store import (
    StoredRun,
    StoreLost,
    answering,
    find_stored,
    open_stored,
    opening,
    store_name,
)


def begin_pipeline_run(
    experiment: str, name: str, *, description: str, tags: dict[str, str], params: dict[str, Any]
) -> str:
    """Begins a run that no process holds open; returns its id, one of its own where the store is away.

    Raises InputError when the store is none or refuses the credentials.
    """
    first = opening(
        experiment,
        name,
        description=description,
        key=f"pipeline-{uuid.uuid4().hex}",
        context=tags,
        tags={},
        params=params,
        inputs={},
        resume=None,
    ) | {"time": now()}
    try:
        with noting_outage():
            return open_stored(first).id
    except StoreLost as error:
        check_credentials(error)
    journal = Journal(waiting_folder(), uuid.uuid4().hex)
    _keep(journal, [first])
    return journal.id


def update_pipeline_run(run_id: str, *, status: str, name: str, note: str) -> None:
    """Says how far the pipeline has come; any status but RUNNING ends the run, now.

    While the store is away, or earlier events wait for it, these do too. Raises InputError when the store
    refuses them.
    """
    events: list[Event] = [
        {"kind": "tag", "time": now(), "name": MLFLOW_RUN_NAME, "value": name},
        {"kind": "tag", "time": now(), "name": MLFLOW_RUN_NOTE, "value": note},
        {"kind": "end", "time": now(), "status": status},
    ]
    journal = Journal(waiting_folder(), run_id)
    if not journal.path.exists():
        try:
            with noting_outage(), answering():
                found = find_stored(run_id)
                if found is not None:
                    stored = StoredRun(found.info.run_id, fresh=True)
                    for event in events:
                        stored.take(event, None)
            return
        except StoreLost:
            pass
    _keep(journal, events)


def _keep(journal: Journal, events: list[Event]) -> None:
    for event in events:
        journal.append(event, None, store_name())
    journal.lock.release()
