import pytest
import torch

from fpgan import losses
from fpgan.networks.hourglass import soft_argmax


def test_least_squares_losses_are_zero_at_their_targets_only() -> None:
    real, fake = torch.full((2, 1, 3, 4), 0.9), torch.zeros(2, 1, 3, 4)
    kind: losses.Adversarial = "least_squares"
    assert losses.discriminator_loss(real, fake, kind, 0.9) == 0
    assert losses.discriminator_loss(real, fake + 0.5, kind, 0.9) == pytest.approx(0.125)
    assert losses.discriminator_loss(fake, fake, kind, 0.9) == pytest.approx(0.405)
    assert losses.adversarial_loss(real, kind, 0.9) == 0
    assert losses.adversarial_loss(fake, kind, 0.9) == pytest.approx(0.81)
    assert losses.judgement(real, kind) == pytest.approx(0.9)


def test_picture_losses_are_mean_absolute_changes() -> None:
    picture, changed = torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4)
    changed[0, 0, 0, 0] = -1.6
    for loss in (losses.cycle_loss, losses.self_regularization_loss, losses.identity_loss):
        assert loss(picture, changed) == pytest.approx(0.05)


def test_landmark_loss_divides_x_by_the_width_and_y_by_the_height() -> None:
    still = torch.zeros(1, 18, 2)
    along_x, along_y = still.clone(), still.clone()
    along_x[..., 0], along_y[..., 1] = 6, 6
    assert losses.landmark_loss(still, along_x, height=36, width=60) == pytest.approx(0.1**2 / 2)
    assert losses.landmark_loss(still, along_y, height=36, width=60) == pytest.approx((1 / 6) ** 2 / 2)


def test_gaze_loss_is_the_mean_square() -> None:
    assert losses.gaze_loss(torch.zeros(3, 2), torch.full((3, 2), 0.2)) == pytest.approx(0.04)


def test_heatmap_loss_leads_the_peak_to_the_landmark() -> None:
    torch.manual_seed(0)
    maps = torch.zeros(2, 18, 10, 16, requires_grad=True)
    landmarks = torch.rand(2, 18, 2) * torch.tensor([26.0, 14.0]) + 2
    optimizer = torch.optim.Adam([maps], lr=0.5)
    for _ in range(100):
        optimizer.zero_grad()
        losses.heatmap_loss([maps], landmarks).backward()
        optimizer.step()
    assert (soft_argmax(maps) - landmarks).norm(dim=2).max() < 0.3


def test_heatmap_loss_passes_over_unknown_and_outside_landmarks() -> None:
    maps = torch.randn(1, 18, 10, 16, requires_grad=True)
    landmarks = torch.full((1, 18, 2), 7.0)
    landmarks[0, 3] = float("nan")
    landmarks[0, 5] = torch.tensor([40.0, 5.0])
    loss = losses.heatmap_loss([maps], landmarks)
    loss.backward()
    assert loss.isfinite()
    assert maps.grad is not None
    moved = maps.grad.abs().sum((0, 2, 3)) > 0
    assert moved.tolist() == [i not in (3, 5) for i in range(18)]
