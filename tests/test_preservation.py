from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, draw_eyes

from fpgan.data.eye_set import load_eyes, save_eyes
from fpgan.evaluation.preservation import feature_preservation, find_features
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.translation import translate_eye_set


def test_preservation_sees_what_was_changed() -> None:
    torch.manual_seed(0)
    gaze_net, landmark_net = GazeNet(1, HEIGHT, WIDTH, "residual").eval(), LandmarkNet(1, 1, 8).eval()
    eyes = draw_eyes(20, seed=0).image
    see = partial(find_features, gaze_net, landmark_net)
    same = feature_preservation(eyes, eyes, see(eyes), see(eyes))
    assert same == (0, 0, 0, 1, 1)
    darker = np.where(np.arange(20)[:, None, None] < 5, eyes, eyes // 2).astype(np.uint8)
    changed = feature_preservation(eyes, darker, see(eyes), see(darker))
    assert changed.gaze_drift_degrees > 0
    assert changed.landmark_drift_pixels > 0
    assert changed.change == pytest.approx(np.abs(eyes.astype(float) - darker).mean(), abs=1e-3)
    assert changed.unchanged_share == 0.25
    alike = np.repeat(eyes[:1], 20, axis=0)
    assert feature_preservation(eyes, alike, see(eyes), see(alike)).diversity == 0


def test_a_translated_set_keeps_labels_rows_and_its_own_pictures(tmp_path: Path) -> None:
    eyes = draw_eyes(11, seed=0)
    save_eyes(tmp_path / "eyes.h5", eyes, equalized=False)
    torch.manual_seed(0)
    made = translate_eye_set(
        Generator(1, 4, 1), tmp_path / "eyes.h5", tmp_path / "translated.h5", batch_size=4
    )
    stored = load_eyes(tmp_path / "translated.h5")
    assert made.count == len(stored) == 11
    np.testing.assert_array_equal(stored.image, made.after.image)  # as they are, not equalised again
    assert not np.array_equal(made.before.image, made.after.image)
    for label in ("gaze", "head", "landmarks", "person"):
        np.testing.assert_array_equal(getattr(stored, label), getattr(eyes, label))
