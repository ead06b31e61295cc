"""MLflow's model registry: deployed networks as versions of named models, one of them the champion.

Unlike events of a run, these do not wait for a store that does not answer: Unavailable is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import mlflow
import numpy as np
import onnx
import onnxruntime
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec
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
    """ONNX file."""
    example: NDArray[np.uint8]
    """A few eyes (n, H, W) or (n, H, W, 3)."""
    card: str
    """Markdown."""
    metrics: dict[str, float]
    tags: dict[str, str]
    """Of the version; the tag `IDENTITY` is equal for equal networks with equal errors."""


class Champion(NamedTuple):
    """The version that bears the alias."""

    version: int
    tags: dict[str, str]


def register(entry: Entry, run_id: str) -> tuple[int, bool]:
    """Logs a network in a run and registers it; returns its version, and whether that is new.

    A network of the same identity is not registered again.
    """
    with reachable():
        client = mlflow.MlflowClient()
        for known in client.search_model_versions(f"name = '{entry.name}'"):
            if known.tags.get(IDENTITY) == entry.tags[IDENTITY]:
                return int(known.version), False
        logged = Model.log(  # mlflow.pyfunc.log_model takes no run_id
            None,
            flavor=mlflow.pyfunc,
            name=entry.name,
            run_id=run_id,
            python_model=str(SERVED),
            artifacts={"network": str(entry.network)},
            signature=_signature(entry),
            input_example=entry.example,
            pip_requirements=[
                f"{package.__name__}=={package.__version__}" for package in (mlflow, onnx, onnxruntime, np)
            ],
        )
        _complete(logged.model_id, entry)
        mlflow.log_metrics(entry.metrics, run_id=run_id, model_id=logged.model_id)
        version = mlflow.register_model(logged.model_uri, entry.name, tags=entry.tags)
        client.update_model_version(entry.name, version.version, entry.card[:MAX_DESCRIPTION_LENGTH])
        return int(version.version), True


def _signature(entry: Entry) -> ModelSignature:
    """Shapes and types of eyes and answers.

    Marked as made from type hints, so that MLflow passes requests on as they are: `served_eyes` checks them,
    more strictly than MLflow, which would cut off fractions and read text as numbers.
    """
    session = onnxruntime.InferenceSession(entry.network, providers=["CPUExecutionProvider"])
    answers = session.run(None, {session.get_inputs()[0].name: entry.example})[0]
    signature = ModelSignature(_schema(entry.example), _schema(answers))
    described = {"signature": signature.to_dict(), "is_signature_from_type_hint": True}
    return Model.from_dict(described).signature


def _schema(batch: NDArray[Any]) -> Schema:
    return Schema([TensorSpec(batch.dtype, (-1, *batch.shape[1:]))])


def _complete(model_id: str, entry: Entry) -> None:
    """Adds the model card to a logged model, and lets `mlflow.onnx` load its network too."""
    with TemporaryDirectory() as folder:
        model = Model.load(f"models:/{model_id}")
        model.add_flavor("onnx", onnx_version=onnx.__version__, data=f"artifacts/{entry.network.name}")
        model.save(str(Path(folder) / "MLmodel"))
        (Path(folder) / "model_card.md").write_text(entry.card)
        mlflow.MlflowClient().log_model_artifacts(model_id, folder)


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
