"""Begins runs in the store, or resumes them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import mlflow
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Dataset, DatasetInput, InputTag, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_RUN_NOTE

from fpgan.layout import project_root
from fpgan.nested import flatten
from fpgan.tracking.journal import Event
from fpgan.tracking.store import answering, use_store
from fpgan.tracking.stored_run import MAX_PARAM_LENGTH, OFFLINE_TAG, PARENT_TAG, StoredRun, find_stored
from fpgan.tracking.views import saved_views

MAX_DIGEST_LENGTH = 36
KEY_TAG = "fpgan.key"


def opening(
    experiment: str,
    name: str,
    *,
    description: str,
    key: str,
    params: dict[str, Any],
    context: dict[str, str],
    tags: dict[str, str] | None = None,
    inputs: dict[str, tuple[Path, str]] | None = None,
    resume: str | None = None,
) -> Event:
    """The event that begins or resumes a run, as `run.open_run` describes.

    `context` are tags that a resumed run keeps from its beginning; `tags` are set anew.
    """
    return {
        "kind": "open",
        "experiment": experiment,
        "name": name,
        "description": description,
        "key": key,
        "resume": resume,
        "context": context,
        "tags": tags or {},
        "params": {name: str(value)[:MAX_PARAM_LENGTH] for name, value in flatten(params, ".").items()},
        "inputs": [[input_name, str(path), digest] for input_name, (path, digest) in (inputs or {}).items()],
    }


def open_stored(event: Event) -> StoredRun:
    """The run that an event of the kind 'open' begins or resumes.

    An event that waited for the store has an `offline_id`, by which the run is known later; sent repeatedly
    it begins one run. Raises StoreLost and InputError as `answering` does.
    """
    offline_id = event.get("offline_id")
    with answering():
        client = mlflow.MlflowClient()
        experiment_id = experiment_id_of(event["experiment"])
        resumed = _active(event["resume"])
        again = None if resumed else _active(offline_id)
        resumed = resumed or (None if again else _unfinished(experiment_id, event["key"]))
        tags = event["tags"] | {KEY_TAG: event["key"]} | ({"resumed": "true"} if resumed else {})
        # A parent that was begun while the store did not answer has another id now.
        if above := _active(tags.get(PARENT_TAG)):
            tags[PARENT_TAG] = above.info.run_id
        if former := resumed or again:
            run_id = former.info.run_id
            client.update_run(run_id, status="RUNNING")
        else:
            noted = {MLFLOW_RUN_NOTE: event["description"], KEY_TAG: event["key"]}
            if offline_id:
                noted[OFFLINE_TAG] = offline_id
            run_id = client.create_run(
                experiment_id,
                start_time=event["time"],
                tags=event["context"] | noted,
                run_name=event["name"],
            ).info.run_id
        if offline_id and offline_id != run_id:
            tags[OFFLINE_TAG] = offline_id
        client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])
        mlflow.log_params(event["params"], run_id=run_id)
        if event["inputs"] and not (former and former.inputs.dataset_inputs):
            client.log_inputs(run_id, [_dataset(*given) for given in event["inputs"]])
    return StoredRun(run_id, fresh=not (former or offline_id))


def experiment_id_of(name: str) -> str:
    """The id of an experiment, which is created if missing, as are its saved views."""
    location = (project_root() / "mlartifacts" / name).as_uri() if use_store() else None
    found = mlflow.get_experiment_by_name(name)
    if found is None:
        mlflow.create_experiment(name, artifact_location=location, tags=saved_views())
    else:
        for tag, view in saved_views().items():
            if tag not in found.tags:
                mlflow.MlflowClient().set_experiment_tag(found.experiment_id, tag, view)
    return mlflow.set_experiment(name).experiment_id


def _active(run_id: str | None) -> mlflow.entities.Run | None:
    found = find_stored(run_id) if run_id else None
    return found if found and found.info.lifecycle_stage == "active" else None


def _unfinished(experiment_id: str, key: str) -> mlflow.entities.Run | None:
    """A run of this key that never ended."""
    found = mlflow.MlflowClient().search_runs(
        [experiment_id], f"tags.`{KEY_TAG}` = '{key}' and attributes.status = 'RUNNING'", max_results=1
    )
    return found[0] if found else None


def _dataset(name: str, path: str, digest: str) -> DatasetInput:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # two of its source types are equally right for a path
        source = resolve_dataset_source(path)
    described = MetaDataset(source, name=name, digest=digest[:MAX_DIGEST_LENGTH]).to_dict()
    return DatasetInput(Dataset.from_dictionary(described), [InputTag(MLFLOW_DATASET_CONTEXT, "input")])
