"""Networks as ONNX, and by ONNX Runtime, which on processors is faster than PyTorch and answers alike."""

import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

OPSET = 18
Axes = dict[str, dict[int, str]]


class InOnnxRuntime(nn.Module):
    """A network from one tensor to one, on the processor, on as many threads as PyTorch has.

    `example` shows what it takes, (N, C, H, W); it may be given any other N, H and W that the network can.
    """

    def __init__(self, network: nn.Module, example: Tensor) -> None:
        import onnxruntime  # not wanted on a GPU

        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # Threads that wait do so idly: those that read and write need the processor.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        axes = {"given": {0: "N", 2: "H", 3: "W"}, "answer": {0: "N"}}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            export_onnx(network, example, file, axes)
            self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def forward(self, given: Tensor) -> Tensor:
        (answer,) = self.session.run(None, {"given": given.numpy()})
        return torch.from_numpy(answer)


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
