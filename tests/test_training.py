from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, draw_eyes
from hypothesis import given
from hypothesis import strategies as st

from fpgan.evaluation.estimates import gaze_estimates
from fpgan.networks.frozen import frozen
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet, landmark_distance
from fpgan.networks.inference import find_landmarks, translate_pictures
from fpgan.params import (
    Augmentation,
    DiscriminatorParams,
    GANWeights,
    GeneratorParams,
    TrainGAN,
    TrainGaze,
    TrainLandmarks,
)
from fpgan.training.augmentation import Augment
from fpgan.training.batches import batch_rows
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.distributed import Processes
from fpgan.training.estimator import train_estimator
from fpgan.training.gan import TrainingEyes, Watcher, train_gan
from fpgan.training.objective import Networks, build_networks
from fpgan.training.pool import ImagePool, plan_exchange
from fpgan.training.recorder import Silent
from fpgan.training.schedule import constant_then_linear
from fpgan.training.tasks import GAZE, LANDMARKS

CPU = torch.device("cpu")
MILD = Augmentation(shift=0, scale=0, brightness=0.1, contrast=0.1, blur=0, noise=0.02)


class Killed(Exception):
    pass


class KilledAt(Silent):
    """A recorder under which the process dies at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def metrics(self, step: int, values: dict[str, float]) -> None:
        if step == self.step:
            raise Killed


@given(
    count=st.integers(1, 60), batch_size=st.integers(1, 70), seed=st.integers(0, 5), epochs=st.integers(1, 4)
)
def test_every_epoch_holds_every_row_once(count: int, batch_size: int, seed: int, epochs: int) -> None:
    steps = -(-count * epochs // batch_size)
    rows = np.concatenate([batch_rows(step, batch_size, count, seed) for step in range(steps)])
    for epoch in range(epochs):
        assert sorted(rows[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_the_order_differs_by_epoch_and_by_seed() -> None:
    one, two, other = batch_rows(0, 50, 50, 0), batch_rows(1, 50, 50, 0), batch_rows(0, 50, 50, 1)
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_the_pool_gives_back_about_half_of_the_earlier_pictures() -> None:
    pool = ImagePool(10, 4, (1, 1, 1), CPU)
    pictures = torch.arange(1600.0).reshape(400, 4, 1, 1, 1)
    shown = []
    for step, batch in enumerate(pictures):
        place, give_back = map(torch.from_numpy, plan_exchange(step, 4, 10, seed=0))
        shown.append(pool.exchange(batch, place, give_back))
    assert torch.equal(torch.cat(shown[:2]), torch.cat(list(pictures[:2])))
    # Only the pictures that filled the pool are shown twice.
    assert torch.cat(shown).unique().numel() == torch.cat(shown).numel() - 10
    as_it_is = torch.cat(shown[5:]).flatten() == pictures[5:].flatten()
    assert 0.45 < as_it_is.float().mean() < 0.55
    age = (pictures[5:].flatten() - torch.cat(shown[5:]).flatten())[~as_it_is]
    assert age.min() > 0
    # A place is exchanged every 5 steps (10 places, 2 of 4 pictures per step), so the mean age is 5 batches.
    assert 16 < age.mean() < 24


@pytest.mark.parametrize("size", [0, 3])
def test_a_pool_smaller_than_the_batch_exchanges_no_more_than_it_holds(size: int) -> None:
    pool = ImagePool(size, 8, (1, 1, 1), CPU)
    for step in range(20):
        batch = torch.arange(8.0).reshape(8, 1, 1, 1) + step * 8
        place, give_back = map(torch.from_numpy, plan_exchange(step, 8, size, seed=0))
        shown = pool.exchange(batch, place, give_back)
        assert (shown != batch).sum() <= size
        assert (shown >= 0).all()


def test_checkpoints_keep_two_and_fall_back_from_a_damaged_one(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "run")
    assert checkpoints.latest() is None
    for step in (1, 2, 3):
        checkpoints.save(step, {"value": torch.tensor(float(step)), "words": ["a"]})
    assert len(list((tmp_path / "run").glob("*.pt"))) == 2
    newest = tmp_path / "run" / "step-000000003.pt"
    newest.write_bytes(newest.read_bytes()[:200])
    state = checkpoints.latest()
    assert state is not None
    assert (state["step"], state["value"]) == (2, 2.0)
    checkpoints.clear()
    assert not (tmp_path / "run").exists()


def test_augmentation_moves_landmarks_with_the_picture_and_is_repeatable() -> None:
    eyes = draw_eyes(20, seed=0)
    augment = Augment(Augmentation(shift=0.1, scale=0.2, noise=0), seed=0)
    rows = np.arange(20)
    images, landmarks = augment(eyes.image, eyes.landmarks, rows, 3)
    again, _ = augment(eyes.image[7:9], eyes.landmarks[7:9], rows[7:9], 3)
    np.testing.assert_array_equal(again, images[7:9])
    assert not np.array_equal(augment(eyes.image, eyes.landmarks, rows, 4)[0], images)
    assert np.abs(landmarks - eyes.landmarks).max() > 1
    # The disc is at its landmarks, before and after.
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for image, points in zip(images, landmarks, strict=True):
        dark = 255.0 - image
        dark[dark < np.percentile(dark, 85)] = 0
        found = np.array([(dark * x).sum(), (dark * y).sum()]) / dark.sum()
        if 6 < points[:, 0].mean() < WIDTH - 7 and 6 < points[:, 1].mean() < HEIGHT - 7:
            assert np.linalg.norm(found - points.mean(axis=0)) < 1.2


def test_augmentation_leaves_unknown_landmarks_unknown() -> None:
    eyes = draw_eyes(2, seed=0)
    unknown = np.full_like(eyes.landmarks, np.nan)
    _, landmarks = Augment(Augmentation(), seed=0)(eyes.image, unknown, np.arange(2), 0)
    assert np.isnan(landmarks).all()


def fit_gaze(
    folder: Path, recorder: Silent | KilledAt, epochs: int = 8
) -> tuple[GazeNet, list[dict[str, float]]]:
    torch.manual_seed(0)
    network = GazeNet(1, HEIGHT, WIDTH, "residual")
    params = TrainGaze(network="residual", epochs=epochs, batch_size=32, learning_rate=3e-3)
    history = train_estimator(
        network,
        GAZE,
        training=draw_eyes(400, seed=0),
        validation=draw_eyes(60, seed=1),
        augment=Augment(MILD, 0),
        params=params,
        workers=1,
        checkpoints=Checkpoints(folder),
        recorder=recorder,
        device=CPU,
    )
    return network, history


def test_gazenet_learns_and_a_killed_training_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    uninterrupted, history = fit_gaze(tmp_path / "uninterrupted", Silent())
    error = gaze_estimates([uninterrupted], draw_eyes(100, seed=2)).mean
    assert error < 5
    assert error == pytest.approx(min(row["validation_gaze_error_degrees"] for row in history), abs=1.5)
    with pytest.raises(Killed):
        fit_gaze(tmp_path / "killed", KilledAt(5))
    resumed, resumed_history = fit_gaze(tmp_path / "killed", Silent())
    assert resumed_history == history
    assert_equal_weights(resumed, uninterrupted)


def test_the_landmark_network_learns(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = LandmarkNet(1, modules=1, features=16)
    train_estimator(
        network,
        LANDMARKS,
        training=draw_eyes(400, seed=0),
        validation=draw_eyes(60, seed=1),
        augment=Augment(Augmentation(), 0),
        params=TrainLandmarks(epochs=8, batch_size=16, learning_rate=5e-3),
        workers=1,
        checkpoints=Checkpoints(tmp_path),
        recorder=Silent(),
        device=CPU,
    )
    test = draw_eyes(100, seed=2)
    assert landmark_distance(find_landmarks(network, test.image), test.landmarks).mean() < 1


def gan_params(**changes: Any) -> TrainGAN:
    settings: dict[str, Any] = {
        "steps": 12,
        "batch_size": 4,
        "pool_size": 6,
        "generator": GeneratorParams(filters=4, residual_blocks=1),
        "discriminator": DiscriminatorParams(filters=4, layers=2),
        "weights": GANWeights(gaze=1, landmarks=1, self_regularization=0.1, identity=0.1),
        "tick": 2,
        "checkpoint_every": 4,
    }
    return TrainGAN(**settings | changes)


def fit_gan(
    folder: Path,
    params: TrainGAN,
    recorder: Silent | KilledAt,
    watch: Watcher = lambda step, generators: {"watched": float(step)},
) -> tuple[Networks, list[dict[str, float]]]:
    networks = build_networks(params, channels=1, seed=0)
    torch.manual_seed(1)
    synthetic, real = draw_eyes(30, seed=0), draw_eyes(26, seed=1, ground=110, disc=20)
    _, history = train_gan(
        networks,
        eyes=TrainingEyes(synthetic.image, real.image, synthetic.landmarks),
        features={
            "gaze": frozen(GazeNet(1, HEIGHT, WIDTH, "residual")),
            "landmarks": frozen(LandmarkNet(1, 1, 8)),
        },
        watch=watch,
        params=params,
        seed=0,
        precision="fp32",
        capture=False,
        checkpoints=Checkpoints(folder),
        recorder=recorder,
        processes=Processes(CPU),
    )
    return networks, history


def assert_equal_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name]), name


def test_history_names_every_loss_term_and_watches_at_every_tick(tmp_path: Path) -> None:
    _, history = fit_gan(tmp_path, gan_params(), Silent())
    assert [row["step"] for row in history] == [2, 4, 6, 8, 10, 12]
    terms = {name for name in history[0] if name.startswith("loss/")}
    both = {
        f"loss/{term}_{d}" for term in ("gaze", "landmarks", "self_regularization") for d in ("s2r", "r2s")
    }
    assert terms == both | {
        f"loss/{t}"
        for t in ("G", "F", "D_R", "D_S", "cycle_synthetic", "cycle_real", "identity_G", "identity_F")
    }
    assert [row["watched"] for row in history] == [2, 4, 6, 8, 10, 12]


def test_a_weight_of_zero_leaves_its_term_out(tmp_path: Path) -> None:
    _, history = fit_gan(tmp_path, gan_params(steps=2, weights=GANWeights()), Silent())
    terms = {name for name in history[0] if name.startswith("loss/")}
    assert terms == {f"loss/{t}" for t in ("G", "F", "D_R", "D_S", "cycle_synthetic", "cycle_real")}


def test_a_loss_that_is_not_finite_stops_the_training_before_the_next_checkpoint(tmp_path: Path) -> None:
    params = gan_params(learning_rate=1e30, tick=12, checkpoint_every=1)
    with pytest.raises(FloatingPointError, match="no longer finite"):
        fit_gan(tmp_path, params, Silent())
    state = Checkpoints(tmp_path).latest()
    assert state is None or all(value.isfinite() for value in state["summed"].values())


def test_the_gan_learns_the_other_domain(tmp_path: Path) -> None:
    params = gan_params(
        steps=250,
        batch_size=8,
        learning_rate=2e-3,
        weights=GANWeights(),
        generator=GeneratorParams(filters=8, residual_blocks=1),
        discriminator=DiscriminatorParams(filters=8, layers=2),
        tick=50,
        checkpoint_every=500,
    )
    networks, _ = fit_gan(tmp_path, params, Silent())
    source = draw_eyes(40, seed=9).image
    translated = translate_pictures(networks.G, source)
    # The background is 110 in the real domain and 200 in the synthetic one.
    assert abs(np.median(source) - 200) < 5
    assert abs(np.median(translated) - 110) < 25
    back = translate_pictures(networks.F, translated)
    assert np.abs(back.astype(int) - source).mean() < np.abs(translated.astype(int) - source).mean() / 2


def test_the_learning_rate_is_constant_then_falls_linearly_to_zero() -> None:
    factors = [constant_then_linear(step, 100) for step in range(101)]
    assert factors[:51] == [1] * 51
    np.testing.assert_allclose(np.diff(factors[50:]), -1 / 50)
    assert factors[100] == 0
