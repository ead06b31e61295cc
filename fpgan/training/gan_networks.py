"""The networks of a GAN training, under the names of the CycleGAN paper (Zhu et al., ICCV 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from fpgan.networks.discriminator import Discriminator
from fpgan.networks.frozen import frozen
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet

if TYPE_CHECKING:
    from fpgan.params import TrainGAN


class Generators(NamedTuple):
    """The two that translate."""

    G: Generator
    """S -> R"""
    F: Generator
    """R -> S"""


@dataclass(frozen=True)
class Networks:
    """The four that are trained."""

    G: Generator
    """S -> R"""
    F: Generator
    """R -> S"""
    D_R: Discriminator
    D_S: Discriminator

    def all(self) -> dict[str, nn.Module]:
        return {"G": self.G, "F": self.F, "D_R": self.D_R, "D_S": self.D_S}


class FeatureNetworks:
    """Those that see what a translation is to keep: frozen copies of trained networks."""

    def __init__(self, gaze: GazeNet, landmarks: LandmarkNet) -> None:
        self.gaze = frozen(gaze)
        self.landmarks = frozen(landmarks)

    def to(self, device: torch.device) -> FeatureNetworks:
        """Moves both, and returns itself."""
        self.gaze.to(device)
        self.landmarks.to(device)
        return self


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
    """What the class of both generators is built with."""
    return {"channels": channels, **params.generator.model_dump()}
