"""Serves a registered network in `mlflow.pyfunc` and `mlflow models serve`.

Every registered network carries a copy of this file, so it imports nothing of this project. It checks inputs
itself: MLflow would read text as numbers and cut off fractions, which makes pictures scaled to 0..1 black.
"""

import json
from typing import Any

import numpy as np
import onnxruntime
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class InvalidEyes(MlflowException):
    """The input is not a batch of eyes: HTTP status 400 with the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, error_code=INVALID_PARAMETER_VALUE)
        self.reason = reason

    def serialize_as_json(self) -> str:
        """The body of the response, without the input, which the server adds to the message."""
        return json.dumps({"error_code": self.error_code, "message": self.reason})


class ServedNetwork:
    """An ONNX network with one input, uint8 pictures (N, H, W) or (N, H, W, 3)."""

    def __init__(self, path: str) -> None:
        available = onnxruntime.get_available_providers()
        providers = [name for name in PROVIDERS if name in available]
        self.session = onnxruntime.InferenceSession(path, providers=providers)
        (self.input,) = self.session.get_inputs()
        self.shape = tuple(self.input.shape[1:])

    def predict(self, eyes: Any) -> NDArray[np.float32]:
        """The network's outputs, one row per eye; raises InvalidEyes as `check` does."""
        return np.asarray(self.session.run(None, {self.input.name: self.check(eyes)})[0])

    def check(self, eyes: Any) -> NDArray[np.uint8]:
        """Eyes, given as an array or as nested lists, as an array.

        Raises InvalidEyes unless they are whole numbers 0 to 255 in pictures of the network's size.
        """
        expected = f"expected whole numbers 0 to 255 of shape (N, {', '.join(map(str, self.shape))}), N >= 1"
        try:
            array = np.asarray(eyes)
        except ValueError:
            raise InvalidEyes(f"{expected}; the pictures or their rows are not all of one size") from None
        if array.dtype.kind not in "iu":
            kinds = {"f": "floating-point numbers", "U": "text", "b": "true and false"}
            raise InvalidEyes(f"{expected}; got {kinds.get(array.dtype.kind, type(eyes).__name__)}")
        if array.shape[1:] != self.shape or array.ndim == 0 or not len(array):
            raise InvalidEyes(f"{expected}; got shape {array.shape}")
        if array.min() < 0 or array.max() > 255:
            raise InvalidEyes(f"{expected}; got values from {array.min()} to {array.max()}")
        return array.astype(np.uint8)


class ServedEyes(PythonModel):
    """A registered network, as MLflow loads and calls it."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the network from the registered files."""
        self.network = ServedNetwork(context.artifacts["network"])

    # MLflow derives no signature from this type. Over HTTP the input is nested lists.
    def predict(self, context: PythonModelContext, model_input: np.ndarray) -> NDArray[np.float32]:
        """As `ServedNetwork.predict`."""
        return self.network.predict(model_input)


set_model(ServedEyes())
