"""Of all networks that an evaluation is about, those to register: one of each kind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpgan.data.eye_set import load_eyes
from fpgan.data.eyes import Eyes
from fpgan.data.splits import Split, split_real, split_synthetic
from fpgan.deployment.champion import Measured
from fpgan.device import default_device
from fpgan.evaluation.estimates import Estimates
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.evaluation.record import Evaluation, digest_test_eyes
from fpgan.layout import ADAPTED, PREPARED_REAL, PREPARED_SYNTHETIC, SAMPLE, Trial
from fpgan.nested import flat_numbers
from fpgan.networks.hourglass import LandmarkNet, landmark_distance
from fpgan.networks.inference import find_landmarks
from fpgan.networks.weights import load_network
from fpgan.params import SplitParams
from fpgan.wording import spaced

EXAMPLES = 4  # eyes
TRANSLATED_BY = {"s2r": "forward", "r2s": "backward"}
# Estimators that take real eyes as they are and saw no label of theirs, by the eyes they are trained on.
ESTIMATORS = {"no_adaptation": "synthetic", "adaptive_data": "adapted", "forward": "translated"}
EYES = {"synthetic": "S", "adapted": "adapted S", "translated": "adapted S translated to R"}


class Candidate(NamedTuple):
    """A network to register, and what is to be said of it."""

    kind: str
    """'s2r', 'r2s', 'gaze' or 'landmarks'."""
    weights: Path
    seed: int
    measured: Measured
    unit: str
    """Of the error."""
    purpose: str
    answer: str
    """What it answers with, its shape and unit."""
    trained_on: str
    choice: str
    """Why this one."""
    scores: dict[str, float]
    """All that was measured."""
    example: NDArray[np.uint8]
    """A few eyes, not equalised."""

    @property
    def name(self) -> str:
        """In the registry."""
        return f"fpgan-{self.kind}"


class Least(NamedTuple):
    """The training of several that errs least."""

    trial: Trial
    error: float | None
    choice: str
    """How it was chosen, in words."""


def find_candidates(split: SplitParams, evaluation: Evaluation, trials: Sequence[Trial]) -> list[Candidate]:
    """One network of each kind, of the seed that errs least where that is known, else of the first."""
    real = load_eyes(PREPARED_REAL, equalized=False)
    real = real.select(shown(split_real(real.person, split)))
    adapted = load_eyes(ADAPTED, equalized=False)
    adapted = adapted.select(shown(split_synthetic(len(adapted), split)))
    synthetic = load_eyes(PREPARED_SYNTHETIC)
    tested = synthetic.select(split_synthetic(len(synthetic), split).test)
    return [
        translator(evaluation, trials, "s2r", adapted.image),
        translator(evaluation, trials, "r2s", real.image),
        gaze_estimator(evaluation, trials, real.image),
        landmark_network(evaluation, trials, adapted.image, tested.select(tested.has_landmarks)),
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
    least = least_error(trials, errors_by_seed(evaluation, protocol), PROTOCOLS[protocol].meaning)
    source, target = ("synthetic", "real") if direction == "s2r" else ("real", "synthetic")
    return Candidate(
        kind=direction,
        weights=least.trial.generator(direction),
        seed=least.trial.seed,
        measured=measured_on_real(evaluation, least.error),
        unit="degrees",
        purpose=f"Translates {source} eyes so that they look {target}, and keeps where they look.",
        answer=f"float32 {'grey' if example.ndim == 3 else 'RGB'} levels 0 to 255, of the same shape",
        trained_on="adapted S and the pictures of R, without labels of R",
        choice=least.choice,
        scores=scores_of(
            evaluation,
            f"gaze_error_degrees/{protocol}/",
            f"preservation/{direction}/",
            f"quality/{direction}/",
        ),
        example=example,
    )


def gaze_estimator(evaluation: Evaluation, trials: Sequence[Trial], example: NDArray[np.uint8]) -> Candidate:
    """The estimator of the best protocol that takes real eyes as they are and needs no labels of them."""
    errors = {name: errors_by_seed(evaluation, name) for name in ESTIMATORS}
    means = {name: np.mean(list(found.values())) for name, found in errors.items() if found}
    protocol = min(means, key=lambda name: means[name]) if means else "forward"
    least = least_error(trials, errors[protocol], PROTOCOLS[protocol].meaning)
    others = [spaced(name) for name in means if name != protocol]
    better = (
        f" It was chosen over {' and '.join(others)} as it errs less on the test persons, so on others it "
        "may err more than that."
    )
    return Candidate(
        kind="gaze",
        weights=least.trial.gaze_net(ESTIMATORS[protocol]),
        seed=least.trial.seed,
        measured=measured_on_real(evaluation, least.error),
        unit="degrees",
        purpose="Says where a real eye looks.",
        answer="float32 (N, 2): pitch and yaw in radians; up is pitch > 0, to the picture's left is yaw > 0",
        trained_on=EYES[ESTIMATORS[protocol]],
        choice=least.choice + (better if others else ""),
        scores=scores_of(evaluation, f"gaze_error_degrees/{protocol}/"),
        example=example,
    )


def landmark_network(
    evaluation: Evaluation, trials: Sequence[Trial], example: NDArray[np.uint8], tested: Eyes
) -> Candidate:
    """The landmark network, by its error on synthetic test eyes with landmarks."""
    errors = {trial.seed: landmark_error(trial.landmark_net, tested) for trial in trials if len(tested)}
    least = least_error(trials, errors, "distance on synthetic test eyes")
    return Candidate(
        kind="landmarks",
        weights=least.trial.landmark_net,
        seed=least.trial.seed,
        measured=Measured(least.error, digest_test_eyes(tested), is_sample(evaluation, "unityeyes")),
        unit="pixels",
        purpose="Finds 18 landmarks of an eye: 8 on the eyelid margin, 8 on the iris edge, the iris centre, "
        "the eyeball centre.",
        answer="float32 (N, 18, 2): x and y in pixels of the picture",
        trained_on="S",
        choice=least.choice,
        scores={} if least.error is None else {"landmark_error_pixels": least.error},
        example=example,
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


def least_error(trials: Sequence[Trial], errors: Mapping[int, float], meaning: str) -> Least:
    """Which training errs least; the first where that is not known."""
    if not errors:
        return Least(trials[0], None, "Its error is not known, as no test eye has a label.")
    best = min(trials, key=lambda trial: errors[trial.seed])
    choice = f"Its error: {meaning}."
    if len(trials) > 1:
        choice += f" Of {len(trials)} trainings it errs least, so on other eyes it may err more than that."
    return Least(best, errors[best.seed], choice)


def measured_on_real(evaluation: Evaluation, error: float | None) -> Measured:
    return Measured(error, evaluation.test_digest, is_sample(evaluation, "mpiifacegaze"))


def is_sample(evaluation: Evaluation, domain: str) -> bool:
    """Whether the eyes of a domain are those that this project renders."""
    return Path(evaluation.params["data"][domain]).is_relative_to(SAMPLE)


def scores_of(evaluation: Evaluation, *starts: str) -> dict[str, float]:
    """Those numbers of metrics.json whose names start so."""
    numbers = flat_numbers(evaluation.scores)
    return {name: value for name, value in numbers.items() if name.startswith(starts)}
