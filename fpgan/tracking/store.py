"""The MLflow store: where it is, whether it answers, and how what is logged gets into it."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import mlflow
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE
from sqlalchemy.exc import OperationalError

from fpgan.errors import InputError, causes
from fpgan.layout import project_root
from fpgan.nested import flatten
from fpgan.tracking.journal import Event, Payload
from fpgan.tracking.system_metrics import ALWAYS
from fpgan.tracking.views import saved_views

logging.getLogger("mlflow").setLevel(logging.WARNING)
for told_by_us in ("mlflow.store", "urllib3"):
    logging.getLogger(told_by_us).setLevel(logging.CRITICAL)

MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 5000
MAX_DIGEST_LENGTH = 36
MAX_METRICS = 1000  # in one call
KEY_TAG = "fpgan.key"
OFFLINE_TAG = "fpgan.offline_id"
PARENT_TAG = MLFLOW_PARENT_RUN_ID
"""Puts a run below another."""
PICTURE_FILE = re.compile(r"(?P<name>.+)\+step\+(?P<step>\d+)\+.+\.webp")  # as MLflow names them
UNAUTHORIZED, LATER = (401, 403), (408, 429)  # HTTP


class StoreLost(Exception):
    """The store did not take something that it may take later; the message says why."""

    def __init__(self, error: Exception) -> None:
        super().__init__(in_words(error))
        self.unauthorized = _status(error) in UNAUTHORIZED


@contextmanager
def answering() -> Iterator[None]:
    """Makes MLflow use the store in the block.

    Raises StoreLost when it does not answer, and InputError when it refuses, or there is none of its kind.
    """
    use_store()
    try:
        yield
    except UnsupportedModelRegistryStoreURIException:
        raise InputError(
            f"MLFLOW_TRACKING_URI: there is no store of the kind of {store_name()}; name one such as "
            "http://127.0.0.1:5000 or sqlite:///mlflow.db"
        ) from None
    except (MlflowException, OperationalError, OSError) as error:
        status = _status(error)
        if status >= 500 or status in (*UNAUTHORIZED, *LATER):
            raise StoreLost(error) from error
        raise InputError(f"the MLflow store {store_name()} refuses: {in_words(error)}") from error


def _status(error: Exception) -> int:
    return error.get_http_status_code() if isinstance(error, MlflowException) else 503


def in_words(error: Exception) -> str:
    """What was the first thing to go wrong, without credentials."""
    *_, first = causes(error)
    return redacted(re.sub(r"^\[Errno -?\d+\] ", "", str(first).strip().split("\n")[0]))


def redacted(text: str) -> str:
    """The text without passwords, tokens, and what stands before the @ of an address."""
    for name in ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        if secret := os.environ.get(name):
            text = text.replace(secret, "***")
    return re.sub(r"://[^/\s]*@", "://***@", text)


def use_store() -> bool:
    """Makes MLflow use the store; whether that is the project's own.

    It is `mlflow.db` and `mlartifacts/` in the project's root unless MLFLOW_TRACKING_URI is set. Credentials
    in the address of a server move to where nothing prints them.
    """
    own = f"sqlite:///{project_root() / 'mlflow.db'}"
    uri = os.environ.get("MLFLOW_TRACKING_URI") or own
    if uri.startswith(("http:", "https:")):
        uri = _without_credentials(uri)
    mlflow.set_tracking_uri(uri)
    return uri == own


def _without_credentials(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018  raises where it is not a number
    except ValueError:
        raise InputError(
            "MLFLOW_TRACKING_URI: not the address of a server; a / or @ in a password is written %2F or %40"
        ) from None
    for name, value in {"USERNAME": parts.username, "PASSWORD": parts.password}.items():
        if value is not None:
            os.environ[f"MLFLOW_TRACKING_{name}"] = unquote(value)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def store_name() -> str:
    """What people call the store in use: its address without credentials."""
    return "mlflow.db" if use_store() else redacted(mlflow.get_tracking_uri())


class StoredRun:
    """A run in the store: takes what is logged to it.

    Unless it is `fresh`, it passes over what it holds already, so that anything may be told again.
    """

    def __init__(self, run_id: str, *, fresh: bool) -> None:
        self.id = run_id
        self.fresh = fresh
        self.client = mlflow.MlflowClient()
        self._steps: dict[str, set[int]] = {}
        self._sampled: tuple[int, int] | None = None  # time and step of the last sample of the machine
        self._pictures = set() if fresh else self._logged_pictures()

    def take(self, event: Event, payload: Payload) -> None:
        """Logs an event of any kind but 'open'; raises StoreLost and InputError as `answering` does."""
        with answering():
            try:
                getattr(self, f"_take_{event['kind']}")(event, payload)
            except Exception as error:
                if payload is None or isinstance(error, MlflowException | TypeError | ValueError):
                    raise
                raise OSError(*error.args) from error  # each kind of artifact store has its own errors

    def _take_metrics(self, event: Event, payload: Payload) -> None:
        step = event["step"]
        new = {name: value for name, value in event["values"].items() if step not in self._logged_steps(name)}
        if new:
            mlflow.log_metrics(new, step=step, run_id=self.id, timestamp=event["time"])
        if not self.fresh:
            for name in new:
                self._steps[name].add(step)

    def _logged_steps(self, name: str) -> set[int]:
        if name not in self._steps:
            history = [] if self.fresh else self.client.get_metric_history(self.id, name)
            self._steps[name] = {metric.step for metric in history}
        return self._steps[name]

    def _take_system(self, event: Event, payload: Payload) -> None:
        if self._sampled is None:
            history = [] if self.fresh else self.client.get_metric_history(self.id, ALWAYS)
            self._sampled = max(((m.timestamp, m.step) for m in history), default=(0, -1))
        until, step = self._sampled
        new = [sample for sample in event["samples"] if sample["time"] > until]
        metrics = [
            Metric(name, value, sample["time"], at)
            for at, sample in enumerate(new, step + 1)
            for name, value in sample["values"].items()
        ]
        for start in range(0, len(metrics), MAX_METRICS):
            self.client.log_batch(self.id, metrics[start : start + MAX_METRICS])
        if new:
            self._sampled = new[-1]["time"], step + len(new)

    def _take_picture(self, event: Event, payload: Payload) -> None:
        step, name = event["step"], event["name"]
        if (name, step) not in self._pictures:
            # At once, not in MLflow's background thread: what a checkpoint says has happened has been logged.
            self.client.log_image(
                self.id, payload, key=name, step=step, timestamp=event["time"], synchronous=True
            )
            self._pictures.add((name, step))

    def _logged_pictures(self) -> set[tuple[str, int]]:
        """Names and steps of the pictures whose last file, the small one for the slider, is there."""
        with answering():
            files = (Path(file.path).name for file in self.client.list_artifacts(self.id, "images"))
            found = filter(None, map(PICTURE_FILE.fullmatch, files))
            return {(match["name"].replace("~", "/"), int(match["step"])) for match in found}

    def _take_artifact(self, event: Event, payload: Payload) -> None:
        mlflow.log_artifact(str(payload), event["folder"], run_id=self.id)

    def _take_tag(self, event: Event, payload: Payload) -> None:
        self.client.set_tag(self.id, event["name"], event["value"][:MAX_TAG_LENGTH])

    def _take_warning(self, event: Event, payload: Payload) -> None:
        lines = self.client.get_run(self.id).data.tags.get("warnings", "").splitlines()
        if event["line"] not in lines:
            self.client.set_tag(self.id, "warnings", "\n".join([*lines, event["line"]])[:MAX_TAG_LENGTH])

    def _take_child(self, event: Event, payload: Payload) -> None:
        experiment, name = self.client.get_run(self.id).info.experiment_id, event["name"]
        for former in [] if self.fresh else self._children(experiment, name):
            if former.info.status == "FINISHED":
                return
            self.client.delete_run(former.info.run_id)
        run_id = self.client.create_run(
            experiment,
            start_time=event["time"],
            tags=event["tags"] | {PARENT_TAG: self.id},
            run_name=name,
        ).info.run_id
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, event["time"], 0) for key, value in event["metrics"].items()],
            params=[Param(key, value[:MAX_PARAM_LENGTH]) for key, value in event["params"].items()],
        )
        self.client.set_terminated(run_id, end_time=event["time"])

    def _children(self, experiment: str, name: str) -> list[mlflow.entities.Run]:
        below = self.client.search_runs([experiment], f"tags.`{PARENT_TAG}` = '{self.id}'")
        return [run for run in below if run.info.run_name == name]

    def _take_end(self, event: Event, payload: Payload) -> None:
        if event["status"] == "RUNNING":
            self.client.update_run(self.id, status="RUNNING")
        else:
            self.client.set_terminated(self.id, event["status"], event["time"])


def opening(
    experiment: str,
    name: str,
    *,
    description: str,
    key: str,
    context: dict[str, str],
    tags: dict[str, str],
    params: dict[str, Any],
    inputs: dict[str, tuple[Path, str]],
    resume: str | None,
) -> Event:
    """The event that opens a run: of `context` are the tags that a run gone on with keeps from its beginning.

    `params` may be nested; `inputs` are (path, digest) by name.
    """
    return {
        "kind": "open",
        "experiment": experiment,
        "name": name,
        "description": description,
        "key": key,
        "resume": resume,
        "context": context,
        "tags": tags,
        "params": flat_params(params),
        "inputs": [[input_name, str(path), digest] for input_name, (path, digest) in inputs.items()],
    }


def open_stored(event: Event, offline_id: str | None = None) -> StoredRun:
    """The run that an event of the kind 'open' begins, or goes on with, in whatever experiment it is.

    Without one to go on with, a run of the same key that was killed before its id was noted is. A run that
    was opened while the store was away is known by its `offline_id`, and opened once however often this is
    called. Raises StoreLost and InputError as `answering` does.
    """
    with answering():
        client = mlflow.MlflowClient()
        experiment_id = experiment_id_of(event["experiment"])
        resumed = _active(event["resume"])
        again = None if resumed else _active(offline_id)
        resumed = resumed or (None if again else _unfinished(experiment_id, event["key"]))
        tags = event["tags"] | {KEY_TAG: event["key"]} | ({"resumed": "true"} if resumed else {})
        # One that was begun while the store was away has another id now.
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


def flat_params(params: dict[str, Any]) -> dict[str, str]:
    """Nested parameters as MLflow takes them."""
    return {name: str(value)[:MAX_PARAM_LENGTH] for name, value in flatten(params, ".").items()}


def experiment_id_of(name: str) -> str:
    """The id of an experiment, which is made where there is none; it gets the views of ours that it lacks."""
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


def find_stored(run_id: str) -> mlflow.entities.Run | None:
    """The run of an id, or of the id that a run had while the store was away; None when there is none."""
    try:
        return mlflow.get_run(run_id)
    except MlflowException as error:
        if _status(error) >= 500:
            raise
    offline = f"tags.`{OFFLINE_TAG}` = '{run_id}'" if run_id.isalnum() else None
    return (
        next(
            iter(
                mlflow.search_runs(
                    search_all_experiments=True, filter_string=offline, output_format="list", max_results=1
                )
            ),
            None,
        )
        if offline
        else None
    )


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
