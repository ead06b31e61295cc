"""What FP-GAN trains: its networks, and the terms of the generators' loss.

A loss term of pictures is a function in `fpgan.losses`, an entry in `PICTURE_TERMS`, and a weight in
`fpgan.params.GANWeights` under the same key. A loss term of a frozen network's answers is the same with an
entry in `FROZEN_FEATURES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fpgan import losses
from fpgan.domains import TrainedOn
from fpgan.networks.discriminator import Discriminator
from fpgan.networks.eye_network import EyeNetwork
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import answers
from fpgan.training.batches import batch_rows

if TYPE_CHECKING:
    from pathlib import Path

    from fpgan.layout import Trial
    from fpgan.params import GANWeights, TrainGAN

Tensors = dict[str, Tensor]
"""Tensors by name."""
Terms = dict[str, tuple[float, Tensor]]
"""Loss terms by name: (weight, value)."""
Judge = Callable[[Tensor], Tensor]
"""A discriminator: pictures (N, C, H, W) to its answers (N, 1, h, w)."""


class Generators(NamedTuple):
    """The two generators."""

    G: Generator
    """S -> R"""
    F: Generator
    """R -> S"""


@dataclass(frozen=True)
class Networks:
    """The four networks that are trained, under the names of the CycleGAN paper (Zhu et al., ICCV 2017)."""

    G: Generator
    """S -> R"""
    F: Generator
    """R -> S"""
    D_R: Discriminator
    D_S: Discriminator

    def all(self) -> dict[str, nn.Module]:
        return {"G": self.G, "F": self.F, "D_R": self.D_R, "D_S": self.D_S}


def build_networks(params: TrainGAN, channels: int, seed: int) -> Networks:
    """The networks with their initial weights, a pure function of the seed."""
    torch.manual_seed(seed)
    generator = generator_arguments(params, channels)
    discriminator = {"channels": channels, **params.discriminator.model_dump()}
    return Networks(
        Generator(**generator),
        Generator(**generator),
        Discriminator(**discriminator),
        Discriminator(**discriminator),
    )


def generator_arguments(params: TrainGAN, channels: int) -> dict[str, Any]:
    """The arguments of `Generator` for both generators."""
    return {"channels": channels, **params.generator.model_dump()}


class TranslatedBatch(NamedTuple):
    """The pictures (N, C, H, W) of a step in [-1, 1], with their translations, and both generators."""

    s: Tensor
    r: Tensor
    fake_r: Tensor
    """G(s)"""
    fake_s: Tensor
    """F(r)"""
    G: Generator
    F: Generator


PICTURE_TERMS: dict[str, Callable[[TranslatedBatch], Tensors]] = {
    "cycle_synthetic": lambda x: {"cycle_synthetic": losses.cycle_loss(x.s, x.F(x.fake_r))},
    "cycle_real": lambda x: {"cycle_real": losses.cycle_loss(x.r, x.G(x.fake_s))},
    "identity": lambda x: {
        "identity_G": losses.identity_loss(x.r, x.G(x.r)),
        "identity_F": losses.identity_loss(x.s, x.F(x.s)),
    },
    "self_regularization": lambda x: {
        "self_regularization_s2r": losses.self_regularization_loss(x.s, x.fake_r),
        "self_regularization_r2s": losses.self_regularization_loss(x.r, x.fake_s),
    },
}
"""Loss terms of pictures, by the key of their weight; each value is logged under its own name."""


class FrozenFeature(NamedTuple):
    """A feature of an eye that translation has to preserve, as a frozen network finds it."""

    kind: type[EyeNetwork]
    """Class of the network, whose answers are compared."""
    input_name: str
    """Name of the network among the inputs of train-gan."""
    file: Callable[[Trial], Path]
    """The trained network."""
    loss: Callable[[Tensor, Tensor, Tensor], Tensor]
    """Of the wanted answers, of those to the translation, and of the translation (N, C, H, W)."""


FROZEN_FEATURES: dict[str, FrozenFeature] = {
    "gaze": FrozenFeature(
        GazeNet,
        "gaze_net",
        lambda trial: trial.gaze_net(TrainedOn.ADAPTED),
        lambda wanted, found, _: losses.gaze_loss(wanted, found),
    ),
    "landmarks": FrozenFeature(
        LandmarkNet,
        "landmark_net",
        lambda trial: trial.landmark_net,
        lambda wanted, found, translation: losses.landmark_loss(wanted, found, *translation.shape[2:]),
    ),
}
"""Loss terms of frozen networks' answers, by the key of their weight; logged by direction, as 'gaze_s2r'."""


def generator_losses(
    networks: Networks, s: Tensor, r: Tensor, judge_r: Judge, judge_s: Judge, params: TrainGAN
) -> tuple[Terms, Tensor, Tensor]:
    """The adversarial terms and the picture terms, and the translations G(s) and F(r).

    Terms of weight 0 are not computed.
    """
    kind, label = params.adversarial_loss, params.real_label
    fake_r, fake_s = networks.G(s), networks.F(r)
    terms: Terms = {
        "G": (1, losses.adversarial_loss(judge_r(fake_r), kind, label)),
        "F": (1, losses.adversarial_loss(judge_s(fake_s), kind, label)),
    }
    batch = TranslatedBatch(s, r, fake_r, fake_s, networks.G, networks.F)
    for name, compute in PICTURE_TERMS.items():
        if weight := getattr(params.weights, name):
            terms |= {term: (weight, value) for term, value in compute(batch).items()}
    return terms, fake_r, fake_s


def feature_losses(
    features: Mapping[str, nn.Module], translation: Tensor, wanted: Tensors, weights: GANWeights
) -> Terms:
    """The terms of the frozen networks for a translation (N, C, H, W), in full precision.

    `wanted` holds the answers (N, ...) that the translation should give. Terms of weight 0 are not computed.
    """
    terms: Terms = {}
    for name, feature in FROZEN_FEATURES.items():
        if weight := getattr(weights, name):
            found = features[name](translation)
            terms[name] = (weight, feature.loss(wanted[name], found, translation))
    return terms


def find_targets(
    features: Mapping[str, nn.Module],
    pictures: NDArray[np.uint8],
    labels: Mapping[str, NDArray[np.float32]],  # (N, ...) by feature, where labels are the targets
    drawn: int,  # pictures in all batches of the training
    seed: int,
    weights: GANWeights,
) -> Tensors:
    """The answers (N, ...) that the translations of pictures (N, ...) should give, by feature.

    They are computed once, and only for the pictures that will be drawn. Computing them at every step would
    take a third of the frozen networks' time. Features of weight 0 are left out.
    """
    count = len(pictures)
    rows = np.unique(batch_rows(0, min(drawn, count), count, seed))
    targets: dict[str, NDArray[np.float32]] = {}
    for name in FROZEN_FEATURES:
        if not getattr(weights, name):
            continue
        if name in labels:
            targets[name] = labels[name]
            continue
        found = answers(features[name], pictures[rows])
        targets[name] = np.zeros((count, *found.shape[1:]), np.float32)
        targets[name][rows] = found
    return {name: torch.from_numpy(values) for name, values in targets.items()}
