"""In which floating-point format the networks under training compute."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["fp32", "bf16"]


def choose_precision(wanted: Literal["auto", "fp32", "bf16"], device: torch.device) -> Precision:
    """What `auto` stands for: bf16 where the processor multiplies matrices in it, else fp32.

    A pure function of the machine, so that a training that is started again is the same training.
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if torch.cpu._is_amx_tile_supported() else "fp32"


@contextmanager
def computing_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Mixed precision for the block: weights stay fp32, convolutions are computed in `precision`."""
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        yield


@contextmanager
def tensor_cores(device: torch.device) -> Iterator[None]:
    """Lets fp32 convolutions and products of a GPU use TF32 for the block."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
