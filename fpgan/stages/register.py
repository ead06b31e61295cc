"""Exports the networks of an evaluation as ONNX and registers them; the best of each kind is the champion."""

import hashlib
import json
from pathlib import Path

import numpy as np

from fpgan.deployment.candidates import Candidate, find_candidates, is_sample
from fpgan.deployment.card import Card, model_card
from fpgan.deployment.champion import judge
from fpgan.deployment.formats import write_network
from fpgan.evaluation.record import Evaluation, load_evaluation
from fpgan.layout import EVALUATION, REGISTERED, Branch, Trial
from fpgan.params import Params
from fpgan.provenance.digests import digest
from fpgan.runs.stage import run_stage
from fpgan.stages.evaluate import evaluated_files
from fpgan.tracking.registry import IDENTITY, Entry, champion, make_champion, register
from fpgan.wording import spaced

ON_CARD = ("/mean", "/low", "/high", "drift_degrees", "drift_pixels", "/change")  # ends of names of scores


def register_stage(params: Params) -> str:
    """Writes the ONNX files and the cards, registers versions; returns a sentence per network."""
    evaluation = load_evaluation(EVALUATION)
    trials = [Trial(Branch(), seed) for seed in evaluation.seeds]
    with run_stage(
        "register",
        params,
        sections={"split": params.split},
        inputs={"evaluation": EVALUATION, **evaluated_files(trials)},
        output=REGISTERED,
        description="Networks as ONNX, registered with their evaluation.",
    ) as stage:
        candidates = find_candidates(params.split, evaluation, trials)
        lines, cards = [], []
        for candidate in candidates:
            network = stage.output / f"{candidate.kind}.onnx"
            write_network(candidate.weights, network, "onnx", candidate.example.shape[1:])
            card = model_card(describe(candidate, evaluation))
            cards.append(card)
            lines.append(
                f"{REGISTERED / network.name}: {enter(candidate, evaluation, network, card, stage.run.id)}"
            )
        (stage.output / "model_card.md").write_text("\n".join(cards))
        stage.run.artifact(stage.output / "model_card.md")
        stage.score(
            {
                candidate.kind: {"seed": candidate.seed, f"error_{candidate.unit}": candidate.measured.error}
                for candidate in candidates
            }
        )
        stage.conclude(f"{len(candidates)} models", "  \n".join(lines))
    return "\n".join([*lines, *skipped_lines(evaluation)])


def describe(candidate: Candidate, evaluation: Evaluation) -> Card:
    """The content of a candidate's card."""
    error = candidate.measured.error
    own = {} if error is None else {f"error of this network, {candidate.unit}": error}
    few = {spaced(name): value for name, value in candidate.scores.items() if name.endswith(ON_CARD)}
    return Card(
        name=candidate.name,
        purpose=candidate.purpose,
        answer=candidate.answer,
        shape=candidate.example.shape[1:],
        synthetic=evaluation.params["data"]["unityeyes"],
        real=evaluation.params["data"]["mpiifacegaze"],
        on_sample_data=is_sample(evaluation, "mpiifacegaze"),
        trained_on=candidate.trained_on,
        protocol=evaluation.protocol,
        choice=candidate.choice,
        scores=own | few,
    )


def enter(candidate: Candidate, evaluation: Evaluation, network: Path, card: str, run_id: str) -> str:
    """Registers a candidate and compares it with the champion; returns the outcome in words."""
    name, measured = candidate.name, candidate.measured
    content = json.dumps([digest(candidate.weights), measured.tags()])
    tags = measured.tags() | {
        IDENTITY: hashlib.sha256(content.encode()).hexdigest(),
        "error_unit": candidate.unit,
        "test_persons": ", ".join(np.unique(evaluation.person).tolist()) or "none with labels",
        "seed": str(candidate.seed),
    }
    version, new = register(Entry(name, network, candidate.example, card, candidate.scores, tags), run_id)
    error = "" if measured.error is None else f", error {measured.error:.2f} {candidate.unit}"
    registered = f"{name} version {version}{'' if new else ' (registered before)'}{error}"
    before = champion(name)
    if before and before.version == version:
        return f"{registered}; the champion"
    verdict = judge(measured, before.tags if before else None)
    if before and not verdict.wins:
        return f"{registered}; version {before.version} stays the champion: {verdict.reason}"
    make_champion(name, version)
    return f"{registered}; now the champion: {verdict.reason}"


def skipped_lines(evaluation: Evaluation) -> list[str]:
    """A line per reason why the evaluation lacks numbers."""
    reasons: dict[str, list[str]] = {}
    for name, reason in evaluation.skipped.items():
        reasons.setdefault(reason, []).append(spaced(name))
    return [f"not evaluated: {', '.join(names)} ({reason})" for reason, names in reasons.items()]
