"""The training of the estimators: options, worker processes and resuming."""

import copy
import os
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, draw_eyes
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fpgan.data.eyes import Eyes
from fpgan.params import Augmentation, TrainEstimator, TrainGaze
from fpgan.training.augmentation import Augment
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.distributed import Processes
from fpgan.training.estimator import EstimatorTraining, train_estimator
from fpgan.training.loop import History, run_training
from fpgan.training.recorder import Silent
from fpgan.training.tasks import Task

CPU = torch.device("cpu")
EYES = draw_eyes(40, seed=0)


class Killed(Exception):
    pass


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(HEIGHT * WIDTH, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def gaze_error(network: nn.Module) -> Callable[[Tensor, Eyes], Tensor]:
    return lambda pictures, eyes: functional.mse_loss(network(pictures), torch.from_numpy(eyes.gaze))


def killed_after(
    steps: int | None, loss: Callable[[Tensor, Eyes], Tensor]
) -> Callable[[Tensor, Eyes], Tensor]:
    """The loss, which ends the process after this number of steps."""
    done = 0

    def or_killed(pictures: Tensor, eyes: Eyes) -> Tensor:
        nonlocal done
        if done == steps:
            raise Killed
        done += 1
        return loss(pictures, eyes)

    return or_killed


def task(loss: Callable[[Tensor, Eyes], Tensor], error: Callable[[], float]) -> Task[nn.Module]:
    return Task(lambda network, pictures, eyes: loss(pictures, eyes), lambda network, eyes: error(), "error")


def fit(
    folder: Path,
    params: TrainEstimator,
    *,
    network: nn.Module,
    validation_error: Callable[[], float] = lambda: 1.0,
    loss: Callable[[Tensor, Eyes], Tensor] | None = None,
    augment: Augment | None = None,
    workers: int = 1,
) -> History:
    return train_estimator(
        network,
        task(loss or gaze_error(network), validation_error),
        training=EYES,
        validation=EYES,
        augment=augment or Augment(Augmentation(), seed=0),
        params=params,
        workers=workers,
        checkpoints=Checkpoints(folder),
        recorder=Silent(),
        device=CPU,
    )


def assert_equal_weights(one: nn.Module, other: nn.Module) -> None:
    torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("patience", "errors", "epochs", "best"),
    [
        (2, [5, 4, 4, 6, 1, 1], 4, 2),  # an equal error does not count as lower
        (1, [5, 6, 1, 1, 1, 1], 2, 1),
        (3, [5, 6, 7, 4, 5, 3], 6, 6),
        (None, [5, 6, 7, 8, 9, 9], 6, 1),
    ],
)
def test_training_ends_after_patience_epochs_and_keeps_the_best_epoch(
    tmp_path: Path, patience: int | None, errors: list[float], epochs: int, best: int
) -> None:
    network = small_network()
    weights = []
    script: Iterator[float] = iter(errors)

    def validation_error() -> float:
        weights.append(copy.deepcopy(network.state_dict()))
        return next(script)

    params = TrainGaze(epochs=6, batch_size=16, patience=patience)
    history = fit(tmp_path, params, network=network, validation_error=validation_error)
    assert [row["epoch"] for row in history] == list(range(1, epochs + 1))
    assert [row["error"] for row in history] == errors[:epochs]
    torch.testing.assert_close(network.state_dict(), weights[best - 1], rtol=0, atol=0)
    assert not network.training
    assert not torch.equal(weights[0]["1.weight"], weights[1]["1.weight"])


@pytest.mark.parametrize("killed_at", [4, 8])
def test_a_training_killed_within_an_epoch_ends_like_an_uninterrupted_one(
    tmp_path: Path, killed_at: int
) -> None:
    params = TrainGaze(epochs=4, batch_size=16, learning_rate=0.01)  # three steps per epoch

    def run(folder: str, killed_at: int | None = None) -> tuple[nn.Module, History]:
        network = small_network()

        def validation_error() -> float:
            return float(next(network.parameters()).detach().norm())  # depends on the network only

        loss = killed_after(killed_at, gaze_error(network))
        history = fit(
            tmp_path / folder, params, network=network, loss=loss, validation_error=validation_error
        )
        return network, history

    uninterrupted, history = run("uninterrupted")
    with pytest.raises(Killed):
        run("killed", killed_at)
    resumed, resumed_history = run("killed")
    assert resumed_history == history
    assert_equal_weights(resumed, uninterrupted)


def test_a_checkpoint_within_an_epoch_loses_no_step_of_it(tmp_path: Path) -> None:
    params = TrainGaze(epochs=3, batch_size=8, learning_rate=0.01)  # five steps per epoch

    def run(folder: str, killed_at: int | None = None) -> tuple[nn.Module, History]:
        network = small_network()
        loss, augment = killed_after(killed_at, gaze_error(network)), Augment(Augmentation(), seed=0)
        training = EstimatorTraining(
            network, task(loss, lambda: 1.0), EYES, EYES, augment, params, workers=1, device=CPU
        )
        history = run_training(
            training,
            steps=training.steps,
            steps_per_tick=training.steps_per_epoch,
            tick="epoch",
            checkpoint_every=4,
            batch_size=8,
            batch_of="eyes",
            checkpoints=Checkpoints(tmp_path / folder),
            recorder=Silent(),
            processes=Processes(CPU),
        )
        return network, history

    uninterrupted, history = run("uninterrupted")
    with pytest.raises(Killed):
        run("killed", killed_at=9)
    state = Checkpoints(tmp_path / "killed").latest()
    assert state is not None
    assert state["step"] == 8
    resumed, resumed_history = run("killed")
    assert resumed_history == history
    assert_equal_weights(resumed, uninterrupted)


@dataclass(frozen=True)
class Signed(Augment):
    """Writes a file named after each process that augments."""

    folder: Path

    def __call__(
        self,
        images: NDArray[np.uint8],
        landmarks: NDArray[np.float32],
        rows: NDArray[np.integer],
        epoch: int,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        (self.folder / str(os.getpid())).touch()
        return super().__call__(images, landmarks, rows, epoch)


def test_eyes_augmented_by_two_processes_train_the_same_network(tmp_path: Path) -> None:
    params = TrainGaze(epochs=60, batch_size=8, learning_rate=0.01)

    def run(workers: int) -> tuple[nn.Module, int]:
        network, signed = small_network(), tmp_path / f"{workers}"
        signed.mkdir()
        by_gaze = gaze_error(network)

        def loss(pictures: Tensor, eyes: Eyes) -> Tensor:
            if len(list(signed.iterdir())) < workers:
                time.sleep(0.3)  # otherwise this process would finish before the other has started
            return by_gaze(pictures, eyes)

        augment = Signed(Augmentation(), 0, signed)
        fit(tmp_path / f"run-{workers}", params, network=network, loss=loss, augment=augment, workers=workers)
        return network, len(list(signed.iterdir()))

    (one, alone), (other, together) = run(1), run(2)
    assert (alone, together) == (1, 2)
    assert_equal_weights(other, one)


def test_an_augmentation_sent_to_another_process_is_the_same() -> None:
    augment = Augment(Augmentation(shift=0.1, noise=0.1), seed=3)
    sent: Augment = pickle.loads(pickle.dumps(augment))
    rows = np.arange(6)
    for found, expected in zip(
        sent(EYES.image[:6], EYES.landmarks[:6], rows, 2),
        augment(EYES.image[:6], EYES.landmarks[:6], rows, 2),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)
