"""Trained networks over any number of eye pictures, batch by batch, on whatever device they lie."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fpgan.networks.domain_classifier import DomainClassifier
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.pictures import output_to_pictures, pictures_to_input

BATCH = 256


def estimate_gaze(network: GazeNet, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gaze (N, 2), pitch and yaw in radians, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return np.asarray(_run(network, pictures, BATCH).numpy())


def find_landmarks(network: LandmarkNet, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Landmarks (N, 18, 2), x and y in pixels, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return np.asarray(_run(network, pictures, BATCH).numpy())


def translate_pictures(
    generator: Generator, pictures: NDArray[np.uint8], batch_size: int = BATCH
) -> NDArray[np.uint8]:
    """Translations of equalised pictures (N, H, W) or (N, H, W, 3), every one of them."""
    return output_to_pictures(_run(generator, pictures, batch_size))


def judge_domain(network: DomainClassifier, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (N,) of the target domain, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return np.asarray(_run(network, pictures, BATCH).numpy())


def domain_features(network: DomainClassifier, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features (N, D) by which domains are told apart, of equalised pictures (N, H, W) or (N, H, W, 3)."""
    return np.asarray(_run(network.features, pictures, BATCH).numpy())


@torch.inference_mode()
def _run(network: nn.Module, pictures: NDArray[np.uint8], batch_size: int) -> Tensor:
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    parts = [
        network(pictures_to_input(pictures[start : start + batch_size]).to(device)).cpu()
        for start in range(0, len(pictures), batch_size)
    ]
    network.train(was_training)
    return torch.cat(parts)
