"""Gaze errors of all protocols, what translation preserves, and the figures that show it."""

import csv
from functools import partial
from pathlib import Path

import numpy as np

from fpgan.evaluation.errors import Estimates, average, constant_estimates, gaze_estimates, mean_gaze
from fpgan.evaluation.preservation import feature_preservation, find_features
from fpgan.evaluation.protocols import Conditions, describe_all
from fpgan.evaluation.summary import summarize
from fpgan.eyes import Eyes, load_eyes
from fpgan.figures.errors import error_distributions
from fpgan.figures.eyes import translation_sheet
from fpgan.figures.gaze import gaze_figure
from fpgan.layout import LANDMARK_NET, METRICS, PREPARED_REAL, PREPARED_SYNTHETIC, TRANSLATED, gaze_net
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import estimate_gaze, find_landmarks
from fpgan.networks.store import absence, load_network
from fpgan.params import Params
from fpgan.report import evaluation_report
from fpgan.splits import split_real, split_synthetic
from fpgan.stages.stage import Stage, run_stage

REAL_PROTOCOLS = ("mean_gaze", "no_adaptation", "forward", "backward", "both", "real_bound")


def evaluate_stage(params: Params) -> str:
    """Writes metrics.json, tables and figures; returns the table of gaze errors."""
    inputs = {
        "synthetic": PREPARED_SYNTHETIC,
        "real": PREPARED_REAL,
        "s2r": TRANSLATED["s2r"],
        "r2s": TRANSLATED["r2s"],
        "landmark_net": LANDMARK_NET,
        **{f"gaze_net_{domain}": gaze_net(domain) for domain in ("synthetic", "translated", "real")},
    }
    with run_stage(
        "evaluate",
        params,
        sections={"split": params.split, "train_gan": params.train_gan},
        inputs=inputs,
        output=None,
        description="Gaze errors of all protocols; what translation preserves.",
    ) as stage:
        synthetic, real = load_eyes(PREPARED_SYNTHETIC), load_eyes(PREPARED_REAL)
        s2r, r2s = load_eyes(TRANSLATED["s2r"]), load_eyes(TRANSLATED["r2s"])
        split_s, split_r = (
            split_synthetic(len(synthetic), params.split),
            split_real(real.person, params.split),
        )
        test_s, test_s2r = synthetic.select(split_s.test), s2r.select(split_s.test)
        test_r, test_r2s = real.select(split_r.test), r2s.select(split_r.test)
        on_synthetic = load_network(gaze_net("synthetic"), GazeNet)
        landmarks = load_network(LANDMARK_NET, LandmarkNet)

        estimates, skipped = real_estimates(real.select(split_r.training), test_r, test_r2s, on_synthetic)
        known_s = test_s.select(test_s.has_gaze)
        training_s = synthetic.select(split_s.training)
        estimates["mean_gaze_synthetic"] = constant_estimates(
            mean_gaze(training_s.gaze[training_s.has_gaze]), known_s
        )
        estimates["synthetic"] = gaze_estimates([on_synthetic], known_s)
        see = partial(find_features, on_synthetic, landmarks)
        validating = real.select(split_r.validation)
        conditions = Conditions(
            real=test_r.select(test_r.has_gaze),
            synthetic=known_s,
            eye=None if params.data.mpiifacegaze.is_file() else params.prepare_mpiifacegaze.eye,
            validation_persons=np.unique(validating.person[validating.has_gaze]).tolist(),
            test_pictures_seen=params.train_gan.real_eyes == "all_persons",
        )
        scores = summarize(
            estimates,
            protocol=describe_all(conditions),
            skipped=skipped,
            preservation={
                direction: feature_preservation(
                    before.image, after.image, see(before.image), see(after.image)
                )._asdict()
                for direction, before, after in (("s2r", test_s, test_s2r), ("r2s", test_r, test_r2s))
            },
        )
        stage.score(scores)
        write_person_table(stage.results / "persons.csv", estimates)
        draw(
            stage,
            estimates,
            (test_s, test_s2r),
            (test_r, test_r2s),
            (synthetic, real),
            on_synthetic,
            landmarks,
        )
    return evaluation_report(METRICS)


def real_estimates(
    training: Eyes, test: Eyes, translated: Eyes, on_synthetic: GazeNet
) -> tuple[dict[str, Estimates], dict[str, str]]:
    """Estimates on real test eyes by protocol, and for protocols that cannot be run, why."""
    known = test.has_gaze
    if not known.any():
        reason = "the real test eyes have no gaze labels"
        return {}, dict.fromkeys(REAL_PROTOCOLS, reason)
    test, translated = test.select(known), translated.select(known)
    labelled = training.gaze[training.has_gaze]
    # Without labelled training persons the mean of the test eyes stands in: the best a constant can do.
    found = {"mean_gaze": constant_estimates(mean_gaze(labelled if len(labelled) else test.gaze), test)}
    found["no_adaptation"] = gaze_estimates([on_synthetic], test)
    found["forward"] = gaze_estimates([load_network(gaze_net("translated"), GazeNet)], test)
    found["backward"] = gaze_estimates([on_synthetic], translated)
    found["both"] = average(found["forward"], found["backward"])
    if why := absence(gaze_net("real")):
        return found, {"real_bound": why}
    found["real_bound"] = gaze_estimates([load_network(gaze_net("real"), GazeNet)], test)
    return found, {}


def write_person_table(path: Path, estimates: dict[str, Estimates]) -> None:
    """Mean error in degrees, a row a person and protocol."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["protocol", "person", "eyes", "mean_error_degrees"])
        for name, found in estimates.items():
            for person, mean in found.by_person().items():
                writer.writerow([name, person, int((found.person == person).sum()), f"{mean:.3f}"])


def draw(
    stage: Stage,
    estimates: dict[str, Estimates],
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
    shown = {name: found for name, found in estimates.items() if name != "mean_gaze_synthetic"}
    error_distributions(shown).savefig(stage.results / "gaze_errors.png")
    names = ("synthetic (S)", "real (R)")
    gazes = {
        name: eyes.gaze[eyes.has_gaze] for name, eyes in zip(names, both, strict=True) if eyes.has_gaze.any()
    }
    gaze_figure(gazes).savefig(stage.results / "gaze_distributions.png")
