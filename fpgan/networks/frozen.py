"""A trained network as a fixed function: frozen, and arranged to run fast forward and backward."""

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def frozen(network: Network) -> Network:
    """A copy in evaluation mode whose weights are not trained; its answers differ by rounding only.

    Batch normalization is folded into the layer before it, and the memory format is channels last. That
    takes about half the time of the original network, forward and backward.
    """
    copied = copy.deepcopy(network).eval().requires_grad_(False)
    for module in list(copied.modules()):
        if isinstance(module, nn.Sequential):
            _fold(module)
    return copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _fold(layers: nn.Sequential) -> None:
    for i in range(len(layers) - 1):
        layer, after = layers[i], layers[i + 1]
        if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
            layers[i], layers[i + 1] = fuse_conv_bn_eval(layer, after), nn.Identity()
        elif isinstance(layer, nn.Linear) and isinstance(after, nn.BatchNorm1d):
            layers[i], layers[i + 1] = fuse_linear_bn_eval(layer, after), nn.Identity()
