"""MLflow's model registry: deployed networks as versions of named models, one of them the champion.

Unlike what is logged to a run, this does not wait for a store that is away: it raises Unavailable.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from fpgan.tracking.store import reachable

SERVED = Path(__file__).parents[1] / "deployment" / "served_eyes.py"
CHAMPION = "champion"
IDENTITY = "identity"
MAX_DESCRIPTION_LENGTH = 5000


@dataclass(frozen=True)
class Entry:
    """A network to register."""

    name: str
    """Of the registered model."""
    network: Path
    """ONNX."""
    example: NDArray[np.uint8]
    """A few eyes (n, H, W) or (n, H, W, 3)."""
    card: str
    """Markdown."""
    metrics: dict[str, float]
    tags: dict[str, str]
    """Of the version; `IDENTITY` tells whether two are the same."""


class Champion(NamedTuple):
    """The version that bears the alias."""

    version: int
    tags: dict[str, str]


def register(entry: Entry, run_id: str) -> tuple[int, bool]:
    """Logs a network in a run and registers it; its version, and whether that is new.

    One of the same identity is not registered again.
    """
    with reachable():
        client = mlflow.MlflowClient()
        for version in client.search_model_versions(f"name = '{entry.name}'"):
            if version.tags.get(IDENTITY) == entry.tags[IDENTITY]:
                return int(version.version), False
        logged = mlflow.models.Model.log(
            None, flavor=sys.modules[__name__], name=entry.name, run_id=run_id, entry=entry
        )
        mlflow.log_metrics(entry.metrics, run_id=run_id, model_id=logged.model_id)
        version = mlflow.register_model(logged.model_uri, entry.name, tags=entry.tags)
        client.update_model_version(entry.name, version.version, entry.card[:MAX_DESCRIPTION_LENGTH])
        return int(version.version), True


def save_model(path: str, mlflow_model: mlflow.models.Model, entry: Entry) -> None:
    """Writes an MLflow model into a folder: the ONNX network, and the code that answers for it."""
    session = onnxruntime.InferenceSession(entry.network, providers=["CPUExecutionProvider"])
    answers = session.run(None, {session.get_inputs()[0].name: entry.example})[0]
    signature = mlflow.models.ModelSignature(_schema(entry.example), _schema(answers))
    # MLflow hands on what was sent as it is: the code that comes along checks it, and more strictly.
    signature._is_signature_from_type_hint = True
    mlflow.onnx.save_model(
        onnx.load(entry.network),
        path,
        mlflow_model=mlflow_model,
        code_paths=[str(SERVED)],
        signature=signature,
        input_example=entry.example,
        pip_requirements=[
            f"{package.__name__}=={package.__version__}" for package in (mlflow, onnx, onnxruntime, np)
        ],
        save_as_external_data=False,
    )
    mlflow_model.flavors["python_function"]["loader_module"] = SERVED.stem
    mlflow_model.save(str(Path(path) / "MLmodel"))
    (Path(path) / "model_card.md").write_text(entry.card)


def _schema(batch: NDArray[Any]) -> mlflow.types.Schema:
    return mlflow.types.Schema([mlflow.types.TensorSpec(batch.dtype, (-1, *batch.shape[1:]))])


def champion(name: str) -> Champion | None:
    """The version that bears the alias."""
    with reachable():
        client = mlflow.MlflowClient()
        version = client.get_registered_model(name).aliases.get(CHAMPION)
        return Champion(int(version), client.get_model_version(name, version).tags) if version else None


def make_champion(name: str, version: int) -> None:
    """Moves the alias to a version."""
    with reachable():
        mlflow.MlflowClient().set_registered_model_alias(name, CHAMPION, str(version))
