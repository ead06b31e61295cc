"""The device that networks lie on."""

import torch
from torch import nn


def default_device() -> torch.device:
    """Where networks are trained and run by a single process."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights lie; one without any runs on the processor."""
    return next(network.parameters(), torch.empty(0)).device
