"""The similarity of translated eyes to eyes of the target domain, compared with that of untranslated eyes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from fpgan.data.eyes import Eyes
from fpgan.networks.domain_classifier import DomainClassifier
from fpgan.networks.inference import domain_features
from fpgan.quality.distances import frechet_distance, kernel_distance, sliced_wasserstein_distance
from fpgan.quality.parts import person_parts
from fpgan.quality.two_sample import taken_for_target
from fpgan.training.domain_training import train_domain_classifier

DECORRELATION = 0.03
FEWEST_EYES = 50  # of the source and of each half of the target: three times as many as features
MOST_EYES = 2000  # of each set in a distance; more would hardly change the distance

Distance = Callable[[NDArray[np.floating], NDArray[np.floating]], float]


class DomainDistance(NamedTuple):
    """A distance to the target domain, averaged over two halves of its eyes; 0 for equal distributions.

    All three distances use the same number of eyes, so the size of the sets does not influence them.
    """

    before: float
    """Of the source eyes."""
    after: float
    """Of their translations."""
    floor: float
    """Between the halves, which share no person if the target has several. As the halves differ by their
    persons, translations can be nearer to both halves than these are to each other."""


class Quality(NamedTuple):
    """The similarity of translations to target eyes. A different gaze distribution counts as a difference."""

    sliced_wasserstein: DomainDistance
    frechet: DomainDistance
    """Grows with the square of a shift."""
    kernel: DomainDistance
    """May be negative."""
    taken_for_target: float
    """Share of translations that a classifier trained to recognise them takes for target eyes; best: 0.5."""


def domain_feature_space(
    target: NDArray[np.uint8], source: NDArray[np.uint8], *, seed: int, device: torch.device
) -> DomainClassifier:
    """A network whose features distinguish both domains' training eyes, (N, H, W) or (N, H, W, 3).

    It can be used for translations in both directions.
    """
    return train_domain_classifier(target, source, decorrelation=DECORRELATION, seed=seed, device=device)


def too_few_eyes(source: Eyes, target: Eyes) -> str | None:
    """The reason why `translation_quality` cannot be measured with these eyes; None if it can."""
    if len(source) < FEWEST_EYES:
        return (
            f"{len(source)} eyes were translated; at least {FEWEST_EYES} are needed to measure their quality"
        )
    smaller = min(len(half) for half in _halves(target, seed=0))
    if smaller < FEWEST_EYES:
        return (
            f"{len(target)} target eyes, split into halves that share no person, leave {smaller} in the "
            f"smaller half; at least {FEWEST_EYES} are needed"
        )
    return None


def translation_quality(
    source: Eyes,
    translation: Eyes,  # of the same rows
    target: Eyes,
    *,
    features: DomainClassifier,
    seed: int,
    device: torch.device,
) -> Quality:
    """The quality of translations, measured on eyes that were not trained on; a pure function.

    Raises ValueError if there are `too_few_eyes`.
    """
    if reason := too_few_eyes(source, target):
        raise ValueError(reason)
    halves = _halves(target, seed)
    count = min(len(source), *map(len, halves), MOST_EYES)
    rows = _draw_rows(len(source), count, seed)
    before, after, one, other = (
        domain_features(features, pictures)
        for pictures in (
            source.image[rows],
            translation.image[rows],
            *(half.image[_draw_rows(len(half), count, seed)] for half in halves),
        )
    )

    def compare(distance: Distance) -> DomainDistance:
        return DomainDistance(
            (distance(before, one) + distance(before, other)) / 2,
            (distance(after, one) + distance(after, other)) / 2,
            distance(one, other),
        )

    return Quality(
        compare(sliced_wasserstein_distance),
        compare(frechet_distance),
        compare(kernel_distance),
        taken_for_target(translation, target, seed=seed, device=device),
    )


def _halves(eyes: Eyes, seed: int) -> list[Eyes]:
    part = person_parts(eyes.person, 2, seed)
    return [eyes.select(part == half) for half in range(2)]


def _draw_rows(length: int, count: int, seed: int) -> NDArray[np.int64]:
    """`count` of `length` rows, drawn at random, in ascending order."""
    return np.sort(np.random.default_rng(seed).permutation(length)[:count])
