"""Trains FP-GAN between the prepared eye sets."""

import sys
from contextlib import AbstractContextManager, suppress

import numpy as np

from fpgan.data.eye_set import load_eyes
from fpgan.data.eyes import Eyes
from fpgan.data.splits import split_real, split_synthetic
from fpgan.domains import Direction
from fpgan.errors import InputError, Interrupted
from fpgan.evaluation.watching import WATCHED_FEATURES, Watch
from fpgan.layout import ADAPTED, PREPARED_REAL, Trial
from fpgan.networks.discriminator import patch_size
from fpgan.networks.frozen import frozen
from fpgan.networks.weights import load_network, save_network
from fpgan.params import GANWeights, Params
from fpgan.runs.stage import Stage, run_stage
from fpgan.training.distributed import Processes, join, launch, must_launch
from fpgan.training.gan import TrainingEyes, kept_scores, train_gan
from fpgan.training.objective import FROZEN_FEATURES, FrozenFeature, build_networks, generator_arguments
from fpgan.training.precision import choose_precision
from fpgan.training.recorder import Silent


def train_gan_stage(params: Params, trial: Trial) -> str:
    """Trains both generators; returns a sentence about the files written.

    When several processes train together, only the leading one logs and writes. The others return ''.
    """
    check_compute(params)
    if must_launch(params.compute):
        launch(params.compute)
        return ""
    with join(params.compute) as processes:
        if not processes.leads:
            # An early end reaches all processes. Only the leading one reports it.
            with suppress(FloatingPointError, Interrupted):
                train(params, trial, processes, stage=None)
            return ""
        with open_stage(params, trial) as stage:
            scores = train(params, trial, processes, stage)
            s2r, r2s = (scores[f"{direction}/gaze_drift_degrees"] for direction in Direction)
            return stage.conclude(
                f"drift {s2r:.1f}° {r2s:.1f}°",
                f"{trial.generator(Direction.S2R).parent}: after {scores['step']:.0f} steps gaze drifts by "
                f"{s2r:.1f} (s2r) and {r2s:.1f} (r2s) degrees",
            )


def open_stage(params: Params, trial: Trial) -> AbstractContextManager[Stage]:
    """The stage, with the inputs and parameters it depends on."""
    section = params.train_gan
    features = needed_features(section.weights).values()
    return run_stage(
        "train-gan",
        params,
        sections={"train_gan": section, "split": params.split},
        inputs={
            "synthetic": ADAPTED,
            "real": PREPARED_REAL,
            **{feature.input_name: feature.file(trial) for feature in features},
        },
        output=trial.generator(Direction.S2R).parent,
        description=f"FP-GAN, {section.steps} steps of {section.batch_size} pairs.",
        belongs_to=trial,
    )


def needed_features(weights: GANWeights) -> dict[str, FrozenFeature]:
    """The frozen features that are watched, or whose loss has a weight."""
    return {
        name: feature
        for name, feature in FROZEN_FEATURES.items()
        if name in WATCHED_FEATURES or getattr(weights, name)
    }


def train(params: Params, trial: Trial, processes: Processes, stage: Stage | None) -> dict[str, float]:
    """Loads eyes and networks and trains; with a stage, writes generators, history and scores.

    Returns the scores of the kept generators, without a stage an empty dict.
    """
    section = params.train_gan
    synthetic, real = load_both()
    split_s = split_synthetic(len(synthetic), params.split)
    split_r = split_real(real.person, params.split)
    training_real = np.arange(len(real)) if section.real_eyes == "all_persons" else split_r.training
    features = {
        name: frozen(load_network(feature.file(trial), feature.kind)).to(processes.device)
        for name, feature in needed_features(section.weights).items()
    }
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
    # Without validation persons, training eyes are watched: the scores then say less about new persons.
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


def check_compute(params: Params) -> None:
    """Raises InputError when sharing a batch among processes would change the result of the training."""
    count, section = params.compute.devices * params.compute.nodes, params.train_gan
    if section.batch_size % count:
        raise InputError(
            f"train_gan.batch_size: {section.batch_size} pairs cannot be shared equally among {count} "
            "processes (compute.devices x compute.nodes)"
        )
    if count > 1 and "batch" in (section.generator.normalization, section.discriminator.normalization):
        raise InputError(
            "compute.devices: batch normalization would use only each process's share of a batch; use "
            "normalization: instance, or one device"
        )


def may_capture(params: Params, processes: Processes) -> bool:
    """Whether a step is captured as a CUDA graph; warns when that is requested but impossible."""
    can = processes.device.type == "cuda" and processes.count == 1
    if params.compute.compile is True and not can:
        print(
            "warning: compute.compile: a CUDA graph needs a single GPU; training without one", file=sys.stderr
        )
    return can and params.compute.compile is not False
