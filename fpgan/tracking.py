"""MLflow: the only file that knows of it."""

from __future__ import annotations

import logging
import math
import os
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
import numpy as np
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from numpy.typing import NDArray

logging.getLogger("mlflow").setLevel(logging.WARNING)

MAX_PARAM_LENGTH = 6000
MAX_DIGEST_LENGTH = 36
SYSTEM_METRICS_SECONDS = 5


class Run:
    """An open MLflow run: a `training.recorder.Recorder`, and artifacts besides."""

    def __init__(self, run_id: str) -> None:
        self.id = run_id

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Logs scalars of one step in one call."""
        mlflow.log_metrics({name: value for name, value in values.items() if math.isfinite(value)}, step=step)

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Logs a picture (H, W) or (H, W, 3) that MLflow shows with a step slider."""
        mlflow.log_image(image, key=name, step=step)

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Copies a file to the run."""
        mlflow.log_artifact(str(path), folder)

    def tag(self, name: str, value: str) -> None:
        """Sets a tag."""
        mlflow.set_tag(name, value)


@contextmanager
def open_run(
    name: str,
    *,
    experiment: str,
    params: dict[str, Any],
    inputs: dict[str, tuple[Path, str]],
    tags: dict[str, str],
    description: str,
    resume: str | None,
) -> Iterator[Run]:
    """An MLflow run for one stage; FAILED when the block raises.

    `params` may be nested; `inputs` are (path, digest) by name; `resume` is the id of a run to go on with.
    The store is `mlflow.db` and `mlartifacts/` in the project's root unless MLFLOW_TRACKING_URI is set.
    """
    location = None
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        mlflow.set_tracking_uri(f"sqlite:///{project_root() / 'mlflow.db'}")
        location = (project_root() / "mlartifacts" / experiment).as_uri()
    if mlflow.get_experiment_by_name(experiment) is None:
        mlflow.create_experiment(experiment, artifact_location=location)
    mlflow.set_experiment(experiment)
    mlflow.set_system_metrics_sampling_interval(SYSTEM_METRICS_SECONDS)
    resumed = resume is not None and _exists(resume)
    with mlflow.start_run(
        run_id=resume if resumed else None,
        run_name=None if resumed else name,
        description=None if resumed else description,
        log_system_metrics=True,
    ) as active:
        mlflow.set_tags(tags | _environment_tags() | ({"resumed": "true"} if resumed else {}))
        if not resumed:
            mlflow.log_params(
                {key: str(value)[:MAX_PARAM_LENGTH] for key, value in flatten(params, ".").items()}
            )
            for input_name, (path, digest) in inputs.items():
                _log_input(input_name, path, digest)
        yield Run(active.info.run_id)


def _exists(run_id: str) -> bool:
    try:
        return mlflow.get_run(run_id).info.lifecycle_stage == "active"
    except mlflow.exceptions.MlflowException:
        return False


def _log_input(name: str, path: Path, digest: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # two of its source types are equally right for a path
        source = resolve_dataset_source(str(path))
    mlflow.log_input(MetaDataset(source, name=name, digest=digest[:MAX_DIGEST_LENGTH]), context="input")


def flatten(values: dict[str, Any], separator: str, prefix: str = "") -> dict[str, Any]:
    """A nested dict as one of a level, its keys joined by the separator."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, separator, f"{prefix}{key}{separator}")
        else:
            flat[prefix + key] = value
    return flat


def _environment_tags() -> dict[str, str]:
    """The DVC stage and experiment this process runs for, and the git commit."""
    names = {
        "DVC_STAGE": "dvc.stage",
        "DVC_EXP_NAME": "dvc.experiment",
        "DVC_EXP_BASELINE_REV": "dvc.baseline",
    }
    tags = {tag: os.environ[variable] for variable, tag in names.items() if variable in os.environ}
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project_root(), capture_output=True, text=True, check=False
    )
    if commit.returncode == 0:
        tags["git.commit"] = commit.stdout.strip()
    return tags


def project_root() -> Path:
    """The nearest folder upwards that DVC was initialised in, else the current one."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)
