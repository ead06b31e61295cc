import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, draw_eyes
from estimating import erring, people
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fpgan.data.eyes import Eyes
from fpgan.data.gaze import angles_to_vectors, angular_error
from fpgan.errors import InputError
from fpgan.evaluation.estimates import (
    Estimates,
    average,
    check_same_eyes,
    constant_estimates,
    error_map,
    gaze_estimates,
    mean_gaze,
)
from fpgan.networks.gazenet import GazeNet


class Constant(GazeNet):
    """An estimator that always answers one pitch, in degrees, straight ahead."""

    def __init__(self, pitch: float) -> None:
        super().__init__(1, HEIGHT, WIDTH)
        self.answer = torch.tensor([[np.radians(pitch), 0]], dtype=torch.float32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.answer.repeat(len(x), 1)


def test_errors_are_means_over_eyes_not_over_persons() -> None:
    gaze = np.radians(np.array([[3, 0], [0, 3], [0, -3], [9, 0]], np.float32))
    eyes = Eyes(
        np.zeros((4, HEIGHT, WIDTH), np.uint8),
        gaze,
        gaze,
        np.zeros((4, 18, 2), np.float32),
        np.array(["p00", "p00", "p00", "p01"]),
    )
    found = gaze_estimates([Constant(0)], eyes)
    assert found.mean == pytest.approx(4.5, abs=1e-4)
    assert found.median == pytest.approx(3, abs=1e-4)
    assert found.spread is None
    assert found.by_person() == {"p00": pytest.approx(3, abs=1e-4), "p01": pytest.approx(9, abs=1e-4)}
    several = gaze_estimates([Constant(0), Constant(3), Constant(6)], eyes)
    assert several.seeds == 3
    np.testing.assert_allclose(several.errors[:, 3], [9, 6, 3], atol=1e-4)


def test_seeds_are_averaged_and_their_spread_is_that_of_their_means() -> None:
    found = erring(np.array([[2.0, 4, 12], [5.1, 5.8, 7.1]]), people(3, 1))
    assert found.mean == pytest.approx(6)
    assert found.spread == pytest.approx(0)  # both seeds' means are 6
    assert found.median == pytest.approx((4 + 5.8) / 2)
    assert found.share_under(5) == pytest.approx(2 / 6)
    assert found.share_under(7) == pytest.approx(4 / 6)
    assert found.of_person("p02").mean == pytest.approx(9.55)
    np.testing.assert_allclose(found.by_eye, [3.55, 4.9, 9.55])
    other = erring(np.array([[2.0, 4], [5, 7], [6, 6]]), people(2, 1))
    assert other.spread == pytest.approx(np.std([3, 6, 6], ddof=1))


@given(arrays(np.float64, (2, 6), elements=st.floats(0, 90)))
def test_the_cumulative_curve_counts_the_eyes_below(errors: np.ndarray) -> None:
    rising, share = erring(errors, people(2, 3)).cumulative()
    assert (np.diff(rising) >= 0).all()
    assert share[-1] == 1
    for degrees, below in zip(rising, share, strict=True):
        assert (errors <= degrees + 1e-9).mean() >= below - 1e-9


@pytest.mark.parametrize(
    ("gaze", "true", "person", "message"),
    [
        (np.zeros((4, 2)), np.zeros((4, 2)), 4, "expected"),
        (np.zeros((1, 4, 2)), np.zeros((3, 2)), 4, "expected"),
        (np.zeros((1, 0, 2)), np.zeros((0, 2)), 0, "no eyes"),
        (np.zeros((1, 2, 2)), np.array([[0, np.nan], [0, 0]]), 2, "1 gaze label"),
        (np.full((1, 2, 2), np.inf), np.zeros((2, 2)), 2, "2 gaze estimate"),
    ],
)
def test_estimates_that_make_no_sense_are_refused(
    gaze: np.ndarray, true: np.ndarray, person: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Estimates(gaze, true, people(1, person))


def test_the_mean_gaze_is_the_best_constant_nearby() -> None:
    eyes = draw_eyes(300, seed=0)
    mean = mean_gaze(eyes.gaze)
    best = np.square(constant_estimates(mean, eyes).errors).mean()
    for step in ([0.05, 0], [-0.05, 0], [0, 0.05], [0, -0.05]):
        assert np.square(constant_estimates(mean + step, eyes).errors).mean() > best


directions = arrays(np.float64, (2, 5, 2), elements=st.floats(-1.2, 1.2))


@given(directions, directions)
def test_two_estimators_averaged_answer_midway(a: np.ndarray, b: np.ndarray) -> None:
    first, second = (Estimates(gaze, np.zeros((5, 2)), people(1, 5)) for gaze in (a, b))
    both = average(first, second)
    apart = angular_error(a, b)
    np.testing.assert_allclose(angular_error(both.gaze, a), apart / 2, atol=1e-5)
    np.testing.assert_allclose(angular_error(both.gaze, b), apart / 2, atol=1e-5)


def test_averaging_directions_is_not_averaging_angles() -> None:
    true = np.zeros((1, 2))
    high = np.array([[1.4, 1.5]]), np.array([[1.4, -1.5]])  # near the pole, on either side of it
    both = average(*(Estimates(gaze[None], true, people(1, 1)) for gaze in high))
    middle = angles_to_vectors(high[0]) + angles_to_vectors(high[1])
    np.testing.assert_allclose(angles_to_vectors(both.gaze[0]), middle / np.linalg.norm(middle), atol=1e-9)
    assert angular_error(both.gaze[0], np.array([[1.4, 0.0]])).item() > 5


def test_different_test_sets_are_named() -> None:
    one = erring(np.ones((1, 6)), people(3, 2))
    moved = Estimates(one.gaze, one.true + np.array([0.1, 0]) * (np.arange(6) < 2)[:, None], one.person)
    for other, message in (
        (erring(np.ones((1, 4)), people(2, 2)), "only one of them on p02"),
        (erring(np.ones((1, 9)), people(3, 3)), "one on 6, the other on 9"),
        (erring(np.ones((1, 6)), one.person[::-1]), "the person differs for 4 of 6"),
        (moved, "the gaze label differs for 2 of 6"),
    ):
        with pytest.raises(InputError, match=message):
            check_same_eyes(one, other)
    with pytest.raises(InputError, match="of 1 and of 2 seeds"):
        average(one, erring(np.ones((2, 6)), one.person))


def test_an_error_map_bins_by_pitch_and_yaw() -> None:
    angles = np.radians([[1.0, 11], [2, 12], [1, 13], [-7, -1], [np.nan, 0]])
    found = error_map(erring(np.array([[1.0, 2, 6, 9, 50]]), people(1, 5)), angles, fewest=2)
    assert found.unknown == 1
    np.testing.assert_array_equal(found.pitch_edges, [-10, -5, 0, 5])
    np.testing.assert_array_equal(found.yaw_edges, [-5, 0, 5, 10, 15])
    assert found.eyes[2, 3] == 3
    assert found.eyes[0, 0] == 1
    assert found.eyes.sum() == 4
    assert found.mean[2, 3] == pytest.approx(3)
    assert np.isnan(np.delete(found.mean.ravel(), 2 * 4 + 3)).all()  # one eye is too few, and none are
    with pytest.raises(ValueError, match="no eye"):
        error_map(erring(np.ones((1, 2)), people(1, 2)), np.full((2, 2), np.nan))


@given(arrays(np.float64, (20, 2), elements=st.floats(-1.5, 1.5)), st.integers(1, 5))
def test_no_eye_is_lost_between_bins(angles: np.ndarray, seed: int) -> None:
    errors = np.random.default_rng(seed).uniform(0, 20, (2, 20))
    found = error_map(erring(errors, people(1, 20)), angles, fewest=1)
    assert found.eyes.sum() == 20
    assert np.nansum(found.mean * found.eyes) / 20 == pytest.approx(errors.mean())
