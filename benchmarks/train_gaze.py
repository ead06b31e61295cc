"""Measures whether augmentation slows the training of a gaze estimator.

    python benchmarks/train_gaze.py
    python benchmarks/train_gaze.py --network simgan --batch-size 512 --workers 16

Trains on the same batches without augmentation, with augmentation in the training process, and with
augmentation in `--workers` processes (including this one), in turns. Prints eyes per second (median of the
rounds), and their ratio to the rate without augmentation: near 1, augmentation does not slow the training.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from numpy.typing import NDArray

from fpgan.data.eyes import LANDMARKS, Eyes
from fpgan.device import default_device
from fpgan.networks.gazenet import GAZE_ESTIMATORS, GazeNet
from fpgan.parallel import available_cpus
from fpgan.params import Augmentation, TrainGaze
from fpgan.training.augmentation import Augment
from fpgan.training.estimator import EstimatorTraining
from fpgan.training.tasks import GAZE

EYES = 4096
HEIGHT, WIDTH = 36, 60


class Unchanged(Augment):
    """An augmentation that costs nothing."""

    def __call__(
        self,
        images: NDArray[np.uint8],
        landmarks: NDArray[np.float32],
        rows: NDArray[np.integer],
        epoch: int,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        return images, landmarks


def make_training(augment: Augment, workers: int, arguments: argparse.Namespace) -> EstimatorTraining:
    noise = np.random.default_rng(0)
    eyes = Eyes(
        noise.integers(0, 256, (EYES, HEIGHT, WIDTH), dtype=np.uint8),
        noise.normal(0, 0.2, (EYES, 2)).astype(np.float32),
        np.zeros((EYES, 2), np.float32),
        np.full((EYES, LANDMARKS, 2), np.nan, np.float32),
        np.array(["p00"] * EYES),
    )
    network = GazeNet(network=arguments.network).to(default_device())
    params = TrainGaze(network=arguments.network, epochs=1000, batch_size=arguments.batch_size)
    return EstimatorTraining(
        network,
        GAZE,
        eyes,
        eyes,
        augment,
        params,
        workers,
        default_device(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--network", default="residual", choices=list(GAZE_ESTIMATORS))
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=available_cpus())
    parser.add_argument(
        "--steps",
        type=int,
        default=150,
        help="steps per turn; many, as workers prepare some batches in advance",
    )
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    augment = Augment(Augmentation(), seed=0)
    trainings = {
        "no augmentation": make_training(Unchanged(Augmentation(), seed=0), 1, arguments),
        "1 process": make_training(augment, 1, arguments),
        f"{arguments.workers} processes": make_training(augment, arguments.workers, arguments),
    }
    rates: dict[str, list[float]] = {name: [] for name in trainings}
    for turn in range(arguments.rounds + 1):  # in the first, which is not counted, workers start
        for name, training in trainings.items():
            started = time.perf_counter()
            for step in range(turn * arguments.steps, (turn + 1) * arguments.steps):
                loss = training.step(step)["loss"]
            loss.item()
            if turn:
                rates[name].append(arguments.steps * arguments.batch_size / (time.perf_counter() - started))
    machine = f"{default_device()}, {torch.get_num_threads()} threads"
    print(f"{arguments.network}, batches of {arguments.batch_size}, {machine}")
    free = rates["no augmentation"]
    for name, measured in rates.items():
        shares = [rate / at_best for rate, at_best in zip(measured, free, strict=True)]
        print(
            f"{name:16s} {statistics.median(measured):9.0f} eyes/s  {statistics.median(shares):.2f} "
            f"({min(shares):.2f}-{max(shares):.2f})"
        )


if __name__ == "__main__":
    main()
