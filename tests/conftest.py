"""Eyes simple enough to learn in seconds: a dark disc on a bright ground, displaced as the gaze says."""

import gc
import os
from pathlib import Path

gc.set_threshold(20_000, 20, 20)  # packages are loaded a third faster: none of their objects is garbage
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import multiprocessing
import shutil
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from typing import Any

import cv2
import mlflow
import numpy as np
import pytest
import torch
import yaml
from filelock import FileLock
from hypothesis import settings
from toy import reproduce

from fpgan.data.eye_set import save_eyes
from fpgan.data.eyes import Eyes
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.weights import save_network
from fpgan.sample.write_mpiifacegaze import write_mpiifacegaze
from fpgan.sample.write_unityeyes import write_unityeyes

gc.freeze()
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")  # a commit passes its tests every time or never

WIDTH, HEIGHT = 32, 20
DISC = 5  # radius, pixels
PIXELS_PER_RADIAN = 15


def draw_eyes(count: int, seed: int, *, ground: int = 200, disc: int = 40) -> Eyes:
    """Eyes whose disc lies where the gaze says: yaw > 0 to the left, pitch > 0 up."""
    random = np.random.default_rng(seed)
    gaze = random.uniform(-0.4, 0.4, (count, 2)).astype(np.float32)
    center = np.stack(
        [(WIDTH - 1) / 2 - PIXELS_PER_RADIAN * gaze[:, 1], (HEIGHT - 1) / 2 - PIXELS_PER_RADIAN * gaze[:, 0]],
        1,
    )
    images = np.full((count, HEIGHT, WIDTH), ground, np.uint8)
    for image, (x, y) in zip(images, center, strict=True):
        cv2.circle(image, (round(x * 16), round(y * 16)), DISC * 16, disc, -1, cv2.LINE_AA, 4)
    noisy = images + random.integers(-8, 9, images.shape)
    turns = np.arange(18) / 18 * 2 * np.pi
    landmarks = center[:, None] + DISC * np.stack([np.cos(turns), np.sin(turns)], 1)
    return Eyes(
        noisy.clip(0, 255).astype(np.uint8),
        gaze,
        np.zeros((count, 2), np.float32),
        landmarks.astype(np.float32),
        np.array(["p00"] * count),
    )


def write_project(folder: Path, **train_gan: Any) -> None:
    """A project in which everything lies that train-gan needs, small."""
    (folder / ".dvc").mkdir()
    real = draw_eyes(24, seed=1, ground=110, disc=20)
    real = replace(real, person=np.array(["p00", "p01", "p02"] * 8))
    save_eyes(folder / "data/adapted/eyes.h5", draw_eyes(40, seed=0), equalized=True)
    save_eyes(folder / "data/prepared/real/eyes.h5", real, equalized=True)
    gaze: dict[str, Any] = {"channels": 1, "height": HEIGHT, "width": WIDTH, "network": "residual"}
    landmarks: dict[str, Any] = {"channels": 1, "modules": 1, "features": 4}
    save_network(folder / "models/gaze-adapted/0/gazenet.safetensors", GazeNet(**gaze), gaze)
    save_network(folder / "models/landmarks/0/landmarks.safetensors", LandmarkNet(**landmarks), landmarks)
    sections = {
        "split": {"validation_persons": ["p01"], "test_persons": ["p02"]},
        "train_gan": {
            "batch_size": 2,
            "generator": {"filters": 4, "residual_blocks": 1},
            "discriminator": {"filters": 4, "layers": 2},
            **train_gan,
        },
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))


PRELOADED = [
    *("fpgan.cli", "fpgan.stages.train_gan", "torch._dynamo", "mlflow.store.tracking.sqlalchemy_store"),
    *("pytest", "hypothesis"),  # which the tests' own modules import
]


def forking() -> ForkServerContext:
    """Starts processes that need not import the packages they use: a server has them loaded and is forked."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a little of the sample data: UnityEyes, and MPIIFaceGaze's p00 to p03."""
    folder = tmp_path_factory.mktemp("rendered")
    write_unityeyes(folder / "UnityEyes", 90, seed=3, workers=1)
    write_mpiifacegaze(folder / "MPIIFaceGaze", 4, 12, seed=3, workers=1)
    return folder


LONGEST = (
    "test_readme.py",
    "test_pipelines.py",
    "test_distributed.py",
    "test_side_by_side.py",
    "test_training.py",
    "test_dvc.py",
    "test_pipeline.py",
)
"""Files that take long, in the order in which they begin, before all others: no process is left with a long
one at the end, and `made_once`, which the first of them makes, is there when others need it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store without runs, to copy into a project: MLflow takes a second to make one."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all test processes share, with `reproduced` and a copy of it, `pristine`."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "shared"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            (folder / "reproduced").mkdir(parents=True)
            reproduce(folder / "reproduced")
            shutil.copytree(folder / "reproduced", folder / "pristine", symlinks=True)
    return folder


@pytest.fixture(scope="session")
def reproduced(made_once: Path) -> Path:
    """The project at a small size, its pipeline killed once in train-gan, run to its end and committed.

    The tests of one file may change it; those of others take `pristine`.
    """
    return made_once / "reproduced"


@pytest.fixture(scope="session")
def pristine(made_once: Path) -> Path:
    """A copy of `reproduced` that no test changes."""
    return made_once / "pristine"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # sums in one order: what is bit for bit equal stays so on a busy machine
