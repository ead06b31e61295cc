from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import HEIGHT, PIXELS_PER_RADIAN, WIDTH, draw_eyes
from discs import disc_features
from numpy.typing import NDArray
from torch import Tensor

from fpgan.data.eyes import Eyes
from fpgan.data.gaze import angular_error
from fpgan.evaluation.watching import GRID_COLUMNS, GRID_EYES, WATCHED_EYES, Watch, spread
from fpgan.networks.generator import Generator
from fpgan.training.gan import TASK_METRIC
from fpgan.training.objective import Generators

SYNTHETIC, REAL = draw_eyes(24, seed=0), draw_eyes(20, seed=1, ground=110, disc=20)


class Identity(Generator):
    def __init__(self) -> None:
        super().__init__(1, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x


class Constant(Identity):
    """The same gradient for every eye."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linspace(-1, 1, HEIGHT * WIDTH).reshape(1, 1, HEIGHT, WIDTH).expand(len(x), -1, -1, -1)


class Shift(Identity):
    """Moves pictures to the right."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels

    def forward(self, x: Tensor) -> Tensor:
        return x.roll(self.pixels, dims=3)


def watch(generators: Generators, synthetic: Eyes = SYNTHETIC, real: Eyes = REAL) -> dict[str, float]:
    return Watch(synthetic, real, disc_features(), picture=lambda step, name, grid: None)(1, generators)


def test_generators_that_change_nothing_have_scores_of_no_change() -> None:
    scores = watch(Generators(Identity(), Identity()))
    for direction in ("s2r", "r2s"):
        assert scores[f"{direction}/unchanged_share"] == scores[f"{direction}/diversity"] == 1
        for name in ("gaze_drift_degrees", "landmark_drift_pixels", "change", "cycle_error"):
            assert scores[f"{direction}/{name}"] == 0
    assert scores[TASK_METRIC] == scores["real/gaze_error_degrees"]
    assert scores[TASK_METRIC] < 1


def test_translations_that_are_all_alike_have_no_diversity() -> None:
    scores = watch(Generators(Constant(), Identity()))
    assert scores["s2r/diversity"] == 0
    assert scores["r2s/diversity"] == 1
    assert scores["s2r/unchanged_share"] == 0
    # In neither direction does an eye come back unchanged.
    assert scores["s2r/cycle_error"] == scores["s2r/change"] > 10
    assert scores["r2s/cycle_error"] > 10


@pytest.mark.parametrize("pixels", [1, 3])
def test_drift_is_the_distance_that_eyes_move_and_cycle_error_the_change_there_and_back(pixels: int) -> None:
    scores = watch(Generators(Identity(), Shift(pixels)))
    moved = REAL.gaze - np.array([0, pixels / PIXELS_PER_RADIAN], np.float32)
    drift = angular_error(moved, REAL.gaze).mean()
    assert scores["r2s/landmark_drift_pixels"] == pytest.approx(pixels, abs=0.1)
    assert scores["r2s/gaze_drift_degrees"] == pytest.approx(drift, rel=0.05)
    assert scores["r2s/unchanged_share"] == 0
    assert scores[TASK_METRIC] == pytest.approx(drift, rel=0.1)
    assert scores["real/gaze_error_degrees"] < 1
    assert scores["s2r/gaze_drift_degrees"] == 0
    assert scores["s2r/cycle_error"] > 1
    assert scores["r2s/cycle_error"] == pytest.approx(scores["r2s/change"])
    there_and_back = watch(Generators(Shift(-pixels), Shift(pixels)))
    assert there_and_back["s2r/cycle_error"] == there_and_back["r2s/cycle_error"] == 0
    assert there_and_back["s2r/change"] > 1


def test_the_task_metric_is_the_error_on_real_eyes_with_labels() -> None:
    known = np.arange(len(REAL)) % 3 == 0
    partly = replace(REAL, gaze=np.where(known[:, None], REAL.gaze, np.nan).astype(np.float32))
    generators = Generators(Identity(), Shift(2))
    scores, of_known = watch(generators, real=partly), watch(generators, real=REAL.select(known))
    for name in (TASK_METRIC, "real/gaze_error_degrees"):
        assert scores[name] == pytest.approx(of_known[name])
    unlabelled = watch(generators, real=replace(REAL, gaze=np.full_like(REAL.gaze, np.nan)))
    assert set(scores) - set(unlabelled) == {TASK_METRIC, "real/gaze_error_degrees"}
    assert np.isfinite(list(unlabelled.values())).all()


@pytest.mark.parametrize("count", [GRID_EYES + 5, 4])
def test_the_grid_shows_eyes_with_their_translations_there_and_back(count: int) -> None:
    pictures: list[tuple[int, str, NDArray[np.uint8]]] = []
    synthetic = draw_eyes(count, seed=2)
    see = Watch(synthetic, REAL, disc_features(), lambda *picture: pictures.append(picture))
    see(7, Generators(Shift(3), Shift(-2)))
    see(8, Generators(Shift(3), Shift(-2)))
    assert [(step, name) for step, name, _ in pictures] == [
        (step, f"translations/{direction}") for step in (7, 8) for direction in ("s2r", "r2s")
    ]
    grid = pictures[0][2]
    shown = min(count, GRID_EYES)
    lines = max(shown // GRID_COLUMNS, 1)
    assert grid.shape == (lines * 3 * HEIGHT * 3, shown // lines * WIDTH * 3)  # magnified three times
    blocks = np.split(grid[::3, ::3], lines)
    eyes, translated, back = (
        np.concatenate(rows, axis=1) for rows in zip(*(np.split(block, 3) for block in blocks), strict=True)
    )
    assert {row.tobytes() for row in np.split(eyes, shown, axis=1)} <= {i.tobytes() for i in synthetic.image}
    for eye, there, returned in zip(
        *(np.split(row, shown, axis=1) for row in (eyes, translated, back)), strict=True
    ):
        np.testing.assert_array_equal(there, np.roll(eye, 3, axis=1))
        np.testing.assert_array_equal(returned, np.roll(eye, 1, axis=1))
    np.testing.assert_array_equal(pictures[2][2], grid)  # the same eyes every time


def test_colour_eyes_are_watched_in_colour() -> None:
    grids: list[NDArray[np.uint8]] = []
    synthetic, real = (eyes.with_images(eyes.image[..., None].repeat(3, 3)) for eyes in (SYNTHETIC, REAL))
    see = Watch(synthetic, real, disc_features(), lambda step, name, grid: grids.append(grid))
    assert see(0, Generators(Identity(), Shift(2)))["r2s/landmark_drift_pixels"] == pytest.approx(2, abs=0.1)
    lines = GRID_EYES // GRID_COLUMNS
    assert grids[0].shape == (lines * 3 * HEIGHT * 3, GRID_COLUMNS * WIDTH * 3, 3)


def test_a_sample_of_many_eyes_is_watched() -> None:
    many = draw_eyes(WATCHED_EYES + 40, seed=3)
    watched = spread(many)
    assert len(watched) == len(np.unique(watched.gaze, axis=0)) == WATCHED_EYES
    first = [int(np.flatnonzero((many.gaze == gaze).all(1))[0]) for gaze in watched.gaze[:GRID_EYES]]
    # Eyes of a person are consecutive, and the grid has to show several persons.
    assert max(first) - min(first) > len(many) / 2
