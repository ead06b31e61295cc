"""The terms of the generators' loss: which network sees which picture, and what it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fpgan import losses
from fpgan.data.eyes import LANDMARKS
from fpgan.networks.inference import estimate_gaze, find_landmarks
from fpgan.training.batches import batch_rows
from fpgan.training.gan_networks import FeatureNetworks, Networks

if TYPE_CHECKING:
    from fpgan.params import GANWeights, TrainGAN

Tensors = dict[str, Tensor]
"""By name."""
Terms = dict[str, tuple[float, Tensor]]
"""Loss terms, name: (weight, value)."""
Judge = Callable[[Tensor], Tensor]
"""What a discriminator answers to pictures (N, C, H, W)."""


def generator_losses(
    networks: Networks, s: Tensor, r: Tensor, judge_r: Judge, judge_s: Judge, params: TrainGAN
) -> tuple[Terms, Tensor, Tensor]:
    """The generators' loss terms but those of the feature networks, and the translations G(s) and F(r).

    Terms whose weight is 0 are left out and cost nothing.
    """
    weights, kind, label = params.weights, params.adversarial_loss, params.real_label
    fake_r, fake_s = networks.G(s), networks.F(r)
    terms: Terms = {
        "G": (1, losses.adversarial_loss(judge_r(fake_r), kind, label)),
        "F": (1, losses.adversarial_loss(judge_s(fake_s), kind, label)),
    }
    if weight := weights.cycle_synthetic:
        terms["cycle_synthetic"] = (weight, losses.cycle_loss(s, networks.F(fake_r)))
    if weight := weights.cycle_real:
        terms["cycle_real"] = (weight, losses.cycle_loss(r, networks.G(fake_s)))
    if weight := weights.identity:
        terms["identity_G"] = (weight, losses.identity_loss(r, networks.G(r)))
        terms["identity_F"] = (weight, losses.identity_loss(s, networks.F(s)))
    if weight := weights.self_regularization:
        terms["self_regularization_s2r"] = (weight, losses.self_regularization_loss(s, fake_r))
        terms["self_regularization_r2s"] = (weight, losses.self_regularization_loss(r, fake_s))
    return terms, fake_r, fake_s


def find_targets(
    features: FeatureNetworks,
    pictures: NDArray[np.uint8],
    landmarks: NDArray[np.float32] | None,  # the true ones (N, 18, 2), where they are to be kept
    drawn: int,  # pictures in all batches of the training
    seed: int,
    weights: GANWeights,
) -> Tensors:
    """Gaze (N, 2) and landmarks (N, 18, 2) of pictures (N, ...), where their weights ask for them.

    Found once, for the pictures that will be drawn: to look at them again at every step would take a third of
    what the feature networks cost.
    """
    count = len(pictures)
    rows = np.unique(batch_rows(0, min(drawn, count), count, seed))
    targets = {}
    if weights.gaze:
        targets["gaze"] = np.zeros((count, 2), np.float32)
        targets["gaze"][rows] = estimate_gaze(features.gaze, pictures[rows])
    if weights.landmarks and landmarks is not None:
        targets["landmarks"] = landmarks
    elif weights.landmarks:
        targets["landmarks"] = np.zeros((count, LANDMARKS, 2), np.float32)
        targets["landmarks"][rows] = find_landmarks(features.landmarks, pictures[rows])
    return {name: torch.from_numpy(values) for name, values in targets.items()}


def feature_losses(
    features: FeatureNetworks, translation: Tensor, wanted: Tensors, params: TrainGAN
) -> Terms:
    """The loss terms of gaze and landmarks, in full precision, for a translation (N, C, H, W).

    `wanted` holds the gaze (N, 2) and the landmarks (N, 18, 2) it is to have; terms whose weight is 0 are
    left out and cost nothing.
    """
    terms: Terms = {}
    if weight := params.weights.gaze:
        terms["gaze"] = (weight, losses.gaze_loss(wanted["gaze"], features.gaze(translation)))
    if weight := params.weights.landmarks:
        height, width = translation.shape[2:]
        found = features.landmarks(translation)
        terms["landmarks"] = (weight, losses.landmark_loss(wanted["landmarks"], found, height, width))
    return terms
