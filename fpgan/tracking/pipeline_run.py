"""The MLflow run of a pipeline, which has no process of its own: its stages write it in turn."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from fpgan.errors import InputError
from fpgan.tracking.delivery import Delivery
from fpgan.tracking.opening import opening


def begin_pipeline_run(
    experiment: str, name: str, *, description: str, tags: dict[str, str], params: dict[str, Any]
) -> str:
    """Begins a run that stays open when this process ends; returns its id.

    Raises InputError when MLFLOW_TRACKING_URI names no store or the store refuses the credentials.
    """
    delivery = Delivery(quiet=True)
    key = f"pipeline-{uuid.uuid4().hex}"
    delivery.put(opening(experiment, name, description=description, key=key, context=tags, params=params))
    delivery.close()
    return delivery.id


def update_pipeline_run(run_id: str, *, status: str, name: str, note: str) -> None:
    """Writes the progress of the pipeline; any status but RUNNING ends the run now.

    Does nothing when the run has been deleted. While the store does not answer, the update waits.
    """
    delivery = Delivery(run_id, quiet=True)
    with suppress(InputError):
        delivery.put({"kind": "tag", "name": MLFLOW_RUN_NAME, "value": name})
        delivery.put({"kind": "tag", "name": MLFLOW_RUN_NOTE, "value": note})
        delivery.put({"kind": "end", "status": status})
    delivery.close()
