"""The MLflow run of a pipeline's execution, which has no process of its own: its stages write it in turn."""

from __future__ import annotations

import time
from typing import Any

import mlflow
from mlflow.entities import Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from fpgan.tracking.store import MAX_TAG_LENGTH, answering, experiment_id_of, flat_params

PARENT_TAG = MLFLOW_PARENT_RUN_ID
"""Puts a run below another."""


def create_pipeline_run(experiment: str, name: str, *, tags: dict[str, str], params: dict[str, Any]) -> str:
    """Begins a run that no process holds open; returns its id.

    Raises StoreLost and InputError as `answering` does.
    """
    with answering():
        client = mlflow.MlflowClient()
        run_id: str = client.create_run(experiment_id_of(experiment), tags=tags, run_name=name).info.run_id
        client.log_batch(run_id, params=[Param(key, value) for key, value in flat_params(params).items()])
    return run_id


def update_pipeline_run(run_id: str, *, status: str, name: str, note: str) -> None:
    """Says how far the pipeline has come; any status but RUNNING ends the run, now.

    Raises StoreLost and InputError as `answering` does.
    """
    with answering():
        client = mlflow.MlflowClient()
        tags = [RunTag(MLFLOW_RUN_NAME, name), RunTag(MLFLOW_RUN_NOTE, note[:MAX_TAG_LENGTH])]
        client.log_batch(run_id, tags=tags)
        if status == "RUNNING":
            client.update_run(run_id, status=status)
        else:
            client.set_terminated(run_id, status, round(time.time() * 1000))
