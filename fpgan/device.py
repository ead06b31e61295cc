"""The device that networks are on."""

import torch
from torch import nn


def default_device() -> torch.device:
    """The device on which a single process trains and runs networks: a GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(network: nn.Module) -> torch.device:
    """The device of a network's weights; the CPU for a network without weights."""
    return next(network.parameters(), torch.empty(0)).device
