"""Trains FP-GAN between the prepared eye sets."""

import sys
from contextlib import AbstractContextManager, suppress

import numpy as np

from fpgan.data.eye_set import load_eyes
from fpgan.data.eyes import Eyes
from fpgan.data.splits import split_real, split_synthetic
from fpgan.domains import Direction, TrainedOn
from fpgan.errors import InputError, Interrupted
from fpgan.evaluation.watching import Watch
from fpgan.layout import ADAPTED, PREPARED_REAL, Trial
from fpgan.networks.discriminator import patch_size
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.weights import load_network, save_network
from fpgan.params import Params
from fpgan.runs.stage import Stage, run_stage
from fpgan.training.distributed import Processes, join, launch, must_launch
from fpgan.training.gan import TASK_METRIC, TrainingEyes, train_gan
from fpgan.training.gan_networks import FeatureNetworks, build_networks, generator_arguments
from fpgan.training.loop import History
from fpgan.training.precision import choose_precision
from fpgan.training.recorder import Silent


def train_gan_stage(params: Params, trial: Trial) -> str:
    """Trains both generators; returns what it wrote, in words.

    Of several processes that train together only the leading one logs and writes; the others return ''.
    """
    check_compute(params)
    if must_launch(params.compute):
        launch(params.compute)
        return ""
    with join(params.compute) as processes:
        if not processes.leads:
            # What ends a training early ends it in all processes; the leading one tells, and takes its time.
            with suppress(FloatingPointError, Interrupted):
                train(params, trial, processes, stage=None)
            return ""
        with open_stage(params, trial) as stage:
            scores = train(params, trial, processes, stage)
            drifts: dict[str, float] = {
                direction: scores[f"{direction}/gaze_drift_degrees"] for direction in Direction
            }
            return stage.conclude(
                f"drift {drifts['s2r']:.1f}° {drifts['r2s']:.1f}°",
                f"{trial.generator(Direction.S2R).parent}: after {scores['step']:.0f} steps gaze drifts by "
                f"{drifts['s2r']:.1f} (s2r) and {drifts['r2s']:.1f} (r2s) degrees",
            )


def open_stage(params: Params, trial: Trial) -> AbstractContextManager[Stage]:
    """The stage, with its inputs and what it depends on."""
    section = params.train_gan
    return run_stage(
        "train-gan",
        params,
        sections={"train_gan": section, "split": params.split},
        inputs={
            "synthetic": ADAPTED,
            "real": PREPARED_REAL,
            "gaze_net": trial.gaze_net(TrainedOn.ADAPTED),
            "landmark_net": trial.landmark_net,
        },
        output=trial.generator(Direction.S2R).parent,
        description=f"FP-GAN, {section.steps} steps of {section.batch_size} pairs.",
        belongs_to=trial,
    )


def train(params: Params, trial: Trial, processes: Processes, stage: Stage | None) -> dict[str, float]:
    """Loads eyes and networks, trains, and writes generators, history and scores where there is a stage.

    Returns the scores of the generators that were kept.
    """
    section = params.train_gan
    synthetic, real = load_both()
    split_s = split_synthetic(len(synthetic), params.split)
    split_r = split_real(real.person, params.split)
    training_real = np.arange(len(real)) if section.real_eyes == "all_persons" else split_r.training
    features = FeatureNetworks(
        load_network(trial.gaze_net(TrainedOn.ADAPTED), GazeNet),
        load_network(trial.landmark_net, LandmarkNet),
    ).to(processes.device)
    precision = choose_precision(section.precision, processes.device)
    networks = build_networks(section, channels=real.channels, seed=trial.seed)
    if stage:
        stage.run.tag("precision", precision)
        stage.run.tag("processes", str(processes.count))
        weights = sum(weight.numel() for weight in networks.G.parameters())
        print(
            f"{len(split_s.training)} synthetic and {len(training_real)} real eyes; generators of "
            f"{weights / 1e6:.2f} M weights each; discriminators of patches of "
            f"{patch_size(section.discriminator.layers)} pixels; {section.steps} steps "
            f"of {section.batch_size} pairs, {section.steps * section.batch_size / len(training_real):.1f} "
            f"times through the real eyes; {precision} on {processes.count} x {processes.device}"
        )
    # Where nobody validates, training eyes are watched: the scores then say less about new persons.
    watched_real = split_r.validation if len(split_r.validation) else split_r.training
    generators, history = train_gan(
        networks,
        eyes=TrainingEyes(
            synthetic.image[split_s.training],
            real.image[training_real],
            synthetic.landmarks[split_s.training],
        ),
        features=features,
        watch=Watch(
            synthetic.select(split_s.validation),
            real.select(watched_real),
            features,
            picture=stage.run.picture if stage else Silent().picture,
        ),
        params=section,
        seed=trial.seed,
        precision=precision,
        capture=may_capture(params, processes),
        checkpoints=stage.checkpoints if stage else None,
        recorder=stage.run if stage else Silent(),
        processes=processes,
    )
    if not stage:
        return {}
    for direction, generator in zip(Direction, generators, strict=True):
        path = stage.output / trial.generator(direction).name
        save_network(path, generator, generator_arguments(section, real.channels))
    stage.history(history)
    scores = kept_scores(history, section.keep)
    stage.write_scores(scores)
    return scores


def load_both() -> tuple[Eyes, Eyes]:
    """The prepared synthetic and real eyes; raises InputError when their pictures differ in size."""
    synthetic, real = load_eyes(ADAPTED), load_eyes(PREPARED_REAL)
    if synthetic.image.shape[1:] != real.image.shape[1:]:
        raise InputError(
            f"{ADAPTED} holds pictures of {synthetic.image.shape[1:]}, {PREPARED_REAL} of "
            f"{real.image.shape[1:]}; prepare both with the same section 'eyes'"
        )
    return synthetic, real


def kept_scores(history: History, keep: str) -> dict[str, float]:
    """The row of scores of the generators that were kept."""
    if keep == "best" and TASK_METRIC in history[-1]:
        return min(history, key=lambda row: row[TASK_METRIC])
    return history[-1]


def check_compute(params: Params) -> None:
    """Raises InputError when processes cannot share a batch without changing what is learned."""
    count, section = params.compute.devices * params.compute.nodes, params.train_gan
    if section.batch_size % count:
        raise InputError(
            f"train_gan.batch_size: {section.batch_size} pairs cannot be shared equally among {count} "
            "processes (compute.devices x compute.nodes)"
        )
    if count > 1 and "batch" in (section.generator.normalization, section.discriminator.normalization):
        raise InputError(
            "compute.devices: batch normalization would see only each process's share of a batch; use "
            "normalization: instance, or one device"
        )


def may_capture(params: Params, processes: Processes) -> bool:
    """Whether a step is captured as a CUDA graph; warns where that is asked for and cannot be."""
    can = processes.device.type == "cuda" and processes.count == 1
    if params.compute.compile is True and not can:
        print("warning: compute.compile: a CUDA graph needs a single GPU; training without", file=sys.stderr)
    return can and params.compute.compile is not False
