"""Gaze errors of all protocols, what translation preserves and how real it looks; figures of all that."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fpgan.data.eye_set import load_eyes
from fpgan.data.splits import split_real, split_synthetic
from fpgan.device import default_device
from fpgan.evaluation.estimates import Estimates
from fpgan.evaluation.evaluation_report import evaluation_report
from fpgan.evaluation.examine import (
    Examined,
    Findings,
    Parts,
    Sets,
    Translation,
    collect_estimates,
    examine,
    mean_over_seeds,
)
from fpgan.evaluation.protocols import PROTOCOLS, Conditions, describe_all
from fpgan.evaluation.record import DIRECTIONS, Evaluation, Shown, digest_test_eyes, save_evaluation
from fpgan.evaluation.summary import headline, summarize
from fpgan.figures.error_figures import error_distributions, error_maps, person_errors
from fpgan.figures.eye_sheets import translation_sheet
from fpgan.figures.gaze_figures import gaze_figure
from fpgan.layout import ADAPTED, EVALUATION, PREPARED_REAL, PREPARED_SYNTHETIC, Branch, Trial
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.weights import absence, load_network
from fpgan.params import Params
from fpgan.quality.translation_quality import too_few_eyes
from fpgan.runs.stage import run_stage

SHOWN = 16  # eyes a direction, in the record
MOST_DEGREES = 30  # of an error, in the table of a plot: larger ones count as so large
GAZE_NETS = ("synthetic", "adapted", "translated", "real")


def evaluate_stage(params: Params, branch: Branch, adapted_to: Sequence[str] = ()) -> str:
    """Writes metrics.json, tables and figures; returns the table of gaze errors.

    `adapted_to` are the test persons from whose pictures labels and framing of adapted eyes were estimated.
    """
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
            protocol=describe_all(conditions(params, sets, adapted_to)),
            skipped=skipped(trials[0], sets),
            preservation=mean_over_seeds(
                [{key: one.preservation for key, one in found.translations.items()} for found in findings]
            ),
            quality=mean_over_seeds([found.quality for found in findings]),
        )
        stage.score(scores)
        (stage.results / "headline.json").write_text(json.dumps(headline(scores), indent=2) + "\n")
        stage.run.tag("evaluation.name", branch.name)
        stage.run.tag("evaluation.seeds", ", ".join(map(str, params.seeds)))
        tested = sets.tested
        save_evaluation(
            stage.results / EVALUATION.name,
            Evaluation(
                name=branch.name,
                protocol=scores["protocol"],
                seeds=tuple(params.seeds),
                person=tested.person,
                gaze=tested.gaze,
                head=tested.head,
                test_digest=digest_test_eyes(sets.real.test),
                estimates={
                    name: found.gaze.astype(np.float32)
                    for name, found in estimates.items()
                    if PROTOCOLS[name].tested_on == "R"
                },
                skipped=scores["skipped"],
                shown={direction: show(found) for direction, found in findings[0].translations.items()},
                scores=scores,
                params=params.model_dump(
                    mode="json", exclude={"compute", "tracking", "ablation", "cross_person"}
                ),
            ),
        )
        # The mean gaze on S errs so much more than all others that they would be squeezed to one side.
        plotted = {name: found for name, found in estimates.items() if name != "mean_gaze_synthetic"}
        write_person_table(stage.results / "persons.csv", estimates)
        write_error_table(stage.results / "errors.csv", plotted)
        figures = stage.results / "figures"
        figures.mkdir()
        draw_errors(figures, plotted, sets)
        draw_translations(figures, findings[0])
        stage.conclude(*conclusion(scores))
    return evaluation_report(branch.results("evaluate") / "metrics.json")


def conclusion(scores: dict[str, Any]) -> tuple[str, str]:
    """What came out, in a word or two and in a sentence."""
    means = {name: errors["mean"] for name, errors in scores["gaze_error_degrees"].items()}
    if not {"forward", "no_adaptation"} <= set(means):
        return "no labels", "The real test eyes have no gaze labels."
    said = ", ".join(f"{name.replace('_', ' ')} {mean:.2f}" for name, mean in means.items())
    return f"forward {means['forward']:.2f}° of {means['no_adaptation']:.2f}°", f"Degrees: {said}."


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


def conditions(params: Params, sets: Sets, adapted_to: Sequence[str]) -> Conditions:
    """What all numbers have in common."""
    validating = sets.real.validation
    return Conditions(
        real=sets.tested,
        synthetic=sets.tested_synthetic,
        eye=None if params.data.mpiifacegaze.is_file() else params.prepare_mpiifacegaze.eye,
        validation_persons=np.unique(validating.person[validating.has_gaze]).tolist(),
        test_pictures_seen=params.train_gan.real_eyes == "all_persons",
        adapted_to=adapted_to,
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


def show(found: Translation) -> Shown:
    """Some eyes spread over the set, and their translations."""
    count = len(found.source)
    rows = np.linspace(0, count - 1, min(SHOWN, count)).astype(int)
    return Shown(
        source=found.source.image[rows],
        translation=found.translated[rows],
        gaze=found.source.gaze[rows],
        gaze_source=found.before.gaze[rows],
        gaze_translation=found.after.gaze[rows],
        landmarks_source=found.before.landmarks[rows],
        landmarks_translation=found.after.landmarks[rows],
    )


def write_person_table(path: Path, estimates: dict[str, Estimates]) -> None:
    """Mean error in degrees, a row a person, a column a protocol; empty where a person is not tested on."""
    means = {name: found.by_person() for name, found in estimates.items()}
    eyes = {
        person: int((found.person == person).sum())
        for found in estimates.values()
        for person in found.persons
    }
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["person", "eyes", *means])
        for person, count in eyes.items():
            errors = (by_person.get(person) for by_person in means.values())
            writer.writerow([person, count, *("" if error is None else f"{error:.2f}" for error in errors)])


def write_error_table(path: Path, estimates: dict[str, Estimates]) -> None:
    """Histograms of errors for `dvc plots`: a row a protocol and degree, the share of eyes up to the next."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["protocol", "degrees", "share_of_eyes"])
        for name, found in estimates.items():
            errors = found.errors.clip(max=MOST_DEGREES)
            count, _ = np.histogram(errors, np.arange(MOST_DEGREES + 2))
            for degrees, share in enumerate(count / errors.size):
                writer.writerow([name, degrees, f"{share:.4f}"])


def draw_errors(figures: Path, estimates: dict[str, Estimates], sets: Sets) -> None:
    """Saves the figures of gaze and of its errors."""
    error_distributions(estimates).savefig(figures / "gaze_errors.png")
    on_real = {name: found for name, found in estimates.items() if PROTOCOLS[name].tested_on == "R"}
    if on_real:
        person_errors(on_real).savefig(figures / "person_errors.png")
        error_maps(on_real, sets.tested.gaze, "gaze").savefig(figures / "errors_by_gaze.png")
        if np.isfinite(sets.tested.head).all(axis=1).any():
            error_maps(on_real, sets.tested.head, "head").savefig(figures / "errors_by_head_pose.png")
    gazes = {
        "synthetic (S)": sets.synthetic.training.gaze,
        "adapted (S)": sets.adapted.training.gaze,
        "real (R)": sets.tested.gaze,
    }
    gaze_figure({name: gaze for name, gaze in gazes.items() if len(gaze)}).savefig(
        figures / "gaze_distributions.png"
    )


def draw_translations(figures: Path, findings: Findings) -> None:
    """Saves a sheet of test eyes and their translations a direction."""
    for direction, found in findings.translations.items():
        translation_sheet(
            found.source.image,
            found.translated,
            gaze=found.source.gaze,
            gaze_after=found.after.gaze,
            landmarks_before=found.before.landmarks,
            landmarks_after=found.after.landmarks,
        ).savefig(figures / f"translations_{direction}.png")
