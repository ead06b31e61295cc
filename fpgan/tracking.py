"""MLflow: the only file that knows of it."""

from __future__ import annotations

import logging
import math
import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
import numpy as np
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Metric, Param, ViewType
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from numpy.typing import NDArray

from fpgan.errors import Interrupted
from fpgan.nested import flatten

logging.getLogger("mlflow").setLevel(logging.WARNING)

MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 5000
MAX_DIGEST_LENGTH = 36
SYSTEM_METRICS_SECONDS = 5
KEY_TAG = "fpgan.key"
PICTURE_FILE = re.compile(r"(?P<name>.+)\+step\+(?P<step>\d+)\+.+\.webp")  # as MLflow names them


@dataclass(frozen=True)
class LoggedRun:
    """A run as the store holds it."""

    id: str
    status: str
    """MLflow's: RUNNING, FINISHED, FAILED, KILLED, ...; or DELETED."""
    started: datetime
    """Local time."""
    tags: dict[str, str]

    @property
    def stage(self) -> str:
        """The stage it ran, or else its name."""
        return self.tags.get("stage") or self.tags.get("mlflow.runName", "")

    @property
    def commit(self) -> str | None:
        """The git commit it ran at."""
        return self.tags.get("git.commit")

    @property
    def upstream(self) -> set[str]:
        """Ids of the runs that made its inputs."""
        return {value for tag, value in self.tags.items() if tag.startswith("upstream.")}


class Run:
    """An open MLflow run: a `training.recorder.Recorder`, and artifacts besides."""

    def __init__(self, run_id: str, resumed: bool) -> None:
        self.id = run_id
        self.client = mlflow.MlflowClient()
        self.resumed = resumed
        self._steps: dict[str, set[int]] = {}
        self._pictures = self._logged_pictures() if resumed else set()

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Logs scalars of one step in one call, but for those a resumed run holds already."""
        new = {name: value for name, value in values.items() if math.isfinite(value)}
        if self.resumed:
            new = {name: value for name, value in new.items() if step not in self._logged_steps(name)}
        if new:
            mlflow.log_metrics(new, step=step)

    def _logged_steps(self, name: str) -> set[int]:
        if name not in self._steps:
            self._steps[name] = {metric.step for metric in self.client.get_metric_history(self.id, name)}
        return self._steps[name]

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Logs a picture (H, W) or (H, W, 3) that MLflow shows with a step slider; likewise.

        At once, not in MLflow's background thread: what a checkpoint says has happened has been logged.
        """
        if (name, step) not in self._pictures:
            mlflow.log_image(image, key=name, step=step, synchronous=True)

    def _logged_pictures(self) -> set[tuple[str, int]]:
        """Names and steps of the pictures whose last file, the small one for the slider, is there."""
        files = (Path(file.path).name for file in self.client.list_artifacts(self.id, "images"))
        found = filter(None, map(PICTURE_FILE.fullmatch, files))
        return {(match["name"].replace("~", "/"), int(match["step"])) for match in found}

    def warn(self, step: int, message: str) -> None:
        """Prints a warning and keeps it in the run's tag 'warnings'."""
        line = f"step {step}: {message}"
        print(f"warning: {line}", file=sys.stderr)
        lines = self.client.get_run(self.id).data.tags.get("warnings", "").splitlines()
        if line not in lines:
            self.tag("warnings", "\n".join([*lines, line])[:MAX_TAG_LENGTH])

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Copies a file, or a folder under its name, to the run."""
        mlflow.log_artifact(str(path), folder)

    def tag(self, name: str, value: str) -> None:
        """Sets a tag."""
        mlflow.set_tag(name, value)

    def child(
        self, name: str, *, params: dict[str, str], metrics: dict[str, float], tags: dict[str, str]
    ) -> None:
        """Logs a finished run under this one, unless it is there since before this one was resumed."""
        experiment = self.client.get_run(self.id).info.experiment_id
        for former in self._children(experiment, name):
            if former.info.status == "FINISHED":
                return
            self.client.delete_run(former.info.run_id)
        run_id = self.client.create_run(
            experiment, tags=tags | {MLFLOW_PARENT_RUN_ID: self.id}, run_name=name
        ).info.run_id
        now = round(time.time() * 1000)
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, now, 0) for key, value in metrics.items() if math.isfinite(value)],
            params=[Param(key, value[:MAX_PARAM_LENGTH]) for key, value in params.items()],
        )
        self.client.set_terminated(run_id)

    def _children(self, experiment: str, name: str) -> list[mlflow.entities.Run]:
        if not self.resumed:
            return []
        below = self.client.search_runs([experiment], f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self.id}'")
        return [run for run in below if run.info.run_name == name]


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
    before its id was noted is.
    The store is `mlflow.db` and `mlartifacts/` in the project's root unless MLFLOW_TRACKING_URI is set.
    """
    location = (project_root() / "mlartifacts" / experiment).as_uri() if _use_store() else None
    if mlflow.get_experiment_by_name(experiment) is None:
        mlflow.create_experiment(experiment, artifact_location=location)
    experiment_id = mlflow.set_experiment(experiment).experiment_id
    mlflow.set_system_metrics_sampling_interval(SYSTEM_METRICS_SECONDS)
    if resume and (known := _experiment_of(resume)):
        mlflow.set_experiment(experiment_id=known)
    else:
        resume = _unfinished(experiment_id, key)
    with mlflow.start_run(
        run_id=resume,
        run_name=None if resume else name,
        description=None if resume else description,
        tags={KEY_TAG: key},
        log_system_metrics=True,
    ) as active:
        mlflow.set_tags(tags | _environment_tags() | ({"resumed": "true"} if resume else {}))
        mlflow.log_params(
            {param: str(value)[:MAX_PARAM_LENGTH] for param, value in flatten(params, ".").items()}
        )
        if inputs and not (resume and mlflow.get_run(resume).inputs.dataset_inputs):
            datasets = [_dataset(input_name, path, digest) for input_name, (path, digest) in inputs.items()]
            mlflow.log_inputs(datasets, ["input"] * len(inputs), [None] * len(inputs))
        try:
            yield Run(active.info.run_id, resumed=resume is not None)
        except (Interrupted, KeyboardInterrupt):
            mlflow.end_run("KILLED")
            raise


def _use_store() -> bool:
    """Makes MLflow use the store; whether that is the project's own."""
    own = f"sqlite:///{project_root() / 'mlflow.db'}"
    uri = os.environ.get("MLFLOW_TRACKING_URI") or own
    mlflow.set_tracking_uri(uri)
    return uri == own


def _unfinished(experiment_id: str, key: str) -> str | None:
    """The id of a run of this key that never ended."""
    found = mlflow.MlflowClient().search_runs(
        [experiment_id], f"tags.`{KEY_TAG}` = '{key}' and attributes.status = 'RUNNING'", max_results=1
    )
    return found[0].info.run_id if found else None


def _experiment_of(run_id: str) -> str | None:
    """The id of a run's experiment; None when there is no such run any more."""
    try:
        info = mlflow.get_run(run_id).info
    except mlflow.exceptions.MlflowException:
        return None
    return info.experiment_id if info.lifecycle_stage == "active" else None


def _dataset(name: str, path: Path, digest: str) -> MetaDataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # two of its source types are equally right for a path
        source = resolve_dataset_source(str(path))
    return MetaDataset(source, name=name, digest=digest[:MAX_DIGEST_LENGTH])


def _environment_tags() -> dict[str, str]:
    """The DVC stage and experiment this process runs for, and the git commit."""
    names = {
        "DVC_STAGE": "dvc.stage",
        "DVC_EXP_NAME": "dvc.experiment",
        "DVC_EXP_BASELINE_REV": "dvc.baseline",
    }
    tags = {tag: os.environ[variable] for variable, tag in names.items() if variable in os.environ}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if commit.returncode == 0:
        tags["git.commit"] = commit.stdout.strip()
    return tags


def project_root() -> Path:
    """The project that DVC runs this process for, also where it does so in a copy, as for queued experiments.

    Not run by DVC: the nearest folder upwards that DVC was initialised in, else the current one.
    """
    if root := os.environ.get("DVC_ROOT"):
        return Path(root)
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)


def _stored() -> bool:
    """Whether there is a store to look into: MLflow would make one only to find nothing in it."""
    return not _use_store() or (project_root() / "mlflow.db").exists()


def runs_by_id(start: str) -> list[LoggedRun]:
    """Runs of all experiments, deleted ones too, whose ids start so (hexadecimal)."""
    return _search(f"attributes.run_id LIKE '{start.lower()}%'", ViewType.ALL)


def runs_of_stage(stage: str) -> list[LoggedRun]:
    """Runs of a stage in all experiments, newest first."""
    return _search(f"tags.stage = '{stage}'", ViewType.ACTIVE_ONLY)


def _search(condition: str, view: int) -> list[LoggedRun]:
    if not _stored():
        return []
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
    )


def find_run(run_id: str) -> LoggedRun | None:
    """The run of an id; None when there is no such run, or no store."""
    if not _stored():
        return None
    try:
        return _logged(mlflow.get_run(run_id))
    except mlflow.exceptions.MlflowException:
        return None


def ancestors(run: LoggedRun, known: dict[str, LoggedRun | None]) -> set[str]:
    """Ids of the runs that made a run's inputs, and theirs, all the way up.

    `known` keeps looked-up runs from one call to the next.
    """
    found: set[str] = set()
    waiting = list(run.upstream)
    while waiting:
        run_id = waiting.pop()
        if run_id in found:
            continue
        found.add(run_id)
        if run_id not in known:
            known[run_id] = find_run(run_id)
        if above := known[run_id]:
            waiting.extend(above.upstream)
    return found


def download(run: LoggedRun, name: str, folder: Path) -> Path | None:
    """Copies a file of a run into a folder; None when the run holds no such file."""
    _use_store()
    if name not in (file.path for file in mlflow.MlflowClient().list_artifacts(run.id)):
        return None
    return Path(mlflow.artifacts.download_artifacts(run_id=run.id, artifact_path=name, dst_path=str(folder)))
