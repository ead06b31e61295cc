import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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


def test_cross_entropy_losses_at_logit_zero_are_those_of_a_coin() -> None:
    undecided, sure = torch.zeros(2, 1, 3, 4), torch.full((2, 1, 3, 4), 20.0)
    kind: losses.Adversarial = "cross_entropy"
    assert losses.discriminator_loss(undecided, undecided, kind, 1) == pytest.approx(math.log(2))
    assert losses.discriminator_loss(sure, -sure, kind, 1) == pytest.approx(0, abs=1e-6)
    assert losses.discriminator_loss(-sure, sure, kind, 1) == pytest.approx(20)
    assert losses.adversarial_loss(undecided, kind, 1) == pytest.approx(math.log(2))
    assert losses.adversarial_loss(sure, kind, 1) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("kind", "undecided"), [("least_squares", 0.5), ("cross_entropy", 0.0)])
def test_judgement_is_on_the_scale_of_the_labels(kind: losses.Adversarial, undecided: float) -> None:
    judged = torch.full((2, 1, 3, 4), undecided)
    assert losses.judgement(judged, kind) == pytest.approx(0.5)
    # A trained discriminator answers with its labels. Only the real label is smoothed.
    real = torch.zeros(2, 1, 3, 4, requires_grad=True)
    fake = torch.zeros(2, 1, 3, 4, requires_grad=True)
    optimizer = torch.optim.Adam([real, fake], lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        losses.discriminator_loss(real, fake, kind, 0.9).backward()
        optimizer.step()
    assert losses.judgement(real, kind).item() == pytest.approx(0.9, abs=0.01)
    assert losses.judgement(fake, kind).item() == pytest.approx(0, abs=0.01)


@given(
    judged=st.floats(-8, 8), label=st.floats(0.5, 1), kind=st.sampled_from(["least_squares", "cross_entropy"])
)
def test_generator_and_discriminator_change_a_judgement_in_opposite_directions(
    judged: float, label: float, kind: losses.Adversarial
) -> None:
    scale = (lambda x: x) if kind == "least_squares" else torch.sigmoid
    fake = torch.tensor([judged], requires_grad=True)
    losses.adversarial_loss(fake, kind, label).backward()
    assert fake.grad is not None
    distance = scale(fake.detach()) - label
    # The generator's gradient grows with the distance of its pictures' judgement from the real label.
    torch.testing.assert_close(fake.grad, distance * (2 if kind == "least_squares" else 1))
    real, shown = (torch.tensor([judged], requires_grad=True) for _ in range(2))
    losses.discriminator_loss(real, shown, kind, label).backward()
    assert real.grad is not None
    assert shown.grad is not None
    torch.testing.assert_close(real.grad, fake.grad / 2)
    # The label of a fake is 0 for any real label.
    torch.testing.assert_close(shown.grad, scale(shown.detach()) * (1 if kind == "least_squares" else 0.5))


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


def test_unknown_landmarks_count_as_unchanged_and_give_no_gradient() -> None:
    labels = torch.zeros(2, 18, 2)
    labels[0] = labels[1, 4, 0] = float("nan")
    found = torch.full((2, 18, 2), 6.0, requires_grad=True)
    loss = losses.landmark_loss(labels, found, height=60, width=60)
    loss.backward()
    assert loss.item() == pytest.approx(0.1**2 * 35 / 72)
    assert found.grad is not None
    assert torch.equal(found.grad != 0, ~labels.isnan())
    assert found.grad.isfinite().all()


def test_gaze_loss_is_the_mean_square() -> None:
    assert losses.gaze_loss(torch.zeros(3, 2), torch.full((3, 2), 0.2)) == pytest.approx(0.04)


def test_heatmap_loss_moves_the_peak_to_the_landmark() -> None:
    torch.manual_seed(0)
    maps = torch.zeros(2, 18, 10, 16, requires_grad=True)
    landmarks = torch.rand(2, 18, 2) * torch.tensor([26.0, 14.0]) + 2
    optimizer = torch.optim.Adam([maps], lr=0.5)
    for _ in range(100):
        optimizer.zero_grad()
        losses.heatmap_loss([maps], landmarks).backward()
        optimizer.step()
    assert (soft_argmax(maps) - landmarks).norm(dim=2).max() < 0.3


def test_heatmap_loss_ignores_unknown_landmarks_and_those_outside_the_picture() -> None:
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
