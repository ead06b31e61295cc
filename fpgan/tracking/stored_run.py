"""A run in the store, and how each kind of event is written into it."""

from __future__ import annotations

import re
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from fpgan.tracking.journal import Event, Payload
from fpgan.tracking.store import answering, status_of
from fpgan.tracking.system_metrics import ALWAYS

MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 5000
MAX_METRICS = 1000  # per call
OFFLINE_TAG = "fpgan.offline_id"
"""The id that a run had while the store did not answer."""
PARENT_TAG = MLFLOW_PARENT_RUN_ID
"""Puts a run below another."""
PICTURE_FILE = re.compile(r"(?P<name>.+)\+step\+(?P<step>\d+)\+.+\.webp")  # as MLflow names them


def find_stored(run_id: str) -> mlflow.entities.Run | None:
    """The run with this id, or that had this id while the store did not answer; None if there is none."""
    try:
        return mlflow.get_run(run_id)
    except MlflowException as error:
        if status_of(error) >= 500:
            raise
    if not run_id.isalnum():
        return None
    condition = f"tags.`{OFFLINE_TAG}` = '{run_id}'"
    found = mlflow.search_runs(
        search_all_experiments=True, filter_string=condition, output_format="list", max_results=1
    )
    return next(iter(found), None)


class StoredRun:
    """A run in the store.

    Unless it is `fresh`, events that it holds already are skipped, so that any event may be sent again.
    """

    def __init__(self, run_id: str, *, fresh: bool) -> None:
        self.id = run_id
        self.fresh = fresh
        self.client = mlflow.MlflowClient()
        self._steps: dict[str, set[int]] = {}  # of metrics
        self._pictures: set[tuple[str, int]] | None = set() if fresh else None  # names and steps, if known
        self._sampled: tuple[int, int] | None = None  # time and step of the last sample of the machine

    def take(self, event: Event, payload: Payload) -> None:
        """Logs an event of any kind but 'open'; raises StoreLost and InputError as `answering` does."""
        with answering():
            try:
                getattr(self, f"_take_{event['kind']}")(event, payload)
            except Exception as error:
                if payload is None or isinstance(error, MlflowException | TypeError | ValueError):
                    raise
                raise OSError(*error.args) from error  # each kind of artifact store raises its own errors

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
        self._pictures = self._logged_pictures() if self._pictures is None else self._pictures
        if (name, step) not in self._pictures:
            # Not in MLflow's background thread: a checkpoint is written after this, and implies the picture.
            self.client.log_image(
                self.id, payload, key=name, step=step, timestamp=event["time"], synchronous=True
            )
            self._pictures.add((name, step))

    def _logged_pictures(self) -> set[tuple[str, int]]:
        """Names and steps of the pictures whose last file, the small one for the slider, is there."""
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
