"""Learning-rate schedules: factors of the highest rate, pure functions of the step."""

import math
from typing import Literal

from torch import Tensor
from torch.optim import Optimizer

Schedule = Literal["constant_linear", "cosine"]

WARMUP = 0.1  # share of the steps in which `one_cycle` rises


def schedule_factor(kind: Schedule, step: int, steps: int) -> float:
    """The factor at `step` of `steps`, counted from 0."""
    return constant_then_linear(step, steps) if kind == "constant_linear" else cosine(step, steps)


def constant_then_linear(step: int, steps: int) -> float:
    """CycleGAN's schedule: 1 for the first half of the steps, then linear to 0 (Zhu et al., ICCV 2017)."""
    half = steps / 2
    return 1.0 if step < half else max(0.0, (steps - step) / (steps - half))


def cosine(step: int, steps: int) -> float:
    """From 1 to 0 along half a cosine (Loshchilov, Hutter, ICLR 2017)."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def one_cycle(step: int, steps: int) -> float:
    """Rises linearly to 1 for a tenth of the steps, then falls to 0 along a cosine."""
    rise = max(1, round(steps * WARMUP))
    if step < rise:
        return (step + 1) / rise
    return cosine(step - rise, max(1, steps - rise))


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Sets the learning rate, in place if it is a tensor on the device, which a captured step reads."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
