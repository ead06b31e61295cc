"""Gaze errors of all protocols, preservation and realism of translations, with figures."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fpgan.data.eye_set import load_eyes
from fpgan.data.splits import split_real, split_synthetic
from fpgan.device import default_device
from fpgan.domains import Direction, Domain, TrainedOn
from fpgan.evaluation.evaluation_report import evaluation_report
from fpgan.evaluation.examine import Examined, Parts, Sets, collect_estimates, examine, skip_reasons
from fpgan.evaluation.protocols import PROTOCOLS, Conditions, describe_all
from fpgan.evaluation.record import Evaluation, digest_test_eyes, save_evaluation
from fpgan.evaluation.summary import conclusion, headline, nested_means, summarize
from fpgan.evaluation.tables import write_error_table, write_person_table
from fpgan.figures.evaluation_figures import save_error_figures, save_translation_sheets
from fpgan.layout import ADAPTED, EVALUATION, PREPARED_REAL, PREPARED_SYNTHETIC, Branch, Trial
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.weights import absence, load_network
from fpgan.params import Params
from fpgan.runs.stage import run_stage

NOT_RECORDED = {"compute", "tracking", "ablation", "cross_person"}  # sections that change no result


def evaluate_stage(params: Params, branch: Branch, adapted_to: Sequence[str] = ()) -> str:
    """Writes metrics.json, the record, tables and figures; returns the report.

    `adapted_to` are the test persons from whose pictures labels and framing of adapted eyes were estimated.
    """
    trials = [Trial(branch, seed) for seed in params.seeds]
    with run_stage(
        "evaluate",
        params,
        sections={"split": params.split, "train_gan": params.train_gan},
        inputs=evaluated_files(trials),
        output=None,
        description="Gaze errors of all protocols; preservation and realism of translations.",
        belongs_to=branch,
    ) as stage:
        sets = load_sets(params)
        findings = [
            examine(load_networks(trial), sets, seed=trial.seed, device=default_device()) for trial in trials
        ]
        translations = findings[0].translations
        estimates = collect_estimates(findings, sets)
        scores = summarize(
            estimates,
            protocol=describe_all(conditions(params, sets, adapted_to)),
            skipped=skip_reasons(sets, absent_estimators(trials[0])),
            preservation=nested_means(
                [{key: one.preservation for key, one in found.translations.items()} for found in findings]
            ),
            quality=nested_means([found.quality for found in findings]),
        )
        stage.score(scores)
        (stage.results / "headline.json").write_text(json.dumps(headline(scores), indent=2) + "\n")
        tested = sets.tested(Domain.REAL)
        evaluation = Evaluation(
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
                if PROTOCOLS[name].on_real
            },
            skipped=scores["skipped"],
            shown={direction: found.shown for direction, found in translations.items()},
            scores=scores,
            params=params.model_dump(mode="json", exclude=NOT_RECORDED),
        )
        save_evaluation(stage.results / EVALUATION.name, evaluation)
        stage.run.tag("evaluation.name", evaluation.name)
        stage.run.tag("evaluation.seeds", ", ".join(map(str, evaluation.seeds)))
        write_person_table(stage.results / "persons.csv", estimates)
        write_error_table(stage.results / "errors.csv", estimates)
        figures = stage.results / "figures"
        figures.mkdir()
        save_error_figures(figures, estimates, sets)
        save_translation_sheets(figures, translations)
        stage.conclude(*conclusion(scores))
    return evaluation_report(branch.results("evaluate") / "metrics.json")


def evaluated_files(trials: list[Trial]) -> dict[str, Path]:
    """All files that the evaluation reads, by name."""
    files = {"synthetic": PREPARED_SYNTHETIC, "adapted": ADAPTED, "real": PREPARED_REAL}
    for trial in trials:
        files |= {f"gaze_net_{kind}_{trial.seed}": trial.gaze_net(kind) for kind in TrainedOn}
        files |= {f"generator_{way}_{trial.seed}": trial.generator(way) for way in Direction}
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
    absent = absent_estimators(trial)
    return Examined(
        gaze={kind: load_network(trial.gaze_net(kind), GazeNet) for kind in TrainedOn if kind not in absent},
        landmarks=load_network(trial.landmark_net, LandmarkNet),
        generators={way: load_network(trial.generator(way), Generator) for way in Direction},
    )


def absent_estimators(trial: Trial) -> dict[TrainedOn, str]:
    """Why gaze estimators could not be trained."""
    return {kind: reason for kind in TrainedOn if (reason := absence(trial.gaze_net(kind)))}


def conditions(params: Params, sets: Sets, adapted_to: Sequence[str]) -> Conditions:
    """What all numbers have in common."""
    validating = sets.real.validation
    return Conditions(
        real=sets.tested(Domain.REAL),
        synthetic=sets.tested(Domain.SYNTHETIC),
        eye=None if params.data.mpiifacegaze.is_file() else params.prepare_mpiifacegaze.eye,
        validation_persons=np.unique(validating.person[validating.has_gaze]).tolist(),
        test_pictures_seen=params.train_gan.real_eyes == "all_persons",
        adapted_to=adapted_to,
    )
