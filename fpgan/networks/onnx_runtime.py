"""Networks in ONNX, and run by ONNX Runtime: on CPUs faster than PyTorch, with the same answers."""

import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

OPSET = 18
Axes = dict[str, dict[int, str]]


class InOnnxRuntime(nn.Module):
    """A network of one input and one output, run on the CPU with as many threads as PyTorch uses.

    `example` is an input (N, C, H, W). Other inputs may have any N, H and W that the network supports.
    """

    def __init__(self, network: nn.Module, example: Tensor) -> None:
        import onnxruntime  # not needed on a GPU

        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # Waiting threads sleep instead of spinning, so that reading and writing threads get the CPU.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        axes = {"pictures": {0: "N", 2: "H", 3: "W"}, "answer": {0: "N"}}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            export_onnx(network, example, file, axes)
            self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def forward(self, pictures: Tensor) -> Tensor:
        (answer,) = self.session.run(None, {"pictures": pictures.numpy()})
        return torch.from_numpy(answer)


def export_onnx(network: nn.Module, example: Tensor, output: Path, axes: Axes) -> None:
    """Writes a network of one input and one output; `axes` names both, and their axes of variable length.

    Uses PyTorch's older exporter: the newer one gives the same answers, but takes 7 seconds per network
    instead of half a second, and needs additional packages.
    """
    pictures, answer = axes
    with warnings.catch_warnings():
        # PyTorch warns that this exporter is the older one, and that some shapes become constants.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            output,
            input_names=[pictures],
            output_names=[answer],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
