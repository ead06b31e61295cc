"""Exports trained networks to files that load without this project: ONNX, PyTorch's pt2, safetensors."""

import shutil
import tempfile
from pathlib import Path

import h5py
import torch
from torch import Tensor
from torch.export import Dim

from fpgan.deployment.export_formats import NetworkFormat
from fpgan.errors import InputError
from fpgan.networks.deployed import Deployed
from fpgan.networks.eye_network import EyeNetwork
from fpgan.networks.onnx_runtime import export_onnx
from fpgan.networks.weights import load_network

INPUT = "eyes"


def write_network(source: Path, output: Path, form: NetworkFormat, shape: tuple[int, ...]) -> None:
    """Exports a trained network (.safetensors) to a new file, which appears when it is complete.

    ONNX and pt2 hold the `Deployed` form of the network, for any number of pictures of `shape` (H, W) or
    (H, W, 3); safetensors is a copy of the file. Raises InputError if the source is not a network or takes
    other pictures, or if the output exists.
    """
    if output.exists():
        raise InputError(f"{output}: exists already; name a new file, or remove it first")
    if source.is_file() and h5py.is_hdf5(source):
        raise InputError(f"{source}: is an eye set, not a model; --format folder writes eye sets")
    network = load_network(source, EyeNetwork)
    check_shape(source, network, shape)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        partial = Path(folder) / f"network.{form}"
        if form == "onnx":
            write_onnx(network, shape, partial)
        elif form == "pt2":
            write_pt2(network, shape, partial)
        else:
            shutil.copyfile(source, partial)
        partial.rename(output)


def check_shape(source: Path, network: EyeNetwork, shape: tuple[int, ...]) -> None:
    """Raises InputError unless the network takes pictures of this shape."""
    try:
        with torch.inference_mode():
            Deployed(network)(torch.zeros((1, *shape), dtype=torch.uint8))
    except RuntimeError:
        size = f"{shape[1]} x {shape[0]} pixels in {'colour' if len(shape) == 3 else 'grey'}"
        raise InputError(
            f"{source}: was not trained on pictures of {size}; give the params.yaml it was trained with "
            "(--params), or its section 'eyes' (--set eyes.width=60)"
        ) from None


def write_onnx(network: EyeNetwork, shape: tuple[int, ...], output: Path) -> None:
    """Writes the deployed form as ONNX: input 'eyes', output 'translations', 'gaze' or 'landmarks'."""
    axes = {INPUT: {0: "N"}, network.answer: {0: "N"}}
    export_onnx(Deployed(network), _example(shape), output, axes)


def write_pt2(network: EyeNetwork, shape: tuple[int, ...], output: Path) -> None:
    """Writes the deployed form for torch.export.load."""
    with torch.no_grad():
        program = torch.export.export(
            Deployed(network), (_example(shape),), dynamic_shapes={INPUT: {0: Dim("N", min=1)}}
        )
    torch.export.save(program, output)


def _example(shape: tuple[int, ...]) -> Tensor:
    return torch.zeros(
        (2, *shape), dtype=torch.uint8
    )  # two: with one picture the export would fix the number of pictures
