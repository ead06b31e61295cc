"""What answers for a registered network in `mlflow.pyfunc` and `mlflow models serve`.

A copy of this file travels with every registered network, so it imports nothing of this project. It checks
what was sent, as MLflow would cut fractions off and read text as numbers: pictures scaled to 0..1 would be
black.
"""

import json
from typing import Any

import numpy as np
import onnxruntime
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from numpy.typing import NDArray

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class InvalidEyes(MlflowException):
    """What a client sent is no batch of eyes: HTTP status 400, and a sentence that says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, error_code=INVALID_PARAMETER_VALUE)
        self.sentence = sentence

    def serialize_as_json(self) -> str:
        """The body of the answer, without all that was sent, which the server puts into the message."""
        return json.dumps({"error_code": self.error_code, "message": self.sentence})


class ServedNetwork:
    """An ONNX network of one input, uint8 pictures (N, H, W) or (N, H, W, 3)."""

    def __init__(self, path: str) -> None:
        available = onnxruntime.get_available_providers()
        providers = [name for name in PROVIDERS if name in available]
        self.session = onnxruntime.InferenceSession(path, providers=providers)
        (self.input,) = self.session.get_inputs()
        self.shape = tuple(self.input.shape[1:])

    def predict(self, eyes: Any) -> NDArray[np.float32]:
        """The network's answers, a row an eye. Raises InvalidEyes for anything but pictures of its size."""
        return np.asarray(self.session.run(None, {self.input.name: self.check(eyes)})[0])

    def check(self, eyes: Any) -> NDArray[np.uint8]:
        """Eyes as an array or as nested lists of whole numbers, checked."""
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


def _load_pyfunc(path: str) -> ServedNetwork:
    """By this name MLflow calls it."""
    return ServedNetwork(path)
