"""A moving average of a generator's weights, which translates better and more steadily than the last weights
(Karras et al., ICLR 2018; Yazıcı et al., ICLR 2019)."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def averaged_copy(network: Network) -> Network:
    """A frozen copy of a network, for `update_average`."""
    return copy.deepcopy(network).eval().requires_grad_(False)


def average_decay(decay: float, step: int) -> float:
    """The decay at `step`, counted from 0. It starts low, to forget the initial weights quickly."""
    return min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: Tensor) -> None:
    """Moves the average towards the network's weights, by a share of 1 - `decay` (a scalar tensor).

    Batch statistics are already averages and are copied.
    """
    averages: list[Tensor] = list(average.parameters())
    weights: list[Tensor] = list(network.parameters())
    steps = list(torch._foreach_sub(weights, averages))
    torch._foreach_mul_(steps, 1 - decay)
    torch._foreach_add_(averages, steps)
    for ours, theirs in zip(average.buffers(), network.buffers(), strict=True):
        ours.copy_(theirs)
