"""Trains the feature networks: gaze on one of three eye sets, landmarks on synthetic eyes."""

from pathlib import Path
from typing import Any

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
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet, landmark_distance
from fpgan.networks.inference import find_landmarks
from fpgan.networks.weights import save_absence, save_network
from fpgan.parallel import available_cpus
from fpgan.params import Params, TrainEstimator
from fpgan.runs.stage import run_stage
from fpgan.training.augmentation import Augment
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.gaze import train_gaze
from fpgan.training.landmarks import train_landmarks
from fpgan.training.loop import History
from fpgan.training.recorder import Recorder

# Starting the processes costs some seconds; fewer eyes than these are augmented before they are ready.
WORTH_WORKERS = 50_000


def train_gaze_stage(params: Params, trial: Trial, trained_on: TrainedOn) -> str:
    """Trains a gaze estimator; returns what it wrote, in words.

    Real eyes without gaze labels give a model file that says why it is empty.
    """
    sources = {
        TrainedOn.SYNTHETIC: PREPARED_SYNTHETIC,
        TrainedOn.ADAPTED: ADAPTED,
        TrainedOn.TRANSLATED: trial.translated(Direction.S2R),
        TrainedOn.REAL: PREPARED_REAL,
    }
    source, output = sources[trained_on], trial.gaze_net(trained_on)
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
        if trained_on == "real":
            split = split_real(eyes.person, params.split)
        else:
            split = split_synthetic(len(eyes), params.split)
        training, validation, test = (labelled(eyes, rows) for rows in split)
        if trained_on == "real" and len(training) < params.train_gaze.batch_size:
            reason = f"{len(training)} eyes of real training persons have gaze labels"
            save_absence(stage.output / output.name, reason)
            stage.history([{"epoch": 0, "validation_gaze_error_degrees": np.nan}])  # DVC plots no empty table
            stage.score({"training_eyes": len(training)})
            return stage.conclude("none", f"{output}: no estimator is trained on real eyes: {reason}")
        if not len(validation):
            training, validation = set_aside(training)
        check_enough(len(training), params.train_gaze.batch_size, source)
        network, arguments, history = fit_gaze_net(
            params, training, validation, seed=trial.seed, checkpoints=stage.checkpoints, recorder=stage.run
        )
        scores = {
            "training_eyes": len(training),
            "validation_eyes": len(validation),
            "validation_error_degrees": gaze_estimates([network], validation).mean,
        }
        # The test eyes of the estimator's own kind; other kinds are the evaluation's business.
        if len(test):
            scores["test_error_degrees"] = gaze_estimates([network], test).mean
        save_network(stage.output / output.name, network, arguments)
        stage.history(history)
        stage.score(scores)
        errors = ", ".join(
            f"{key.replace('_', ' ')} {scores[key]:.2f}" for key in scores if key.endswith("degrees")
        )
        return stage.conclude(f"{scores['validation_error_degrees']:.2f}°", f"{output}: {errors}")


def fit_gaze_net(
    params: Params,
    training: Eyes,
    validation: Eyes,
    *,
    seed: int,
    checkpoints: Checkpoints,
    recorder: Recorder,
) -> tuple[GazeNet, dict[str, Any], History]:
    """A gaze estimator trained on labelled eyes, what its class was built with, and its history."""
    torch.manual_seed(seed)
    height, width = training.image.shape[1:3]
    arguments = {
        "channels": training.channels,
        "height": height,
        "width": width,
        "network": params.train_gaze.network,
    }
    network = GazeNet(**arguments)
    section = params.train_gaze
    history = train_gaze(
        network,
        training=training,
        validation=validation,
        augment=Augment(section.augmentation, seed),
        params=section,
        workers=augmenting_processes(params, section, len(training)),
        checkpoints=checkpoints,
        recorder=recorder,
        device=default_device(),
    )
    return network, arguments, history


def train_landmarks_stage(params: Params, trial: Trial) -> str:
    """Trains the landmark network on synthetic eyes; returns what it wrote, in words."""
    output = trial.landmark_net
    with run_stage(
        "train-landmarks",
        params,
        sections={"train_landmarks": params.train_landmarks, "split": params.split},
        inputs={"eyes": PREPARED_SYNTHETIC},
        output=output.parent,
        description="Stacked hourglass for landmarks, trained on synthetic eyes.",
        belongs_to=trial,
    ) as stage:
        eyes = load_eyes(PREPARED_SYNTHETIC)
        training, validation, test = (
            eyes.select(rows[eyes.has_landmarks[rows]]) for rows in split_synthetic(len(eyes), params.split)
        )
        check_enough(len(training), params.train_landmarks.batch_size, PREPARED_SYNTHETIC)
        torch.manual_seed(trial.seed)
        arguments = {
            "channels": eyes.channels,
            "modules": params.train_landmarks.modules,
            "features": params.train_landmarks.features,
        }
        network = LandmarkNet(**arguments)
        section = params.train_landmarks
        history = train_landmarks(
            network,
            training=training,
            validation=validation,
            augment=Augment(section.augmentation, trial.seed),
            params=section,
            workers=augmenting_processes(params, section, len(training)),
            checkpoints=stage.checkpoints,
            recorder=stage.run,
            device=default_device(),
        )
        distance = landmark_distance(find_landmarks(network, test.image), test.landmarks)
        scores = {"training_eyes": len(training), "test_error_pixels": float(distance.mean())}
        save_network(stage.output / output.name, network, arguments)
        stage.history(history)
        stage.score(scores)
        pixels = f"{scores['test_error_pixels']:.2f}"
        return stage.conclude(f"{pixels} px", f"{output}: test error {pixels} pixels")


def labelled(eyes: Eyes, rows: NDArray[np.int64]) -> Eyes:
    """Those of the rows whose gaze is known."""
    return eyes.select(rows[eyes.has_gaze[rows]])


def set_aside(training: Eyes) -> tuple[Eyes, Eyes]:
    """Every tenth training eye for validation, where no validation person has labels."""
    aside = np.arange(len(training)) % 10 == 0
    return training.select(~aside), training.select(aside)


def check_enough(count: int, batch_size: int, source: Path) -> None:
    """Raises InputError when there are fewer labelled training eyes than make one batch."""
    if count < batch_size:
        raise InputError(
            f"{source}: {count} labelled training eyes are fewer than one batch of {batch_size}; "
            "lower batch_size or bring more eyes"
        )


def augmenting_processes(params: Params, section: TrainEstimator, eyes: int) -> int:
    """How many processes augment: as params say, else one a CPU where there is much to do."""
    if params.compute.workers is not None:
        return params.compute.workers
    return available_cpus() if eyes * section.epochs_for(eyes) >= WORTH_WORKERS else 1
