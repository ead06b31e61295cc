"""Trains the estimators of gaze and of landmarks: AdamW, one cycle of the learning rate, and the weights of
the epoch with the least validation error."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fpgan.data.eyes import Eyes
from fpgan.data.pictures import pictures_to_input
from fpgan.parallel import map_in_order
from fpgan.training.augmentation import Augment
from fpgan.training.batches import batch_rows
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.distributed import Processes
from fpgan.training.loop import History, run_training
from fpgan.training.recorder import Recorder
from fpgan.training.schedule import one_cycle, set_learning_rate
from fpgan.training.tasks import Task

if TYPE_CHECKING:
    from fpgan.params import TrainEstimator

Network = TypeVar("Network", bound=nn.Module)


class Chosen(NamedTuple):
    """A batch before its augmentation."""

    eyes: Eyes
    rows: NDArray[np.int64]
    epoch: int


def augmented(augment: Augment, chosen: Chosen) -> Eyes:
    """The eyes of a batch with augmented pictures and landmarks."""
    eyes, rows, epoch = chosen
    images, landmarks = augment(eyes.image, eyes.landmarks, rows, epoch)
    return Eyes(images, eyes.gaze, eyes.head, landmarks, eyes.person)


def train_estimator(
    network: Network,
    task: Task[Network],
    *,
    training: Eyes,  # with labels
    validation: Eyes,  # with labels
    augment: Augment,
    params: TrainEstimator,
    workers: int,  # processes that augment
    checkpoints: Checkpoints,
    recorder: Recorder,
    device: torch.device,
) -> History:
    """Trains the network in place, sets it to its best epoch, and returns one row of scores per epoch.

    Writes a checkpoint after every epoch, and resumes from the newest one. Ends early when the error has not
    fallen for `params.patience` epochs. Raises FloatingPointError and Interrupted like `run_training`.
    """
    state = EstimatorTraining(
        network.to(device), task, training, validation, augment, params, workers, device
    )
    history = run_training(
        state,
        steps=state.steps,
        steps_per_tick=state.steps_per_epoch,
        tick="epoch",
        checkpoint_every=state.steps_per_epoch,
        batch_size=params.batch_size,
        batch_of="eyes",
        checkpoints=checkpoints,
        recorder=recorder,
        processes=Processes(device),
    )
    network.load_state_dict(state.best)
    network.eval()
    return history


class EstimatorTraining:
    """The state and the step of an estimator's training: a `training.loop.Training`."""

    def __init__(
        self,
        network: Network,
        task: Task[Network],
        training: Eyes,
        validation: Eyes,
        augment: Augment,
        params: TrainEstimator,
        workers: int,
        device: torch.device,
    ) -> None:
        self.network, self.eyes, self.validation = network.train(), training, validation
        self.task: Task[Any] = task
        self.augment, self.params, self.workers, self.device = augment, params, workers, device
        self.steps_per_epoch = math.ceil(len(training) / params.batch_size)
        self.steps = self.steps_per_epoch * params.epochs_for(len(training))
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=params.learning_rate, weight_decay=1e-4, fused=True
        )
        self.best_error = math.inf
        self.best: dict[str, Any] = network.state_dict()
        self.batches: Iterator[Eyes] | None = None

    def step(self, step: int) -> dict[str, Tensor]:
        if self.batches is None:
            self.batches = self._augmented_from(step)
        batch = next(self.batches)
        set_learning_rate(self.optimizer, self.learning_rate(step))
        pictures = pictures_to_input(batch.image).to(self.device)
        loss = self.task.loss(self.network, pictures, batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.detach()}

    def _augmented_from(self, first: int) -> Iterator[Eyes]:
        chosen = (self._chosen(step) for step in range(first, self.steps))
        return map_in_order(partial(augmented, self.augment), chosen, self.workers)

    def _chosen(self, step: int) -> Chosen:
        rows = batch_rows(step, self.params.batch_size, len(self.eyes), self.augment.seed)
        return Chosen(self.eyes.select(rows), rows, step // self.steps_per_epoch)

    def learning_rate(self, step: int) -> float:
        """The learning rate of batch `step`, counted from 0."""
        return self.params.learning_rate * one_cycle(step, self.steps)

    def watch(self, number: int) -> dict[str, float]:
        if number == 0:
            return {}
        error = self.task.error(self.network, self.validation)
        if error < self.best_error:
            self.best_error, self.best = error, copy.deepcopy(self.network.state_dict())
        rate = self.learning_rate(number * self.steps_per_epoch - 1)
        return {self.task.error_name: error, "learning_rate": rate}

    def collapses(self, row: dict[str, float]) -> dict[str, str]:
        return {}

    def ended_early(self, history: History) -> bool:
        patience = self.params.patience
        if patience is None or len(history) <= patience:
            return False
        errors = [row[self.task.error_name] for row in history]
        return min(errors[-patience:]) >= min(errors[:-patience])

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best_error": self.best_error,
            "best": self.best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best_error, self.best = state["best_error"], state["best"]
