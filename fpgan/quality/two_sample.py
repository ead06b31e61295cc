"""How often a translated eye is taken for an eye of the target domain: a classifier two-sample test
(Lopez-Paz, Oquab, ICLR 2017)."""

import numpy as np
import torch
from numpy.typing import NDArray

from fpgan.data.eyes import Eyes
from fpgan.networks.inference import judge_domain
from fpgan.quality.parts import person_parts
from fpgan.training.domain_training import train_domain_classifier

FOLDS = 3


def taken_for_target(candidates: Eyes, target: Eyes, *, seed: int, device: torch.device) -> float:
    """The share of `candidates` that a classifier takes for target eyes: 0.5 if it can only guess, 0 if it
    recognises all of them. It is above 0.5 if features of some persons mislead it about others.

    Cross-validation: classifiers are trained on all folds but one and judge that one. All eyes of a person
    are in one fold; the eyes of a set of one person are distributed at random. At the threshold an equal
    share of the target eyes is rejected, so a bias of the classifier has no influence. With fewer eyes a
    classifier learns less and the share is higher, so compare only sets of the same sizes.
    """
    folds = min([FOLDS, *(n for n in map(_persons, (candidates, target)) if n > 1)])
    fold_c, fold_t = (person_parts(eyes.person, folds, seed) for eyes in (candidates, target))
    shares = []
    for fold in range(folds):
        here, there = fold_c == fold, fold_t == fold
        judge = train_domain_classifier(
            target.image[~there], candidates.image[~here], seed=seed, device=device
        )
        shares.append(
            equal_error_rate(
                judge_domain(judge, target.image[there]), judge_domain(judge, candidates.image[here])
            )
        )
    return float(np.average(shares, weights=np.bincount(fold_c, minlength=folds)))


def equal_error_rate(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """The share of scores on the wrong side of the threshold at which this share is equal for both sets."""
    thresholds = np.unique(np.concatenate([positive, negative]))
    missed = np.searchsorted(np.sort(positive), thresholds) / len(positive)
    taken = 1 - np.searchsorted(np.sort(negative), thresholds) / len(negative)
    nearest = np.abs(missed - taken).argmin()
    return float((missed[nearest] + taken[nearest]) / 2)


def _persons(eyes: Eyes) -> int:
    return len(np.unique(eyes.person))
