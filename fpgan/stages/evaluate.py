"""Gaze errors of all protocols, what translation preserves, and the figures that show it."""

import csv
from functools import partial
from pathlib import Path

import numpy as np

from fpgan.evaluation import (
    GazeErrors,
    constant_errors,
    feature_preservation,
    find_features,
    gaze_errors,
    mean_gaze,
)
from fpgan.eyes import Eyes, load_eyes
from fpgan.figures import error_histograms, gaze_figure, translation_sheet
from fpgan.layout import PREPARED_REAL, PREPARED_SYNTHETIC, Branch, Trial
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import estimate_gaze, find_landmarks
from fpgan.networks.store import absence, load_network
from fpgan.params import Params
from fpgan.report import PROTOCOLS, evaluation_report
from fpgan.splits import split_real, split_synthetic
from fpgan.stages.stage import Stage, run_stage


def evaluate_stage(params: Params, branch: Branch) -> str:
    """Writes metrics.json, tables and figures; returns the table of gaze errors."""
    trial = Trial(branch, params.seeds[0])
    inputs = {
        "synthetic": PREPARED_SYNTHETIC,
        "real": PREPARED_REAL,
        "s2r": trial.translated("s2r"),
        "r2s": trial.translated("r2s"),
        "landmark_net": trial.landmark_net,
        **{f"gaze_net_{domain}": trial.gaze_net(domain) for domain in ("synthetic", "translated", "real")},
    }
    with run_stage(
        "evaluate",
        params,
        sections={"split": params.split, "train_gan": params.train_gan},
        inputs=inputs,
        output=None,
        description="Gaze errors of all protocols; what translation preserves.",
        belongs_to=branch,
    ) as stage:
        synthetic, real = load_eyes(PREPARED_SYNTHETIC), load_eyes(PREPARED_REAL)
        s2r, r2s = load_eyes(trial.translated("s2r")), load_eyes(trial.translated("r2s"))
        split_s, split_r = (
            split_synthetic(len(synthetic), params.split),
            split_real(real.person, params.split),
        )
        test_s, test_s2r = synthetic.select(split_s.test), s2r.select(split_s.test)
        test_r, test_r2s = real.select(split_r.test), r2s.select(split_r.test)
        on_synthetic = load_network(trial.gaze_net("synthetic"), GazeNet)
        landmarks = load_network(trial.landmark_net, LandmarkNet)

        errors, skipped = real_errors(trial, real.select(split_r.training), test_r, test_r2s, on_synthetic)
        known_s = test_s.select(test_s.has_gaze)
        training_s = synthetic.select(split_s.training)
        errors["mean_gaze_synthetic"] = constant_errors(
            mean_gaze(training_s.gaze[training_s.has_gaze]), known_s
        )
        errors["synthetic"] = gaze_errors(on_synthetic, known_s)
        see = partial(find_features, on_synthetic, landmarks)
        seen = "were" if params.train_gan.real_eyes == "all_persons" else "were not"
        scores = {
            "protocol": (
                f"Test persons {', '.join(np.unique(test_r.person).tolist())}, {len(test_r)} eyes; their "
                f"pictures {seen} seen, unlabelled, by the translator. "
                f"S is tested on {len(test_s)} eyes kept apart."
            ),
            "gaze_error_degrees": {
                name: {
                    "mean": errors[name].mean,
                    "median": errors[name].median,
                    "eyes": len(errors[name].degrees),
                }
                for name in PROTOCOLS
                if name in errors
            },
            "skipped": skipped,
            "preservation": {
                direction: feature_preservation(
                    before.image, after.image, see(before.image), see(after.image)
                )._asdict()
                for direction, before, after in (("s2r", test_s, test_s2r), ("r2s", test_r, test_r2s))
            },
        }
        stage.score(scores)
        write_person_table(stage.results / "persons.csv", errors)
        draw(
            stage, errors, (test_s, test_s2r), (test_r, test_r2s), (synthetic, real), on_synthetic, landmarks
        )
    return evaluation_report(branch.results("evaluate") / "metrics.json")


def real_errors(
    trial: Trial, training: Eyes, test: Eyes, translated: Eyes, on_synthetic: GazeNet
) -> tuple[dict[str, GazeErrors], dict[str, str]]:
    """Errors on real test eyes by protocol, and for protocols that cannot be run, why."""
    known = test.has_gaze
    if not known.any():
        reason = "the real test eyes have no gaze labels"
        return {}, {name: reason for name in PROTOCOLS if not name.endswith("synthetic")}
    test, translated = test.select(known), translated.select(known)
    labelled = training.gaze[training.has_gaze]
    # Without labelled training persons the mean of the test eyes stands in: the best a constant can do.
    errors = {"mean_gaze": constant_errors(mean_gaze(labelled if len(labelled) else test.gaze), test)}
    errors["no_adaptation"] = gaze_errors(on_synthetic, test)
    errors["forward"] = gaze_errors(load_network(trial.gaze_net("translated"), GazeNet), test)
    errors["backward"] = gaze_errors(on_synthetic, translated)
    if why := absence(trial.gaze_net("real")):
        return errors, {"real_bound": why}
    errors["real_bound"] = gaze_errors(load_network(trial.gaze_net("real"), GazeNet), test)
    return errors, {}


def write_person_table(path: Path, errors: dict[str, GazeErrors]) -> None:
    """Mean error in degrees, a row a person and protocol."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["protocol", "person", "eyes", "mean_error_degrees"])
        for name, found in errors.items():
            for person, mean in found.by_person().items():
                writer.writerow([name, person, int((found.person == person).sum()), f"{mean:.3f}"])


def draw(
    stage: Stage,
    errors: dict[str, GazeErrors],
    forward: tuple[Eyes, Eyes],
    backward: tuple[Eyes, Eyes],
    both: tuple[Eyes, Eyes],
    on_synthetic: GazeNet,
    landmarks: LandmarkNet,
) -> None:
    """Saves all figures of the evaluation."""
    for direction, (before, after) in (("s2r", forward), ("r2s", backward)):
        translation_sheet(
            before.image,
            after.image,
            gaze=before.gaze,
            gaze_after=estimate_gaze(on_synthetic, after.image),
            landmarks_before=find_landmarks(landmarks, before.image),
            landmarks_after=find_landmarks(landmarks, after.image),
        ).savefig(stage.results / f"translations_{direction}.png")
    # The mean gaze on S errs so much more than all others that they would be squeezed to one side.
    shown = {name: errors[name] for name in PROTOCOLS if name in errors and name != "mean_gaze_synthetic"}
    error_histograms(shown).savefig(stage.results / "gaze_errors.png")
    names = ("synthetic (S)", "real (R)")
    gazes = {
        name: eyes.gaze[eyes.has_gaze] for name, eyes in zip(names, both, strict=True) if eyes.has_gaze.any()
    }
    gaze_figure(gazes).savefig(stage.results / "gaze_distributions.png")
