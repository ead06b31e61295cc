"""Networks as ONNX, and by ONNX Runtime, which on processors is faster than PyTorch and answers alike."""

import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from fpgan.networks.generator import Generator

OPSET = 18
Axes = dict[str, dict[int, str]]


class InOnnxRuntime(nn.Module):
    """A generator on the processor, for pictures of any size, on as many threads as PyTorch has."""

    def __init__(self, generator: Generator) -> None:
        import onnxruntime  # not wanted on a GPU

        super().__init__()
        sizes = {0: "N", 2: "H", 3: "W"}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # Threads that wait do so idly: those that read and write need the processor.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "generator.onnx"
            example = torch.zeros(2, generator.channels, 32, 32)
            export_onnx(generator, example, file, {"pictures": sizes, "translations": sizes})
            self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def forward(self, pictures: Tensor) -> Tensor:
        (translations,) = self.session.run(None, {"pictures": pictures.numpy()})
        return torch.from_numpy(translations)


def export_onnx(network: nn.Module, example: Tensor, output: Path, axes: Axes) -> None:
    """Writes a network of one input and one answer; `axes` names both, and their axes of any length.

    By PyTorch's older exporter: the newer one gives the same answers, but takes 7 seconds a network where
    this one takes half a second, and needs packages of its own.
    """
    given, answer = axes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is the older one, and that shapes it meets become constants
        torch.onnx.export(
            network,
            (example,),
            output,
            input_names=[given],
            output_names=[answer],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
