import numpy as np
import torch
from conftest import HEIGHT, WIDTH
from hypothesis import given
from hypothesis import strategies as st
from test_gan_options import begin, options

from fpgan.training.differentiable_augmentation import BRIGHTNESS, SHIFT, change, draw_changes

STILL = torch.zeros(2, 4)


def pictures(channels: int = 1) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(2, channels, HEIGHT, WIDTH) * 2 - 1


def test_a_change_of_zero_changes_nothing() -> None:
    torch.testing.assert_close(change(pictures(3), STILL), pictures(3))


@given(x=st.floats(-1, 1), y=st.floats(-1, 1))
def test_pictures_move_by_whole_pixels_and_repeat_their_border(x: float, y: float) -> None:
    moved = change(pictures(), torch.tensor([[0, 0, x, y], [0, 0, 0, 0]]))
    across, down = (
        round(float(np.float32(share) * SHIFT * size)) for share, size in ((x, WIDTH), (y, HEIGHT))
    )
    rows = np.clip(np.arange(HEIGHT) + down, 0, HEIGHT - 1)
    columns = np.clip(np.arange(WIDTH) + across, 0, WIDTH - 1)
    torch.testing.assert_close(moved[0, 0], pictures()[0, 0][rows][:, columns])
    torch.testing.assert_close(moved[1], pictures()[1])


def test_brightness_moves_the_mean_and_contrast_the_spread_about_it() -> None:
    before = pictures(3)
    brighter = change(before, torch.tensor([[0.5, 0, 0, 0], [-1, 0, 0, 0]]))
    torch.testing.assert_close(brighter[0], before[0] + BRIGHTNESS / 2)
    torch.testing.assert_close(brighter[1], before[1] - BRIGHTNESS)
    flatter = change(before, torch.tensor([[0.0, -1, 0, 0], [0, 1, 0, 0]]))
    torch.testing.assert_close(flatter.mean((1, 2, 3)), before.mean((1, 2, 3)))
    torch.testing.assert_close(flatter.std((1, 2, 3)) / before.std((1, 2, 3)), torch.tensor([0.5, 1.5]))


def test_gradients_pass_through_the_change() -> None:
    x = pictures().requires_grad_()
    change(x, torch.tensor([[0.3, 0.2, 0.5, -0.5], [0, 0, 0, 0]])).sum().backward()
    assert x.grad is not None
    assert (x.grad[0] > 0).sum() > HEIGHT * WIDTH / 2
    assert (x.grad[1] == 1).all()


def test_changes_are_repeatable_and_differ_by_step_and_seed() -> None:
    changes = draw_changes(3, 8, seed=1)
    assert changes.shape == (8, 4)
    assert np.abs(changes).max() <= 1
    np.testing.assert_array_equal(changes, draw_changes(3, 8, seed=1))
    assert not np.array_equal(changes, draw_changes(4, 8, seed=1))
    assert not np.array_equal(changes, draw_changes(3, 8, seed=2))


def test_discriminators_see_changed_pictures_only_if_params_say_so() -> None:
    """With the same networks and batch the answers differ, but not the cycle losses."""
    plain, augmented = (
        begin(options(discriminator_augmentation=augmented)).step(0) for augmented in (False, True)
    )
    assert not torch.isclose(plain["D_R/real"], augmented["D_R/real"])
    assert not torch.isclose(plain["loss/G"], augmented["loss/G"])
    assert torch.isclose(plain["loss/cycle_real"], augmented["loss/cycle_real"])
