"""Networks outside the project: exported files, the model registry, and a served translator."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import mlflow
import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from conftest import HEIGHT, WIDTH, draw_eyes, write_project
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from fpgan.deployment.champion import Measured, judge
from fpgan.eyes import equalize, load_eyes, save_eyes
from fpgan.layout import Branch, Trial
from fpgan.networks.deployed import Deployed, equalize_color, equalize_grey
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.generator import Generator
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import estimate_gaze, translate_pictures
from fpgan.networks.store import load_network, save_network
from fpgan.params import load_params
from fpgan.stages.evaluate import evaluate_stage
from fpgan.stages.register import register_stage

GAZE = {"channels": 1, "height": HEIGHT, "width": WIDTH, "network": "residual"}
GENERATOR = {"channels": 1, "filters": 4, "residual_blocks": 1}
NAMES = ["fpgan-s2r", "fpgan-r2s", "fpgan-gaze", "fpgan-landmarks"]


def pictures(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@given(arrays(np.uint8, (2, 6, 8), elements=st.integers(0, 255), fill=st.integers(0, 255)))
def test_grey_pictures_are_equalised_as_opencv_does(eyes: np.ndarray) -> None:
    found = equalize_grey(torch.from_numpy(eyes).float()).numpy()
    np.testing.assert_array_equal(found, equalize(eyes))


@given(arrays(np.uint8, (2, 6, 8, 3), elements=st.integers(0, 255), fill=st.integers(0, 255)))
def test_rgb_pictures_are_equalised_as_opencv_does(eyes: np.ndarray) -> None:
    found = equalize_color(torch.from_numpy(eyes).float()).numpy()
    np.testing.assert_array_equal(found, equalize(eyes))


def build_project(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    write_project(folder, **changes)
    save_eyes(Path("data/prepared/unityeyes/eyes.h5"), draw_eyes(40, seed=5), equalized=False)
    torch.manual_seed(0)
    trial = Trial(Branch(), 0)
    for kind in ("synthetic", "translated", "real"):
        save_network(trial.gaze_net(kind), GazeNet(**GAZE), GAZE)
    for direction in ("s2r", "r2s"):
        save_network(trial.generator(direction), Generator(**GENERATOR), GENERATOR)


if __name__ == "__main__":
    import tempfile

    m = pytest.MonkeyPatch()
    folder = Path(tempfile.mkdtemp(dir="/tmp/lab"))
    build_project(folder, m)
    p = load_params(Path("params.yaml"), None)
    t = time.time()
    print(evaluate_stage(p, Branch()))
    print("evaluate", time.time() - t)
    t = time.time()
    c = time.process_time()
    print(register_stage(p))
    print("register", time.time() - t, time.process_time() - c)
    t = time.time()
    print(register_stage(p))
    print("again", time.time() - t)
    print(folder)
