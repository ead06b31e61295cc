"""Adaptive data generation: makes the synthetic eyes that everything after it is trained on."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fpgan.adaptation import (
    Labels,
    choose_rows,
    draw_labels,
    estimate_labels,
    known_labels,
    label_distance,
    simulator_settings,
)
from fpgan.datasets.prepare import prepare
from fpgan.eyes import Eyes, load_eyes, save_eyes
from fpgan.figures.gaze import label_figure
from fpgan.layout import ADAPTED, PREPARED_REAL, PREPARED_SYNTHETIC, SAMPLE, Branch, Trial
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.store import load_network
from fpgan.params import Params
from fpgan.sample.unityeyes import write_unityeyes
from fpgan.splits import split_real, split_synthetic
from fpgan.stages.stage import Stage, run_stage
from fpgan.stages.train_estimators import check_enough, fit_gaze_net, labelled
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.distributed import default_device
from fpgan.training.loop import History
from fpgan.training.recorder import Silent

DRAWN_TO_CHOOSE = 2  # labels wanted for each synthetic eye there is to choose from: more than will be met


def adapt_stage(params: Params, through: Path | None) -> str:
    """Writes synthetic eyes that look where real training persons' eyes do; returns what it did, in words.

    `through` is a generator F: R -> S, through which the real eyes are seen. Gaze labels of real eyes, where
    there are any, only tell how well it went.
    """
    gaze_net = Trial(Branch(), params.seeds[0]).gaze_net("synthetic")
    inputs = {"synthetic": PREPARED_SYNTHETIC, "real": PREPARED_REAL, "gaze_net": gaze_net}
    with run_stage(
        "adapt",
        params,
        sections={
            "adapt": params.adapt,
            "split": params.split,
            "train_gaze": params.train_gaze,
            "prepare_unityeyes": params.prepare_unityeyes,
        },
        inputs=inputs | ({"generator": through} if through else {}),
        output=ADAPTED.parent,
        description="Synthetic eyes that look where the real ones do (adaptive data generation).",
    ) as stage:
        synthetic, real = load_eyes(PREPARED_SYNTHETIC), load_eyes(PREPARED_REAL)
        real = real.select(split_real(real.person, params.split).training)
        generator = load_network(through, Generator).to(default_device()) if through else None
        network = load_network(gaze_net, GazeNet).to(default_device())
        adapted, estimated, rounds = adapt(params, stage, synthetic, real, network, generator)
        save_eyes(stage.output / ADAPTED.name, adapted, equalized=True)
        stage.history(rounds)
        labels = {
            "real, true": known_labels(real),
            "real, estimated": estimated,
            "synthetic, before": known_labels(synthetic),
            "synthetic, after": known_labels(adapted),
        }
        label_figure(labels).savefig(stage.results / "labels.png")
        settings = simulator_settings(estimated)
        scores = {
            "eyes": len(adapted),
            "distance_degrees": distances(labels),
            "unityeyes_settings": settings._asdict() if settings else {},
        }
        stage.score(scores)
    return f"{ADAPTED}: {in_words(scores)}"


def adapt(
    params: Params,
    stage: Stage,
    synthetic: Eyes,
    real: Eyes,  # of the training persons
    gaze_net: GazeNet,  # trained on the synthetic eyes
    generator: Generator | None,
) -> tuple[Eyes, Labels, History]:
    """The adapted eyes, the real eyes' labels as they were estimated last, and a row of distances a round."""
    head_net = fit_head_net(params, stage, synthetic, real)
    estimated = estimate_labels(real, gaze_net, head_net, generator)
    if params.adapt.method == "none":
        return synthetic, estimated, []
    adapted, rounds = synthetic, []
    for number in range(1, params.adapt.rounds + 1):
        adapted = make_eyes(params, synthetic, estimated, seed=params.adapt.seed + number)
        gaze_net = fit(params, adapted, stage, f"round-{number}")
        before, estimated = estimated, estimate_labels(real, gaze_net, head_net, generator)
        row = {
            "round": float(number),
            "moved_degrees": label_distance(before, estimated),
            "synthetic_to_estimated_degrees": label_distance(known_labels(adapted), before),
        }
        if real.has_gaze.any():
            row["estimated_to_true_degrees"] = label_distance(before, known_labels(real))
        rounds.append(row)
        stage.run.metrics(number, {key: value for key, value in row.items() if key != "round"})
        print(f"round {number}: {len(adapted)} eyes; answers moved by {row['moved_degrees']:.2f} degrees")
        if row["moved_degrees"] < params.adapt.settled:
            break
    return adapted, before, rounds


def make_eyes(params: Params, synthetic: Eyes, labels: Labels, seed: int) -> Eyes:
    """Synthetic eyes with labels distributed as those given: drawn by the simulator or selected.

    Raises InputError when too few of the synthetic eyes look there to train on.
    """
    if params.adapt.method == "auto" and params.data.unityeyes == SAMPLE / "UnityEyes":
        wanted = draw_labels(labels, len(synthetic), seed)
        with tempfile.TemporaryDirectory() as folder:
            write_unityeyes(Path(folder) / "raw", len(wanted), seed, labels=wanted)
            prepare(Path(folder) / "raw", Path(folder) / "eyes.h5", params.eyes, params.prepare_unityeyes)
            return load_eyes(Path(folder) / "eyes.h5")
    rows = choose_rows(known_labels(synthetic), draw_labels(labels, DRAWN_TO_CHOOSE * len(synthetic), seed))
    check_enough(len(rows), params.train_gaze.batch_size, PREPARED_SYNTHETIC)
    return synthetic.select(rows)


def fit_head_net(params: Params, stage: Stage, synthetic: Eyes, real: Eyes) -> GazeNet | None:
    """An estimator of head pose, where synthetic eyes have labels of it and some real ones do not."""
    known = np.flatnonzero(np.isfinite(synthetic.head).all(axis=1))
    if np.isfinite(real.head).all() or not len(known):
        return None
    heads = synthetic.select(known)
    return fit(params, replace(heads, gaze=heads.head), stage, "head-pose")


def fit(params: Params, eyes: Eyes, stage: Stage, name: str) -> GazeNet:
    """An estimator trained on synthetic eyes, with checkpoints of its own."""
    training, validation, _ = (labelled(eyes, rows) for rows in split_synthetic(len(eyes), params.split))
    check_enough(len(training), params.train_gaze.batch_size, PREPARED_SYNTHETIC)
    network, _, _ = fit_gaze_net(
        params,
        training,
        validation,
        seed=params.adapt.seed,
        checkpoints=Checkpoints(stage.checkpoints.folder / name),
        recorder=Silent(),
    )
    return network


def distances(labels: dict[str, Labels]) -> dict[str, float]:
    """How far, in degrees, the distributions of labels are apart; those to true ones only where there are."""
    pairs = {
        "before_to_estimated": ("synthetic, before", "real, estimated"),
        "after_to_estimated": ("synthetic, after", "real, estimated"),
        "estimated_to_true": ("real, estimated", "real, true"),
        "before_to_true": ("synthetic, before", "real, true"),
        "after_to_true": ("synthetic, after", "real, true"),
    }
    true_known = np.isfinite(labels["real, true"][:, :2]).all(axis=1).any()
    return {
        name: label_distance(labels[one], labels[other])
        for name, (one, other) in pairs.items()
        if true_known or other != "real, true"
    }


def in_words(scores: dict[str, Any]) -> str:
    """What came of it, and how UnityEyes would be set to draw such eyes."""
    apart, settings = scores["distance_degrees"], scores["unityeyes_settings"]
    lines = [
        f"{scores['eyes']} synthetic eyes, {apart['after_to_estimated']:.1f} degrees from where real ones "
        f"are estimated to look, {apart['before_to_estimated']:.1f} before"
    ]
    if "after_to_true" in apart:
        lines.append(
            f"from where they truly look: {apart['after_to_true']:.1f} degrees, "
            f"{apart['before_to_true']:.1f} before"
        )
    ranges = ", ".join(
        f"{name.replace('_', ' ')} {center:.0f} \N{PLUS-MINUS SIGN} {reach:.0f}"
        for name, (center, reach) in settings.items()
    )
    return "\n".join([*lines, f"UnityEyes draws such eyes, and others to select from, with {ranges} degrees"])
