"""The floating-point format in which networks compute during training."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["fp32", "bf16"]


def choose_precision(wanted: Literal["auto", "fp32", "bf16"], device: torch.device) -> Precision:
    """The wanted precision; `auto` is bf16 if the device multiplies matrices in bf16, otherwise fp32.

    A pure function of the machine, so that a resumed training uses the same precision.
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if torch.cpu._is_amx_tile_supported() else "fp32"


@contextmanager
def computing_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Mixed precision in the block: weights stay fp32, convolutions are computed in `precision`."""
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        yield


@contextmanager
def tensor_cores(device: torch.device) -> Iterator[None]:
    """Lets a GPU use TF32 for fp32 convolutions and matrix products in the block."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
