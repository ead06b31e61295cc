"""Trains a classifier of two domains of eyes, in seconds."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from fpgan.data.pictures import bytes_to_input, pictures_to_bytes
from fpgan.networks.domain_classifier import DomainClassifier
from fpgan.training.batches import batch_rows
from fpgan.training.differentiable_augmentation import change, draw_changes
from fpgan.training.schedule import one_cycle, set_learning_rate

STEPS = 200
BATCH = 32  # eyes of each domain
LEARNING_RATE = 0.003
WEIGHT_DECAY = 0.01


def train_domain_classifier(
    target: NDArray[np.uint8],  # (N, H, W) or (N, H, W, 3)
    other: NDArray[np.uint8],  # (M, H, W) or (M, H, W, 3)
    *,
    decorrelation: float = 0.0,  # weight of the features' squared correlations
    seed: int,
    device: torch.device,
) -> DomainClassifier:
    """A classifier, in evaluation mode, that distinguishes pictures of `target` from those of `other`.

    Every batch holds equally many eyes of both, each randomly shifted and changed in brightness and contrast.
    Without decorrelation (after Cogswell et al., ICLR 2016) all features would become equal. A pure function
    of its arguments, which does not change the state of PyTorch's random numbers.
    """
    channels = 3 if target.ndim == 4 else 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = DomainClassifier(channels).to(device).train()
    domains = [pictures_to_bytes(pictures).to(device) for pictures in (target, other)]
    answers = torch.cat([torch.ones(BATCH), torch.zeros(BATCH)]).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for step in range(STEPS):
        rows = [
            torch.from_numpy(batch_rows(step, BATCH, len(pictures), seed + i)).to(device)
            for i, pictures in enumerate(domains)
        ]
        pictures = torch.cat([domain[chosen] for domain, chosen in zip(domains, rows, strict=True)])
        changes = torch.from_numpy(draw_changes(step, 2 * BATCH, seed)).to(device)
        features = network.features(change(bytes_to_input(pictures), changes))
        loss = binary_cross_entropy_with_logits(network.head(features), answers)
        correlations = features.T @ features / len(features)
        loss = loss + decorrelation * correlations.triu(1).square().sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        set_learning_rate(optimizer, LEARNING_RATE * one_cycle(step, STEPS))
        optimizer.step()
    return network.eval()
