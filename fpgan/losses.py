"""The loss functions: pure functions of pictures and network outputs; each gives a scalar tensor."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from fpgan.networks.hourglass import heatmap_grid, soft_argmax

Adversarial = Literal["least_squares", "cross_entropy"]


def discriminator_loss(real: Tensor, fake: Tensor, kind: Adversarial, real_label: float) -> Tensor:
    """Loss of a discriminator, which learns `real_label` for real patches and 0 for translated ones.

    least_squares: LSGAN (Mao et al., ICCV 2017); cross_entropy: the first GAN's (Goodfellow et al., NeurIPS
    2014), on logits. A real label below 1 is one-sided label smoothing (Salimans et al., NeurIPS 2016).
    """
    return (_distance(real, kind, real_label) + _distance(fake, kind, 0)) / 2


def adversarial_loss(fake: Tensor, kind: Adversarial, real_label: float) -> Tensor:
    """Loss of a generator, which learns that patches of its pictures are judged real (non-saturating)."""
    return _distance(fake, kind, real_label)


def _distance(judged: Tensor, kind: Adversarial, label: float) -> Tensor:
    if kind == "least_squares":
        return (judged - label).square().mean()
    return functional.binary_cross_entropy_with_logits(judged, torch.full_like(judged, label))


def judgement(judged: Tensor, kind: Adversarial) -> Tensor:
    """A discriminator's mean answer on the scale of its labels: 0 for fake, `real_label` for real."""
    return (judged if kind == "least_squares" else judged.sigmoid()).mean()


def cycle_loss(picture: Tensor, there_and_back: Tensor) -> Tensor:
    """Mean absolute change of a picture translated there and back (Zhu et al., ICCV 2017)."""
    return (there_and_back - picture).abs().mean()


def self_regularization_loss(picture: Tensor, translation: Tensor) -> Tensor:
    """Mean absolute change by translation (SimGAN, Shrivastava et al., CVPR 2017; FP-GAN's "identity")."""
    return (translation - picture).abs().mean()


def identity_loss(picture: Tensor, unchanged: Tensor) -> Tensor:
    """Mean absolute change of a picture by the generator into its own domain (Zhu et al., ICCV 2017)."""
    return (unchanged - picture).abs().mean()


def gaze_loss(source: Tensor, translation: Tensor) -> Tensor:
    """Mean squared difference of two gaze estimates (N, 2) in radians (Lee, Kim, Suh, ICLR 2018)."""
    return functional.mse_loss(translation, source)


def landmark_loss(source: Tensor, translation: Tensor, height: int, width: int) -> Tensor:
    """Mean squared difference of landmarks (N, 18, 2) in pixels, relative to the picture's size (FP-GAN).

    The difference from an unknown landmark (NaN) of the source counts as 0.
    """
    difference = torch.where(source.isnan(), 0, translation - source)
    return ((difference[..., 0] / width).square().mean() + (difference[..., 1] / height).square().mean()) / 2


def heatmap_loss(heatmaps: list[Tensor], landmarks: Tensor, sigma: float = 1.5) -> Tensor:
    """Loss of a landmark network's heatmaps, each (N, 18, H/2, W/2), for landmarks (N, 18, 2) in pixels.

    Mean over the modules of two terms: the cross entropy to a Gaussian of `sigma` pixels around the landmark,
    and the squared distance of the soft-argmax in pixels (Nibali et al., 2018). Landmarks that are unknown
    (NaN) or outside the picture do not count.
    """
    height, width = heatmaps[0].shape[2:]
    x, y = heatmap_grid(height, width, heatmaps[0])
    inside = (landmarks >= 0) & (landmarks <= torch.stack([x[-1] + 0.5, y[-1] + 0.5]))
    counted = inside.all(dim=2)
    places = landmarks.nan_to_num()
    gaussian_x = torch.exp(-((x - places[..., 0:1]) ** 2) / (2 * sigma**2))
    gaussian_y = torch.exp(-((y - places[..., 1:2]) ** 2) / (2 * sigma**2))
    target = (gaussian_y[..., :, None] * gaussian_x[..., None, :]).flatten(2)
    target = target / target.sum(2, keepdim=True).clamp_min(1e-9)
    loss = heatmaps[0].new_zeros(())
    for maps in heatmaps:
        entropy = -(target * maps.flatten(2).log_softmax(dim=2)).sum(2)
        distance = (soft_argmax(maps) - places).square().sum(2)
        loss = loss + ((entropy + 0.1 * distance) * counted).sum() / counted.sum().clamp_min(1)
    return loss / len(heatmaps)
