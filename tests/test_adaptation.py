"""Synthetic eyes with the gaze distribution and the framing of real ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import HEIGHT, WIDTH, draw_eyes
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgan.adaptation import (
    Reframing,
    choose_rows,
    draw_labels,
    estimate_labels,
    find_framing,
    label_distance,
    reframe,
    simulator_settings,
)
from fpgan.data.datasets import prepare
from fpgan.data.eye_set import load_eyes
from fpgan.data.unityeyes import UNITYEYES
from fpgan.networks.gazenet import GazeNet
from fpgan.params import EyePicture, PrepareUnityEyes
from fpgan.sample.write_unityeyes import write_unityeyes

RANDOM = np.random.default_rng(0)
WIDE = RANDOM.uniform(-0.6, 0.6, (4000, 4))
REAL = RANDOM.normal([-0.17, 0.0, 0.16, -0.05], [0.09, 0.14, 0.2, 0.17], (800, 4))


def test_drawn_labels_have_the_given_distribution_and_none_is_a_copy() -> None:
    drawn = draw_labels(REAL, 3000, seed=1)
    assert len(np.unique(drawn, axis=0)) == 3000
    assert not np.isin(drawn[:, 0], REAL[:, 0]).any()
    np.testing.assert_allclose(drawn.mean(axis=0), REAL.mean(axis=0), atol=0.015)
    np.testing.assert_allclose(drawn.std(axis=0), REAL.std(axis=0), rtol=0.06)
    assert label_distance(drawn, REAL) < 0.6
    np.testing.assert_array_equal(drawn, draw_labels(REAL, 3000, seed=1))


def test_selected_eyes_have_the_wanted_gaze() -> None:
    rows = choose_rows(WIDE, draw_labels(REAL, 8000, seed=1))
    assert len(np.unique(rows)) == len(rows) > 150
    assert label_distance(WIDE[rows], REAL) < 0.3 * label_distance(WIDE, REAL)


def test_few_eyes_are_selected_if_few_are_near_the_wanted_gaze() -> None:
    assert len(choose_rows(WIDE + 3, REAL)) == 0
    near = np.concatenate([WIDE + 3, REAL[:5]])
    assert set(choose_rows(near, REAL)) <= set(range(4000, 4005))


def test_an_unknown_head_pose_does_not_count() -> None:
    gaze_only = REAL.copy()
    gaze_only[:, 2:] = np.nan
    wanted = draw_labels(gaze_only, 8000, seed=1)
    assert np.isnan(wanted[:, 2:]).all()
    np.testing.assert_allclose(wanted[:, :2].std(axis=0), REAL[:, :2].std(axis=0), rtol=0.06)
    rows = choose_rows(WIDE, wanted)
    assert len(rows) > 100
    assert label_distance(WIDE[rows][:, :2], REAL[:, :2]) < 2.5
    assert simulator_settings(gaze_only) is None


def test_settings_cover_the_labels() -> None:
    found = simulator_settings(REAL)
    assert found is not None
    center, reach = found.head_pitch
    assert center == pytest.approx(np.degrees(0.16), abs=1)
    inside = np.abs(np.degrees(REAL[:, 2]) - center) < reach
    assert inside.mean() == pytest.approx(0.95, abs=0.02)


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(0.8, 1.2), x=st.floats(-3, 3), y=st.floats(-3, 3), seed=st.integers(0, 99))
def test_framing_is_found_for_any_gaze_and_can_be_reverted(
    scale: float, x: float, y: float, seed: int
) -> None:
    """Lids move with gaze and head; only the remaining difference is the framing."""
    random = np.random.default_rng(seed)
    pull = random.normal(0, 8, (4, 36))
    rest = random.uniform(0, 60, 36)

    def landmarks(labels: np.ndarray) -> np.ndarray:
        return (rest + labels @ pull).reshape(-1, 18, 2)

    synthetic, real = random.normal(0, 0.4, (60, 4)), random.normal(0.3, 0.1, (40, 4))
    moved = landmarks(real) * scale + [x, y]
    framing = find_framing(landmarks(synthetic), synthetic, moved, real)
    assert framing.scale == pytest.approx(scale)
    np.testing.assert_allclose(framing.shift, [x, y], atol=1e-6)
    back = framing.inverse
    np.testing.assert_allclose(moved * back.scale + back.shift, landmarks(real), atol=1e-6)


def test_reframed_pictures_and_landmarks_move_together() -> None:
    eyes = draw_eyes(60, seed=0)
    eyes = eyes.select((np.abs(eyes.gaze) < 0.15).all(axis=1))  # the disc stays inside
    assert len(eyes) > 5
    framing = Reframing(1.1, np.array([-2.0, 1.0]))
    moved = reframe(eyes, framing)
    for picture, points in zip(moved.image, moved.landmarks, strict=True):
        dark = np.argwhere(picture < 30)[:, ::-1]  # the disc
        np.testing.assert_allclose(dark.mean(axis=0), points.mean(axis=0), atol=0.35)
    again = reframe(moved, framing.inverse)
    np.testing.assert_allclose(again.landmarks, eyes.landmarks, atol=1e-4)
    shift = framing.center_shift(HEIGHT, WIDTH)
    np.testing.assert_allclose(shift, [0.1 * (WIDTH - 1) / 2 - 2, 0.1 * (HEIGHT - 1) / 2 + 1])


def test_a_known_head_pose_is_kept_and_an_unknown_one_estimated() -> None:
    eyes = draw_eyes(4, seed=0)
    head = np.full((4, 2), 0.25, np.float32)
    head[2:] = np.nan
    eyes = replace(eyes, head=head)
    network = GazeNet(1, HEIGHT, WIDTH, "residual").eval()
    labels = estimate_labels(eyes, eyes.image, network, network)
    assert (labels[:2, 2:] == 0.25).all()
    np.testing.assert_allclose(labels[2:, 2:], labels[2:, :2], atol=1e-6)
    assert np.isnan(estimate_labels(eyes, eyes.image, network, None)[2:, 2:]).all()


def test_the_simulator_draws_the_requested_labels(tmp_path: Path) -> None:
    labels = draw_labels(REAL * 0.5, 12, seed=2)  # within an eye's range
    folder = tmp_path / "raw"
    write_unityeyes(folder, 12, seed=5, labels=labels, workers=1)
    prepare(UNITYEYES, folder, folder / "eyes.h5", EyePicture(), PrepareUnityEyes(), workers=1)
    eyes = load_eyes(folder / "eyes.h5")
    found = np.concatenate([eyes.gaze, eyes.head], axis=1)
    order = [int(np.abs(labels - row).sum(axis=1).argmin()) for row in found]
    assert sorted(order) == list(range(12))
    np.testing.assert_allclose(found, labels[order], atol=np.radians(0.1))
