import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, draw_eyes

from fpgan.errors import InputError
from fpgan.evaluation import constant_errors, feature_preservation, find_features, gaze_errors, mean_gaze
from fpgan.eyes import Eyes, load_eyes, save_eyes
from fpgan.figures import error_histograms, eye_sheet, gaze_figure, translation_sheet
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.report import evaluation_report
from fpgan.translation import translate_eye_set


class Constant(GazeNet):
    """An estimator that always answers straight ahead."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), 2)


def test_errors_are_means_over_eyes_not_over_persons() -> None:
    gaze = np.radians(np.array([[3, 0], [0, 3], [0, -3], [9, 0]], np.float32))
    eyes = Eyes(
        np.zeros((4, HEIGHT, WIDTH), np.uint8),
        gaze,
        gaze,
        np.zeros((4, 18, 2), np.float32),
        np.array(["p00", "p00", "p00", "p01"]),
    )
    errors = gaze_errors(Constant(1, HEIGHT, WIDTH), eyes)
    assert errors.mean == pytest.approx(4.5, abs=1e-4)
    assert errors.median == pytest.approx(3, abs=1e-4)
    assert errors.by_person() == {"p00": pytest.approx(3, abs=1e-4), "p01": pytest.approx(9, abs=1e-4)}


def test_the_mean_gaze_is_the_best_constant_nearby() -> None:
    eyes = draw_eyes(300, seed=0)
    mean = mean_gaze(eyes.gaze)
    best = np.square(constant_errors(mean, eyes).degrees).mean()
    for step in ([0.05, 0], [-0.05, 0], [0, 0.05], [0, -0.05]):
        assert np.square(constant_errors(mean + step, eyes).degrees).mean() > best


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
    before, after = translate_eye_set(
        Generator(1, 4, 1), tmp_path / "eyes.h5", tmp_path / "translated.h5", batch_size=4
    )
    stored = load_eyes(tmp_path / "translated.h5")
    np.testing.assert_array_equal(stored.image, after.image)  # as they are, not equalised again
    assert not np.array_equal(before.image, after.image)
    for label in ("gaze", "head", "landmarks", "person"):
        np.testing.assert_array_equal(getattr(stored, label), getattr(eyes, label))


def test_figures_are_drawn_for_labelled_and_unlabelled_eyes(tmp_path: Path) -> None:
    eyes = draw_eyes(10, seed=0)
    unknown = np.full_like(eyes.gaze, np.nan)
    errors = constant_errors(mean_gaze(eyes.gaze), eyes)
    figures = [
        eye_sheet(eyes.image, eyes.gaze, eyes.landmarks),
        eye_sheet(eyes.image, unknown, np.full_like(eyes.landmarks, np.nan)),
        translation_sheet(eyes.image, eyes.image, gaze_after=eyes.gaze, landmarks_after=eyes.landmarks),
        error_histograms({"no_adaptation": errors}),
        gaze_figure({"synthetic": eyes.gaze}),
    ]
    for i, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{i}.png")
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == 5
    # The labels are drawn on the first sheet and absent from the second.
    assert sizes[0] > sizes[1] > 3000


def test_the_report_shows_errors_and_names_what_was_skipped(tmp_path: Path) -> None:
    kept = {"gaze_drift_degrees": 1.5, "landmark_drift_pixels": 0.5, "change": 20.0, "unchanged_share": 0.0}
    scores = {
        "protocol": "Test persons p12.",
        "gaze_error_degrees": {"no_adaptation": {"mean": 12.345, "median": 11.0, "eyes": 100}},
        "skipped": {"real_bound": "no labels"},
        "preservation": {"s2r": kept, "r2s": kept},
    }
    (tmp_path / "metrics.json").write_text(json.dumps(scores))
    (tmp_path / "gaze_errors.png").touch()
    text = evaluation_report(tmp_path / "metrics.json")
    for part in ("12.35", "100", "skipped: no labels", "Test persons p12.", "gaze_errors.png"):
        assert part in text
    with pytest.raises(InputError, match="dvc repro"):
        evaluation_report(tmp_path / "absent.json")
