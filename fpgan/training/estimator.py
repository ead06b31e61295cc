"""The loop both feature networks are trained with: AdamW, one cycle of the learning rate, and the epoch
kept that errs least on the validation eyes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from tqdm import tqdm

from fpgan.eyes import Eyes
from fpgan.pictures import pictures_to_input
from fpgan.training.batches import batch_rows
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.recorder import Recorder

if TYPE_CHECKING:
    from fpgan.augmentation import Augment
    from fpgan.params import Training

History = list[dict[str, float]]

WARMUP = 0.1  # share of the steps in which the learning rate rises


def train_estimator(
    network: nn.Module,
    *,
    eyes: Eyes,  # training eyes, whose labels are known
    loss: Callable[[Tensor, Eyes], Tensor],  # of network input and the batch's eyes, landmarks moved
    validation_error: Callable[[], float],  # of the network as it is, lower is better
    error_name: str,  # its name in the record, such as 'validation/gaze_error'
    augment: Augment,
    params: Training,
    checkpoints: Checkpoints,
    recorder: Recorder,
    device: torch.device,
) -> History:
    """Trains `network` in place, leaves it at its best epoch, and returns one row of scores an epoch.

    Goes on from the newest checkpoint, one being written after every epoch. Raises FloatingPointError
    when the loss is no longer finite.
    """
    steps_per_epoch = math.ceil(len(eyes) / params.batch_size)
    total = steps_per_epoch * params.epochs
    network.to(device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=params.learning_rate, weight_decay=1e-4, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _learning_rate_factor(step, total))
    history: History = []
    best, best_weights, first_epoch = math.inf, network.state_dict(), 0
    if state := checkpoints.latest():
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        history, best, best_weights, first_epoch = (
            state["history"],
            state["best"],
            state["best_weights"],
            state["step"],
        )

    with tqdm(total=total, initial=first_epoch * steps_per_epoch, unit="step", disable=None) as progress:
        for epoch in range(first_epoch, params.epochs):
            network.train()
            summed = torch.zeros((), device=device)
            for step in range(epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch):
                rows = batch_rows(step, params.batch_size, len(eyes), params.seed)
                batch = eyes.select(rows)
                images, landmarks = augment(batch.image, batch.landmarks, rows, epoch)
                batch = Eyes(images, batch.gaze, batch.head, landmarks, batch.person)
                batch_loss = loss(pictures_to_input(batch.image).to(device), batch)
                optimizer.zero_grad(set_to_none=True)
                batch_loss.backward()
                optimizer.step()
                schedule.step()
                summed += batch_loss.detach()
                progress.update()
            mean_loss = summed.item() / steps_per_epoch
            if not math.isfinite(mean_loss):
                raise FloatingPointError(
                    f"the loss is {mean_loss} in epoch {epoch + 1}; lower the learning rate"
                )
            error = validation_error()
            if error < best:
                best, best_weights = error, copy.deepcopy(network.state_dict())
            row = {"loss": mean_loss, error_name: error, "learning_rate": float(schedule.get_last_lr()[0])}
            recorder.metrics(epoch + 1, row)
            history.append({"epoch": epoch + 1, **row})
            progress.set_postfix(loss=f"{mean_loss:.4g}", error=f"{error:.3g}")
            checkpoints.save(
                epoch + 1,
                {
                    "network": network.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "history": history,
                    "best": best,
                    "best_weights": best_weights,
                },
            )
    network.load_state_dict(best_weights)
    network.eval()
    return history


def _learning_rate_factor(step: int, total: int) -> float:
    rise = max(1, round(total * WARMUP))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))
