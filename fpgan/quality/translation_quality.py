"""How much translated eyes look like eyes of the target domain, beside how much untranslated ones do."""

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
MOST_EYES = 2000  # of either in a distance; more would hardly change it

Distance = Callable[[NDArray[np.floating], NDArray[np.floating]], float]


class DomainDistance(NamedTuple):
    """A distance to the target domain, mean over two halves of the target eyes; 0 for the same distribution.

    All three are of equally many eyes, so none is larger only because its sets are small.
    """

    before: float
    """Of the source eyes."""
    after: float
    """Of their translations."""
    floor: float
    """Between the halves, which share no person where the target has several; a translation can be nearer to
    both halves, which differ by their persons, than they are to each other."""


class Quality(NamedTuple):
    """How much translations look like target eyes; eyes that look elsewhere count as different as well."""

    sliced_wasserstein: DomainDistance
    frechet: DomainDistance
    """Grows with the square of a shift."""
    kernel: DomainDistance
    """May fall below 0."""
    taken_for_target: float
    """Share of translations that a classifier trained to unmask them takes for target eyes: 0.5 at best."""


def domain_feature_space(
    target: NDArray[np.uint8], source: NDArray[np.uint8], *, seed: int, device: torch.device
) -> DomainClassifier:
    """The network whose features tell both domains' training eyes apart, (N, H, W) or (N, H, W, 3).

    It serves for translations in both directions.
    """
    return train_domain_classifier(target, source, decorrelation=DECORRELATION, seed=seed, device=device)


def too_few_eyes(source: Eyes, target: Eyes) -> str | None:
    """Why `translation_quality` would mean nothing for these eyes, in words; None where it does."""
    if len(source) < FEWEST_EYES:
        return f"{len(source)} eyes were translated; the quality of fewer than {FEWEST_EYES} means nothing"
    smaller = min(len(half) for half in _halves(target, seed=0))
    if smaller < FEWEST_EYES:
        return (
            f"{len(target)} target eyes, split into halves that share no person, leave {smaller} in the "
            f"smaller; fewer than {FEWEST_EYES} mean nothing"
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
    """Compares eyes that no training has seen; a pure function of its arguments.

    Raises ValueError where there are `too_few_eyes`.
    """
    if reason := too_few_eyes(source, target):
        raise ValueError(reason)
    halves = _halves(target, seed)
    count = min(len(source), *map(len, halves), MOST_EYES)
    rows = _some(len(source), count, seed)
    before, after, one, other = (
        domain_features(features, pictures)
        for pictures in (
            source.image[rows],
            translation.image[rows],
            *(half.image[_some(len(half), count, seed)] for half in halves),
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


def _some(length: int, count: int, seed: int) -> NDArray[np.int64]:
    """`count` rows out of `length`, drawn at random."""
    return np.sort(np.random.default_rng(seed).permutation(length)[:count])
