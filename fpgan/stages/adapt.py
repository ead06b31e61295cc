"""Adaptive data generation: makes the synthetic eyes that everything after it is trained on."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpgan.adaptation import (
    Labels,
    Reframing,
    choose_rows,
    draw_labels,
    estimate_labels,
    find_framing,
    known_labels,
    label_distance,
    reframe,
    simulator_settings,
)
from fpgan.data.datasets import prepare
from fpgan.data.eye_set import load_eyes, save_eyes
from fpgan.data.eyes import Eyes
from fpgan.data.splits import split_real, split_synthetic
from fpgan.device import default_device
from fpgan.domains import TrainedOn
from fpgan.figures.gaze_figures import label_figure
from fpgan.layout import ADAPTED, PREPARED_REAL, PREPARED_SYNTHETIC, SAMPLE, Branch, Trial
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import find_landmarks, translate_pictures
from fpgan.networks.weights import load_network
from fpgan.params import Params
from fpgan.runs.stage import Stage, run_stage
from fpgan.sample.write_unityeyes import write_unityeyes
from fpgan.stages.train_estimators import check_enough, fit_gaze_net, labelled
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.loop import History
from fpgan.training.recorder import Silent

DRAWN_TO_CHOOSE = 2  # labels wanted for each synthetic eye there is to choose from: more than will be met


class Adapted(NamedTuple):
    """What adaptation came to."""

    eyes: Eyes
    """Synthetic ones."""
    labels: Labels | None
    """(N, 4) of the real eyes, as they were estimated: what the eyes were made by; None where by none."""
    framing: Reframing
    """From the synthetic eyes as they were prepared to the real ones."""
    rounds: History


def adapt_stage(params: Params, through: Path | None, out: Path) -> str:
    """Writes synthetic eyes that look where real training persons' eyes do; returns what it did, in words.

    `through` is a generator F: R -> S, through which the real eyes are seen, by the estimator of the eyes it
    was trained on. Gaze labels of real eyes, where there are any, only tell how well it went.
    """
    trial = Trial(Branch(), params.seeds[0])
    inputs = {
        "synthetic": PREPARED_SYNTHETIC,
        "real": PREPARED_REAL,
        "landmark_net": trial.landmark_net,
    }
    if through:
        inputs |= {"generator": through, "gaze_net": trial.gaze_net(TrainedOn.ADAPTED)}
    with run_stage(
        "adapt" if out == ADAPTED.parent else f"adapt-{out.name}",
        params,
        sections={
            "adapt": params.adapt,
            "split": params.split,
            "train_gaze": params.train_gaze,
            "prepare_unityeyes": params.prepare_unityeyes,
        },
        inputs=inputs,
        output=out,
        description="Synthetic eyes that look where the real ones do, framed as they are.",
    ) as stage:
        synthetic, real = load_eyes(PREPARED_SYNTHETIC), load_eyes(PREPARED_REAL)
        real = real.select(split_real(real.person, params.split).training)
        translator = load_network(through, Generator).to(default_device()) if through else None
        adapted = adapt(
            params,
            synthetic,
            real,
            load_network(inputs["gaze_net"], GazeNet).to(default_device()) if through else None,
            load_network(trial.landmark_net, LandmarkNet).to(default_device()),
            translator,
            stage,
        )
        save_eyes(stage.output / ADAPTED.name, adapted.eyes, equalized=True)
        stage.history(adapted.rounds)
        labels = {
            "real, true": known_labels(real),
            **({} if adapted.labels is None else {"real, estimated": adapted.labels}),
            "synthetic, before": known_labels(synthetic),
            "synthetic, after": known_labels(adapted.eyes),
        }
        label_figure(labels).savefig(stage.results / "labels.png")
        shift = adapted.framing.center_shift(*synthetic.image.shape[1:3])
        settings = None if adapted.labels is None else simulator_settings(adapted.labels)
        apart = distances(labels)
        scores = {
            "eyes": len(adapted.eyes),
            "distance_degrees": apart,
            "framing": {"scale": adapted.framing.scale, "right": float(shift[0]), "down": float(shift[1])},
            "unityeyes_settings": settings._asdict() if settings else {},
        }
        stage.score(scores)
        outcome = "as prepared"
        if adapted.labels is not None:
            outcome = f"{apart['after_to_estimated']:.1f}° of {apart['before_to_estimated']:.1f}° apart"
        stage.conclude(outcome, in_words(scores).split("\n")[0])
    return f"{out / ADAPTED.name}: {in_words(scores)}"


def adapt(
    params: Params,
    synthetic: Eyes,
    real: Eyes,  # of the training persons
    translated_net: GazeNet | None,  # the estimator for eyes seen through the translator
    landmark_net: LandmarkNet,
    translator: Generator | None,
    stage: Stage,
) -> Adapted:
    """Goes round by round, until the estimates of the real eyes' labels have settled."""
    if params.adapt.method == "none":
        return Adapted(synthetic, None, Reframing(1.0, np.zeros(2)), [])
    gaze_net = translated_net or fit(params, synthetic, stage, "synthetic")
    head_net = fit_head_net(params, synthetic, real, stage)
    lids, labels_s = find_landmarks(landmark_net, synthetic.image), known_labels(synthetic)
    real_lids = find_landmarks(landmark_net, real.image)
    seen = translate_pictures(translator, real.image) if translator else real.image
    labels = estimate_labels(real, seen, gaze_net, head_net)
    framing = framing_of(lids, labels_s, real_lids, labels, stage)
    if not translator:  # the estimator goes by the framing of the eyes it was trained on
        seen = reframe(real, framing.inverse).image
        labels = estimate_labels(real, seen, gaze_net, head_net)
    rounds: History = []
    for number in range(1, params.adapt.rounds + 1):
        eyes = reframe(make_eyes(params, synthetic, labels, params.adapt.seed + number), framing)
        made_by = labels
        adapted = Adapted(eyes, made_by, framing, rounds)
        if number == params.adapt.rounds:
            break
        gaze_net = fit(params, eyes, stage, f"round-{number}")
        labels = estimate_labels(real, real.image, gaze_net, head_net)
        framing = framing_of(lids, labels_s, real_lids, labels, stage)
        moved = label_distance(made_by, labels)
        rounds.append({"round": float(number), "eyes": float(len(eyes)), "moved_degrees": moved})
        stage.run.metrics(number, {"moved_degrees": moved})
        print(f"round {number}: trained on {len(eyes)} eyes, answers moved by {moved:.2f} degrees")
        if moved < params.adapt.settled:
            break
    return adapted


def framing_of(
    landmarks: NDArray[np.floating],
    labels: Labels,
    real_landmarks: NDArray[np.floating],
    real_labels: Labels,
    stage: Stage,
) -> Reframing:
    """How synthetic eyes are to be framed; as they are, with a warning, where what is found cannot be."""
    found = find_framing(landmarks, labels, real_landmarks, real_labels)
    if found.plausible:
        return found
    stage.run.warn(
        0,
        f"by their landmarks real eyes are {found.scale:.2f} times as large as synthetic ones, which cannot "
        "be; the framing stays",
    )
    return Reframing(1.0, np.zeros(2))


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


def fit_head_net(params: Params, synthetic: Eyes, real: Eyes, stage: Stage) -> GazeNet | None:
    """An estimator of head pose, where synthetic eyes have labels of it and some real ones do not."""
    known = np.flatnonzero(np.isfinite(synthetic.head).all(axis=1))
    if np.isfinite(real.head).all() or not len(known):
        return None
    heads = synthetic.select(known)
    return fit(params, replace(heads, gaze=heads.head), stage, "head-pose")


def fit(params: Params, eyes: Eyes, stage: Stage, name: str) -> GazeNet:
    """An estimator trained on synthetic eyes to be used on real ones, with checkpoints of its own."""
    training, validation, _ = (labelled(eyes, rows) for rows in split_synthetic(len(eyes), params.split))
    check_enough(len(training), params.train_gaze.batch_size, PREPARED_SYNTHETIC)
    robust = params.train_gaze.model_copy(update={"augmentation": params.adapt.augmentation})
    network, _, _ = fit_gaze_net(
        params.model_copy(update={"train_gaze": robust}),
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
        if {one, other} <= labels.keys() and (true_known or other != "real, true")
    }


def in_words(scores: dict[str, Any]) -> str:
    """What came of it, and how UnityEyes would be set to draw such eyes."""
    apart, settings = scores["distance_degrees"], scores["unityeyes_settings"]
    if "after_to_estimated" not in apart:
        return f"{scores['eyes']} synthetic eyes, as they were prepared"
    lines = [
        f"{scores['eyes']} synthetic eyes, {apart['after_to_estimated']:.1f} degrees from where real ones "
        f"are estimated to look, {apart['before_to_estimated']:.1f} before"
    ]
    if "after_to_true" in apart:
        lines.append(
            f"from where they truly look: {apart['after_to_true']:.1f} degrees, "
            f"{apart['before_to_true']:.1f} before"
        )
    frame = scores["framing"]
    lines.append(
        f"enlarged by {frame['scale']:.3f} and moved by {frame['right']:+.1f} pixels to the right and "
        f"{frame['down']:+.1f} down, to sit as real eyes do"
    )
    ranges = ", ".join(
        f"{name.replace('_', ' ')} {center:.0f} \N{PLUS-MINUS SIGN} {reach:.0f}"
        for name, (center, reach) in settings.items()
    )
    if ranges:
        lines.append(f"UnityEyes draws such eyes, and others to select from, with {ranges} degrees")
    return "\n".join(lines)
