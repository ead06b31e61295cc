"""Chooses the networks of an evaluation to register: one of each kind."""

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
from fpgan.domains import Direction, TestedOn
from fpgan.evaluation.estimates import Estimates
from fpgan.evaluation.protocols import HEADLINE, PROTOCOLS
from fpgan.evaluation.record import Evaluation, digest_test_eyes
from fpgan.layout import ADAPTED, PREPARED_REAL, PREPARED_SYNTHETIC, SAMPLE, Trial
from fpgan.nested import flat_numbers
from fpgan.networks.hourglass import LandmarkNet, landmark_distance
from fpgan.networks.inference import find_landmarks
from fpgan.networks.weights import load_network
from fpgan.params import SplitParams
from fpgan.wording import spaced

EXAMPLES = 4  # eyes


class Candidate(NamedTuple):
    """A network to register, with its description."""

    kind: str
    """A direction of translation, "gaze" or "landmarks"."""
    weights: Path
    seed: int
    measured: Measured
    unit: str
    """Unit of the error."""
    purpose: str
    answer: str
    """Meaning, shape and unit of its output."""
    trained_on: str
    choice: str
    """Why this network was chosen."""
    scores: dict[str, float]
    """All its numbers in metrics.json."""
    example: NDArray[np.uint8]
    """A few eyes, not equalised."""

    @property
    def name(self) -> str:
        """Its name in the registry."""
        return f"fpgan-{self.kind}"


class Least(NamedTuple):
    """The training with the least error."""

    trial: Trial
    error: float | None
    choice: str
    """The reason for the choice, in words."""


def find_candidates(split: SplitParams, evaluation: Evaluation, trials: Sequence[Trial]) -> list[Candidate]:
    """One network of each kind: of the seed with the least error, or of the first if errors are unknown."""
    real = load_eyes(PREPARED_REAL, equalized=False)
    real = real.select(shown(split_real(real.person, split)))
    adapted = load_eyes(ADAPTED, equalized=False)
    adapted = adapted.select(shown(split_synthetic(len(adapted), split)))
    synthetic = load_eyes(PREPARED_SYNTHETIC)
    tested = synthetic.select(split_synthetic(len(synthetic), split).test)
    return [
        translator(evaluation, trials, Direction.S2R, adapted.image),
        translator(evaluation, trials, Direction.R2S, real.image),
        gaze_estimator(evaluation, trials, real.image),
        landmark_network(evaluation, trials, adapted.image, tested.select(tested.has_landmarks)),
    ]


def shown(split: Split) -> NDArray[np.int64]:
    """A few validation eyes, or training eyes if there are no validation eyes."""
    rows = split.validation if len(split.validation) else split.training
    return rows[:EXAMPLES]


def translator(
    evaluation: Evaluation, trials: Sequence[Trial], direction: Direction, example: NDArray[np.uint8]
) -> Candidate:
    """The generator for a direction, chosen by the first protocol that depends on this direction alone."""
    protocol = next(name for name, each in PROTOCOLS.items() if each.translators == {direction})
    least = least_error(trials, errors_by_seed(evaluation, protocol), PROTOCOLS[protocol].meaning)
    return Candidate(
        kind=direction,
        weights=least.trial.generator(direction),
        seed=least.trial.seed,
        measured=measured_on_real(evaluation, least.error),
        unit="degrees",
        purpose=f"Translates {direction.source} eyes so that they look {direction.target}; keeps their gaze.",
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
    """The estimator of the best protocol that takes real eyes untranslated and uses no labels of them."""
    estimators = {
        name: protocol.trained_on
        for name, protocol in PROTOCOLS.items()
        if protocol.trained_on and protocol.tested_on is TestedOn.REAL and not protocol.uses_real_labels
    }
    errors = {name: errors_by_seed(evaluation, name) for name in estimators}
    means = {name: np.mean(list(found.values())) for name, found in errors.items() if found}
    protocol = min(means, key=lambda name: means[name]) if means else HEADLINE
    least = least_error(trials, errors[protocol], PROTOCOLS[protocol].meaning)
    others = [spaced(name) for name in means if name != protocol]
    better = (
        f" It was chosen over {' and '.join(others)} because of its smaller error on the test persons, so on "
        "other persons its error may be larger."
    )
    return Candidate(
        kind="gaze",
        weights=least.trial.gaze_net(estimators[protocol]),
        seed=least.trial.seed,
        measured=measured_on_real(evaluation, least.error),
        unit="degrees",
        purpose="Estimates the gaze of a real eye.",
        answer="float32 (N, 2): pitch and yaw in radians; up is pitch > 0, to the picture's left is yaw > 0",
        trained_on=estimators[protocol].meaning,
        choice=least.choice + (better if others else ""),
        scores=scores_of(evaluation, f"gaze_error_degrees/{protocol}/"),
        example=example,
    )


def landmark_network(
    evaluation: Evaluation, trials: Sequence[Trial], example: NDArray[np.uint8], tested: Eyes
) -> Candidate:
    """The landmark network, chosen by its error on synthetic test eyes with landmarks."""
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
    """Mean gaze error by seed, in degrees; empty if the protocol was skipped."""
    gaze = evaluation.estimates.get(protocol)
    if gaze is None:
        return {}
    errors = Estimates(gaze, evaluation.gaze, evaluation.person).errors.mean(axis=1)
    return dict(zip(evaluation.seeds, errors.tolist(), strict=True))


def least_error(trials: Sequence[Trial], errors: Mapping[int, float], meaning: str) -> Least:
    """The training with the least error; the first if errors are unknown."""
    if not errors:
        return Least(trials[0], None, "Its error is not known, because no test eye has a label.")
    best = min(trials, key=lambda trial: errors[trial.seed])
    choice = f"Its error: {meaning}."
    if len(trials) > 1:
        choice += (
            f" It has the least error of {len(trials)} trainings, so on other eyes its error may be larger."
        )
    return Least(best, errors[best.seed], choice)


def measured_on_real(evaluation: Evaluation, error: float | None) -> Measured:
    """An error on the real test eyes."""
    return Measured(error, evaluation.test_digest, is_sample(evaluation, "mpiifacegaze"))


def is_sample(evaluation: Evaluation, dataset: str) -> bool:
    """Whether the eyes of a data set are sample data, which this project renders."""
    return Path(evaluation.params["data"][dataset]).is_relative_to(SAMPLE)


def scores_of(evaluation: Evaluation, *starts: str) -> dict[str, float]:
    """The numbers of metrics.json whose names begin with one of `starts`."""
    numbers = flat_numbers(evaluation.scores)
    return {name: value for name, value in numbers.items() if name.startswith(starts)}
