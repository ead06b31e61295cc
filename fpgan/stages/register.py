"""Exports the networks of an evaluation as ONNX and registers them; the best of each kind is the champion."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpgan.deployment.card import Card, model_card
from fpgan.deployment.champion import Measured, judge
from fpgan.deployment.formats import write_network
from fpgan.evaluation.errors import Estimates
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.evaluation.record import Evaluation, digest_test_eyes, load_evaluation
from fpgan.eyes import Eyes, load_eyes
from fpgan.layout import (
    ADAPTED,
    EVALUATION,
    PREPARED_REAL,
    PREPARED_SYNTHETIC,
    REGISTERED,
    SAMPLE,
    Branch,
    Trial,
)
from fpgan.nested import flat_numbers
from fpgan.networks.hourglass import LandmarkNet, landmark_distance
from fpgan.networks.inference import find_landmarks
from fpgan.networks.store import load_network
from fpgan.params import Params
from fpgan.registry import IDENTITY, Entry, champion, make_champion, register
from fpgan.splits import Split, split_real, split_synthetic
from fpgan.stages.evaluate import evaluated_files
from fpgan.stages.stage import digest, run_stage
from fpgan.training.distributed import default_device

EXAMPLES = 4  # eyes
# Estimators that take real eyes as they are and saw no label of theirs, by the eyes they are trained on.
ESTIMATORS = {"no_adaptation": "synthetic", "adaptive_data": "adapted", "forward": "translated"}
TRANSLATED_BY = {"s2r": "forward", "r2s": "backward"}


class Candidate(NamedTuple):
    """A trained network, and why it is the one of its kind to register."""

    kind: str
    weights: Path
    seed: int
    measured: Measured
    unit: str
    purpose: str
    answer: str
    trained_on: str
    choice: str
    scores: dict[str, float]
    """For metrics, all there are."""
    example: NDArray[np.uint8]

    @property
    def name(self) -> str:
        """In the registry."""
        return f"fpgan-{self.kind}"


def register_stage(params: Params) -> str:
    """Writes the ONNX files and the card, registers versions; returns what came of it, in words."""
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
        candidates = find_candidates(params, evaluation, trials)
        lines, cards = [], []
        for candidate in candidates:
            network = stage.output / f"{candidate.kind}.onnx"
            write_network(candidate.weights, network, "onnx", candidate.example.shape[1:])
            card = model_card(describe(candidate, evaluation))
            cards.append(card)
            lines.append(f"{REGISTERED / network.name}: {enter(candidate, evaluation, network, card)}")
        (stage.output / "model_card.md").write_text("\n".join(cards))
        stage.run.artifact(stage.output / "model_card.md")
        stage.score(
            {
                candidate.kind: {"seed": candidate.seed, f"error_{candidate.unit}": candidate.measured.error}
                for candidate in candidates
            }
        )
    return "\n".join([*lines, *skipped_lines(evaluation)])


def find_candidates(params: Params, evaluation: Evaluation, trials: Sequence[Trial]) -> list[Candidate]:
    """One network of each kind, of the seed that errs least where that is known, else of the first."""
    real = load_eyes(PREPARED_REAL, equalized=False)
    real = real.select(shown(split_real(real.person, params.split)))
    adapted = load_eyes(ADAPTED, equalized=False)
    adapted = adapted.select(shown(split_synthetic(len(adapted), params.split)))
    return [
        translator(evaluation, trials, "s2r", adapted.image),
        translator(evaluation, trials, "r2s", real.image),
        gaze_estimator(evaluation, trials, real.image),
        landmark_network(params, evaluation, trials, adapted.image),
    ]


def shown(split: Split) -> NDArray[np.int64]:
    """A few validation eyes, or training eyes where nobody validates."""
    rows = split.validation if len(split.validation) else split.training
    return rows[:EXAMPLES]


def translator(
    evaluation: Evaluation, trials: Sequence[Trial], direction: str, example: NDArray[np.uint8]
) -> Candidate:
    """G or F, by the gaze error of the protocol that its translations are for."""
    protocol = TRANSLATED_BY[direction]
    trial, error, choice = least(trials, errors_by_seed(evaluation, protocol), PROTOCOLS[protocol].meaning)
    source, target = ("synthetic", "real") if direction == "s2r" else ("real", "synthetic")
    return Candidate(
        direction,
        trial.generator(direction),
        trial.seed,
        measured_on_real(evaluation, error),
        "degrees",
        f"Translates {source} eyes so that they look {target}, and keeps where they look.",
        "float32 grey levels 0 to 255 of the same shape"
        if example.ndim == 3
        else "float32 RGB levels 0 to 255",
        "adapted S and the pictures of R, without labels of R",
        choice,
        scores_of(
            evaluation,
            [f"gaze_error_degrees/{protocol}/", f"preservation/{direction}/", f"quality/{direction}/"],
        ),
        example,
    )


def gaze_estimator(evaluation: Evaluation, trials: Sequence[Trial], example: NDArray[np.uint8]) -> Candidate:
    """The estimator of the best protocol that takes real eyes as they are and needs no labels of them."""
    means = {
        name: np.mean(list(found.values()))
        for name in ESTIMATORS
        if (found := errors_by_seed(evaluation, name))
    }
    protocol = min(means, key=lambda name: means[name]) if means else "forward"
    others = ", ".join(name.replace("_", " ") for name in means if name != protocol)
    trial, error, choice = least(trials, errors_by_seed(evaluation, protocol), PROTOCOLS[protocol].meaning)
    if others:
        choice += f" Its protocol, {protocol.replace('_', ' ')}, errs less on the test persons than {others}."
    return Candidate(
        "gaze",
        trial.gaze_net(ESTIMATORS[protocol]),
        trial.seed,
        measured_on_real(evaluation, error),
        "degrees",
        "Says where a real eye looks.",
        "float32 (N, 2): pitch and yaw in radians; looking up pitch > 0, to the picture's left yaw > 0",
        {"synthetic": "S", "adapted": "adapted S", "translated": "adapted S translated to R"}[
            ESTIMATORS[protocol]
        ],
        choice,
        scores_of(evaluation, [f"gaze_error_degrees/{protocol}/"]),
        example,
    )


def landmark_network(
    params: Params, evaluation: Evaluation, trials: Sequence[Trial], example: NDArray[np.uint8]
) -> Candidate:
    """The landmark network, by its error on the synthetic test eyes, which have landmarks."""
    eyes = load_eyes(PREPARED_SYNTHETIC)
    test = eyes.select(split_synthetic(len(eyes), params.split).test)
    test = test.select(test.has_landmarks)
    errors = {trial.seed: landmark_error(trial.landmark_net, test) for trial in trials} if len(test) else {}
    trial, error, choice = least(trials, errors, "distance on synthetic test eyes")
    return Candidate(
        "landmarks",
        trial.landmark_net,
        trial.seed,
        Measured(error, digest_test_eyes(test), is_sample(evaluation, "unityeyes")),
        "pixels",
        "Finds 18 landmarks of an eye: 8 on the eyelid margin, 8 on the iris edge, the iris centre, the "
        "eyeball centre.",
        "float32 (N, 18, 2): x and y in pixels of the picture",
        "S",
        choice,
        {} if error is None else {"landmark_error_pixels": error},
        example,
    )


def landmark_error(weights: Path, eyes: Eyes) -> float:
    """Mean distance in pixels from the true landmarks."""
    network = load_network(weights, LandmarkNet).to(default_device())
    return float(landmark_distance(find_landmarks(network, eyes.image), eyes.landmarks).mean())


def errors_by_seed(evaluation: Evaluation, protocol: str) -> dict[int, float]:
    """Mean gaze error in degrees; empty where the protocol was skipped."""
    gaze = evaluation.estimates.get(protocol)
    if gaze is None:
        return {}
    errors = Estimates(gaze, evaluation.gaze, evaluation.person).errors.mean(axis=1)
    return dict(zip(evaluation.seeds, errors.tolist(), strict=True))


def least(
    trials: Sequence[Trial], errors: Mapping[int, float], meaning: str
) -> tuple[Trial, float | None, str]:
    """The trial that errs least, its error, and how it was chosen, in words."""
    if not errors:
        return trials[0], None, "Its error is not known: the real test eyes have no gaze labels."
    best = min(trials, key=lambda trial: errors[trial.seed])
    choice = f"Judged by its error ({meaning})."
    if len(trials) > 1:
        choice = (
            f"Of {len(trials)} trainings the one that errs least ({meaning}) was taken, which makes that "
            "error look smaller than it is."
        )
    return best, errors[best.seed], choice


def measured_on_real(evaluation: Evaluation, error: float | None) -> Measured:
    return Measured(error, evaluation.test_digest, is_sample(evaluation, "mpiifacegaze"))


def is_sample(evaluation: Evaluation, domain: str) -> bool:
    return Path(evaluation.params["data"][domain]).is_relative_to(SAMPLE)


def scores_of(evaluation: Evaluation, starts: Sequence[str]) -> dict[str, float]:
    """Those numbers of metrics.json whose names start so."""
    numbers = flat_numbers(evaluation.scores)
    return {name: value for name, value in numbers.items() if name.startswith(tuple(starts))}


def describe(candidate: Candidate, evaluation: Evaluation) -> Card:
    """The content of a candidate's card."""
    data: dict[str, Any] = evaluation.params["data"]
    error = candidate.measured.error
    own = {} if error is None else {f"error of this network, {candidate.unit}": error}
    few = {
        name.replace("_", " ").replace("/", ", "): value
        for name, value in candidate.scores.items()
        if name.endswith(("/mean", "/low", "/high", "drift_degrees", "drift_pixels", "/change"))
    }
    return Card(
        name=candidate.name,
        purpose=candidate.purpose,
        answer=candidate.answer,
        shape=candidate.example.shape[1:],
        synthetic=data["unityeyes"],
        real=data["mpiifacegaze"],
        on_sample_data=is_sample(evaluation, "mpiifacegaze"),
        trained_on=candidate.trained_on,
        protocol=evaluation.protocol,
        choice=candidate.choice,
        scores=own | few,
    )


def enter(candidate: Candidate, evaluation: Evaluation, network: Path, card: str) -> str:
    """Registers a candidate and lets it challenge the champion; returns what came of it, in words."""
    name, measured = candidate.name, candidate.measured
    content = json.dumps([digest(candidate.weights), measured.tags()])
    tags = measured.tags() | {
        IDENTITY: hashlib.sha256(content.encode()).hexdigest(),
        "error_unit": candidate.unit,
        "test_persons": ", ".join(np.unique(evaluation.person).tolist()) or "none with labels",
        "seed": str(candidate.seed),
    }
    version, new = register(Entry(name, network, candidate.example, card, candidate.scores, tags))
    error = "" if measured.error is None else f", error {measured.error:.2f} {candidate.unit}"
    told = f"{name} version {version}{'' if new else ' (registered before)'}{error}"
    before = champion(name)
    if before and before[0] == version:
        return f"{told}; the champion"
    verdict = judge(measured, before[1] if before else None)
    if verdict.wins:
        make_champion(name, version)
        return f"{told}; now the champion: {verdict.reason}"
    return f"{told}; version {before[0] if before else ''} stays the champion: {verdict.reason}"


def skipped_lines(evaluation: Evaluation) -> list[str]:
    """What the evaluation could not measure, and why."""
    reasons: dict[str, list[str]] = {}
    for name, reason in evaluation.skipped.items():
        reasons.setdefault(reason, []).append(name.replace("_", " "))
    return [
        f"not evaluated, so not known of these networks: {', '.join(names)} ({reason})"
        for reason, names in reasons.items()
    ]
