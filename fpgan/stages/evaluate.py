"""Gaze errors of all protocols, what translation preserves and how real it looks, and figures that show it."""

import csv
from pathlib import Path

import numpy as np

from fpgan.evaluation.errors import Estimates
from fpgan.evaluation.examine import (
    DIRECTIONS,
    Examined,
    Findings,
    Parts,
    Sets,
    collect_estimates,
    examine,
    mean_over_seeds,
)
from fpgan.evaluation.protocols import PROTOCOLS, Conditions, describe_all
from fpgan.evaluation.summary import summarize
from fpgan.eyes import load_eyes
from fpgan.figures.errors import error_distributions, error_maps, person_errors
from fpgan.figures.eyes import translation_sheet
from fpgan.figures.gaze import gaze_figure
from fpgan.layout import ADAPTED, PREPARED_REAL, PREPARED_SYNTHETIC, Branch, Trial
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.store import absence, load_network
from fpgan.params import Params
from fpgan.quality.translation import too_few_eyes
from fpgan.report import evaluation_report
from fpgan.splits import split_real, split_synthetic
from fpgan.stages.stage import Stage, run_stage
from fpgan.training.distributed import default_device

GAZE_NETS = ("synthetic", "adapted", "translated", "real")


def evaluate_stage(params: Params, branch: Branch) -> str:
    """Writes metrics.json, tables and figures; returns the table of gaze errors."""
    trials = [Trial(branch, seed) for seed in params.seeds]
    with run_stage(
        "evaluate",
        params,
        sections={"split": params.split, "train_gan": params.train_gan},
        inputs=evaluated_files(trials),
        output=None,
        description="Gaze errors of all protocols; what translation preserves and how real it looks.",
        belongs_to=branch,
    ) as stage:
        sets = load_sets(params)
        findings = [
            examine(load_networks(trial), sets, seed=trial.seed, device=default_device()) for trial in trials
        ]
        estimates = collect_estimates(findings, sets)
        scores = summarize(
            estimates,
            protocol=describe_all(conditions(params, sets)),
            skipped=skipped(trials[0], sets),
            preservation=mean_over_seeds(
                [{key: one.preservation for key, one in found.translations.items()} for found in findings]
            ),
            quality=mean_over_seeds([found.quality for found in findings]),
        )
        stage.score(scores)
        write_person_table(stage.results / "persons.csv", estimates)
        draw_errors(stage, estimates, sets)
        draw_translations(stage, findings[0])
    return evaluation_report(branch.results("evaluate") / "metrics.json")


def evaluated_files(trials: list[Trial]) -> dict[str, Path]:
    """All that the evaluation reads, by name."""
    files = {"synthetic": PREPARED_SYNTHETIC, "adapted": ADAPTED, "real": PREPARED_REAL}
    for trial in trials:
        files |= {f"gaze_net_{kind}_{trial.seed}": trial.gaze_net(kind) for kind in GAZE_NETS}
        files |= {
            f"generator_{direction}_{trial.seed}": trial.generator(direction) for direction in DIRECTIONS
        }
        files[f"landmark_net_{trial.seed}"] = trial.landmark_net
    return files


def load_sets(params: Params) -> Sets:
    """All eye sets, split."""
    synthetic, adapted = (
        Parts(*(eyes.select(rows) for rows in split_synthetic(len(eyes), params.split)))
        for eyes in (load_eyes(PREPARED_SYNTHETIC), load_eyes(ADAPTED))
    )
    real = load_eyes(PREPARED_REAL)
    return Sets(
        synthetic, adapted, Parts(*(real.select(rows) for rows in split_real(real.person, params.split)))
    )


def load_networks(trial: Trial) -> Examined:
    """The networks of one seed."""
    no_bound = absence(trial.gaze_net("real"))
    return Examined(
        on_synthetic=load_network(trial.gaze_net("synthetic"), GazeNet),
        on_adapted=load_network(trial.gaze_net("adapted"), GazeNet),
        on_translated=load_network(trial.gaze_net("translated"), GazeNet),
        on_real=None if no_bound else load_network(trial.gaze_net("real"), GazeNet),
        landmarks=load_network(trial.landmark_net, LandmarkNet),
        G=load_network(trial.generator("s2r"), Generator),
        F=load_network(trial.generator("r2s"), Generator),
    )


def conditions(params: Params, sets: Sets) -> Conditions:
    """What all numbers have in common."""
    validating = sets.real.validation
    return Conditions(
        real=sets.tested,
        synthetic=sets.tested_synthetic,
        eye=None if params.data.mpiifacegaze.is_file() else params.prepare_mpiifacegaze.eye,
        validation_persons=np.unique(validating.person[validating.has_gaze]).tolist(),
        test_pictures_seen=params.train_gan.real_eyes == "all_persons",
    )


def skipped(trial: Trial, sets: Sets) -> dict[str, str]:
    """Why some numbers cannot be had, by name."""
    reasons = {
        f"quality_{direction}": reason
        for direction in DIRECTIONS
        if (reason := too_few_eyes(sets.source(direction).test, sets.target(direction).test))
    }
    if not len(sets.tested):
        on_real = [name for name, protocol in PROTOCOLS.items() if protocol.tested_on == "R"]
        return reasons | dict.fromkeys(on_real, "the real test eyes have no gaze labels")
    if why := absence(trial.gaze_net("real")):
        reasons["real_bound"] = why
    return reasons


def write_person_table(path: Path, estimates: dict[str, Estimates]) -> None:
    """Mean error in degrees, a row a person and protocol."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["protocol", "person", "eyes", "mean_error_degrees"])
        for name, found in estimates.items():
            for person, mean in found.by_person().items():
                writer.writerow([name, person, int((found.person == person).sum()), f"{mean:.3f}"])


def draw_errors(stage: Stage, estimates: dict[str, Estimates], sets: Sets) -> None:
    """Saves the figures of gaze and of its errors."""
    # The mean gaze on S errs so much more than all others that they would be squeezed to one side.
    shown = {name: found for name, found in estimates.items() if name != "mean_gaze_synthetic"}
    error_distributions(shown).savefig(stage.results / "gaze_errors.png")
    on_real = {name: found for name, found in shown.items() if PROTOCOLS[name].tested_on == "R"}
    if on_real:
        person_errors(on_real).savefig(stage.results / "person_errors.png")
        error_maps(on_real, sets.tested.gaze, "gaze").savefig(stage.results / "errors_by_gaze.png")
        if np.isfinite(sets.tested.head).all(axis=1).any():
            error_maps(on_real, sets.tested.head, "head").savefig(stage.results / "errors_by_head_pose.png")
    gazes = {
        "synthetic (S)": sets.synthetic.training.gaze,
        "adapted (S)": sets.adapted.training.gaze,
        "real (R)": sets.tested.gaze,
    }
    gaze_figure({name: gaze for name, gaze in gazes.items() if len(gaze)}).savefig(
        stage.results / "gaze_distributions.png"
    )


def draw_translations(stage: Stage, findings: Findings) -> None:
    """Saves a sheet of test eyes and their translations a direction."""
    for direction, found in findings.translations.items():
        translation_sheet(
            found.source.image,
            found.translated,
            gaze=found.source.gaze,
            gaze_after=found.after.gaze,
            landmarks_before=found.before.landmarks,
            landmarks_after=found.after.landmarks,
        ).savefig(stage.results / f"translations_{direction}.png")
