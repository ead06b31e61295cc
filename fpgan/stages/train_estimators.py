"""Trains the estimators: gaze on one of four eye sets, landmarks on synthetic eyes."""

from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from fpgan.data.eye_set import load_eyes
from fpgan.data.eyes import Eyes
from fpgan.data.splits import split_real, split_synthetic
from fpgan.device import default_device
from fpgan.domains import Direction, TrainedOn
from fpgan.errors import InputError
from fpgan.evaluation.estimates import gaze_estimates
from fpgan.layout import ADAPTED, PREPARED_REAL, PREPARED_SYNTHETIC, Trial
from fpgan.networks.eye_network import EyeNetwork
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet, landmark_distance
from fpgan.networks.inference import find_landmarks
from fpgan.networks.weights import save_absence, save_network
from fpgan.parallel import available_cpus
from fpgan.params import Params, TrainEstimator
from fpgan.runs.stage import Stage, run_stage
from fpgan.training.augmentation import Augment
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.estimator import train_estimator
from fpgan.training.loop import History
from fpgan.training.recorder import Recorder
from fpgan.training.tasks import GAZE, LANDMARKS, Task

# Processes take seconds to start; a training of fewer eyes than this would end before they help.
WORTH_WORKERS = 50_000

Network = TypeVar("Network", bound=EyeNetwork)


class Fitted(NamedTuple, Generic[Network]):
    """A trained estimator."""

    network: Network
    arguments: dict[str, Any]
    """Of the network's class."""
    history: History

    def write(self, stage: Stage, file_name: str, scores: dict[str, float]) -> None:
        """Writes the network, its history and its scores into the stage's folders."""
        save_network(stage.output / file_name, self.network, self.arguments)
        stage.history(self.history)
        stage.score(scores)


def train_gaze_stage(params: Params, trial: Trial, trained_on: TrainedOn) -> str:
    """Trains a gaze estimator; returns a sentence about the files written.

    When too few real eyes have gaze labels, the model file holds the reason instead of a network.
    """
    source = {
        TrainedOn.SYNTHETIC: PREPARED_SYNTHETIC,
        TrainedOn.ADAPTED: ADAPTED,
        TrainedOn.TRANSLATED: trial.translated(Direction.S2R),
        TrainedOn.REAL: PREPARED_REAL,
    }[trained_on]
    output = trial.gaze_net(trained_on)
    with run_stage(
        f"train-gaze-{trained_on}",
        params,
        sections={"train_gaze": params.train_gaze, "split": params.split},
        inputs={"eyes": source},
        output=output.parent,
        description=f"GazeNet trained on {trained_on} eyes.",
        belongs_to=trial,
    ) as stage:
        eyes = load_eyes(source)
        if trained_on is TrainedOn.REAL:
            split = split_real(eyes.person, params.split)
        else:
            split = split_synthetic(len(eyes), params.split)
        training, validation, test = (labelled(eyes, rows) for rows in split)
        if trained_on is TrainedOn.REAL and len(training) < params.train_gaze.batch_size:
            reason = f"{len(training)} eyes of real training persons have gaze labels"
            save_absence(stage.output / output.name, reason)
            stage.history([{"epoch": 0, GAZE.error_name: np.nan}])  # DVC cannot plot an empty table
            stage.score({"training_eyes": len(training)})
            return stage.conclude("none", f"{output}: no estimator is trained on real eyes: {reason}")
        if not len(validation):
            training, validation = set_aside(training)
        check_enough(len(training), params.train_gaze.batch_size, source)
        fitted = fit_gaze_net(
            params, training, validation, seed=trial.seed, checkpoints=stage.checkpoints, recorder=stage.run
        )
        scores = {
            "training_eyes": len(training),
            "validation_eyes": len(validation),
            "validation_error_degrees": gaze_estimates([fitted.network], validation).mean,
        }
        # Test eyes of the set that it is trained on; the evaluation tests it on others.
        if len(test):
            scores["test_error_degrees"] = gaze_estimates([fitted.network], test).mean
        fitted.write(stage, output.name, scores)
        errors = ", ".join(
            f"{key.replace('_', ' ')} {scores[key]:.2f}" for key in scores if key.endswith("degrees")
        )
        return stage.conclude(f"{scores['validation_error_degrees']:.2f}°", f"{output}: {errors}")


def train_landmarks_stage(params: Params, trial: Trial) -> str:
    """Trains the landmark network on synthetic eyes; returns a sentence about the files written."""
    section, output = params.train_landmarks, trial.landmark_net
    with run_stage(
        "train-landmarks",
        params,
        sections={"train_landmarks": section, "split": params.split},
        inputs={"eyes": PREPARED_SYNTHETIC},
        output=output.parent,
        description="Stacked hourglass for landmarks, trained on synthetic eyes.",
        belongs_to=trial,
    ) as stage:
        eyes = load_eyes(PREPARED_SYNTHETIC)
        training, validation, test = (
            eyes.select(rows[eyes.has_landmarks[rows]]) for rows in split_synthetic(len(eyes), params.split)
        )
        check_enough(len(training), section.batch_size, PREPARED_SYNTHETIC)
        fitted = fit(
            LandmarkNet,
            {"channels": eyes.channels, "modules": section.modules, "features": section.features},
            LANDMARKS,
            training,
            validation,
            section=section,
            workers=params.compute.workers,
            seed=trial.seed,
            checkpoints=stage.checkpoints,
            recorder=stage.run,
        )
        distance = landmark_distance(find_landmarks(fitted.network, test.image), test.landmarks)
        scores = {"training_eyes": len(training), "test_error_pixels": float(distance.mean())}
        fitted.write(stage, output.name, scores)
        pixels = f"{scores['test_error_pixels']:.2f}"
        return stage.conclude(f"{pixels} px", f"{output}: test error {pixels} pixels")


def fit_gaze_net(
    params: Params,
    training: Eyes,
    validation: Eyes,
    *,
    seed: int,
    checkpoints: Checkpoints,
    recorder: Recorder,
) -> Fitted[GazeNet]:
    """A gaze estimator trained on eyes with gaze labels."""
    height, width = training.image.shape[1:3]
    return fit(
        GazeNet,
        {
            "channels": training.channels,
            "height": height,
            "width": width,
            "network": params.train_gaze.network,
        },
        GAZE,
        training,
        validation,
        section=params.train_gaze,
        workers=params.compute.workers,
        seed=seed,
        checkpoints=checkpoints,
        recorder=recorder,
    )


def fit(
    kind: type[Network],
    arguments: dict[str, Any],
    task: Task[Network],
    training: Eyes,
    validation: Eyes,
    *,
    section: TrainEstimator,
    workers: int | None,  # augmenting processes; None: as many as are worth it
    seed: int,
    checkpoints: Checkpoints,
    recorder: Recorder,
) -> Fitted[Network]:
    """A network of a kind, built with the arguments and trained on labelled eyes."""
    torch.manual_seed(seed)
    network = kind(**arguments)
    history = train_estimator(
        network,
        task,
        training=training,
        validation=validation,
        augment=Augment(section.augmentation, seed),
        params=section,
        workers=workers or augmenting_processes(section, len(training)),
        checkpoints=checkpoints,
        recorder=recorder,
        device=default_device(),
    )
    return Fitted(network, arguments, history)


def labelled(eyes: Eyes, rows: NDArray[np.int64]) -> Eyes:
    """The eyes of these rows whose gaze is known."""
    return eyes.select(rows[eyes.has_gaze[rows]])


def set_aside(training: Eyes) -> tuple[Eyes, Eyes]:
    """Training eyes, and every tenth of them for validation, for sets without labelled validation persons."""
    aside = np.arange(len(training)) % 10 == 0
    return training.select(~aside), training.select(aside)


def check_enough(count: int, batch_size: int, source: Path) -> None:
    """Raises InputError when there are fewer labelled training eyes than one batch needs."""
    if count < batch_size:
        raise InputError(
            f"{source}: {count} labelled training eyes are fewer than one batch of {batch_size}; "
            "lower batch_size or bring more eyes"
        )


def augmenting_processes(section: TrainEstimator, eyes: int) -> int:
    """One process per CPU if the training is long enough for them to help, otherwise one."""
    return available_cpus() if eyes * section.epochs_for(eyes) >= WORTH_WORKERS else 1
