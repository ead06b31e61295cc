"""A training that is stopped in any way and started again gives the result of an uninterrupted one."""

import json
import os
import random
import signal
import time
from multiprocessing.process import BaseProcess
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import draw_eyes, forking
from numpy.typing import NDArray

from fpgan.errors import Interrupted
from fpgan.networks.frozen import frozen
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import translate_pictures
from fpgan.params import DiscriminatorParams, GANWeights, GeneratorParams, TrainGAN
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.distributed import Processes
from fpgan.training.gan import TASK_METRIC, GANTraining, TrainingEyes, train_gan
from fpgan.training.objective import Generators, build_networks

STEPS = 40
KILLS = 10
STOPPED_AT = 17  # neither a tick nor a checkpoint
PARAMS = TrainGAN(
    steps=STEPS,
    batch_size=2,
    pool_size=5,
    generator=GeneratorParams(filters=4, residual_blocks=1, normalization="batch"),
    discriminator=DiscriminatorParams(filters=4, layers=2),
    weights=GANWeights(gaze=1, landmarks=1),
    learning_rate=2e-3,
    average_decay=0.9,
    keep="best",
    tick=3,
    checkpoint_every=4,
)


ALONE = Processes(torch.device("cpu"))


class Log:
    """A recorder that appends to a file and, like a run, skips entries that it holds already."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known = {(step, name) for step, name, _ in entries(path)}

    def metrics(self, step: int, values: dict[str, float]) -> None:
        new = [[step, name, value] for name, value in values.items() if (step, name) not in self.known]
        with self.path.open("a") as file:
            file.write("".join(json.dumps(entry) + "\n" for entry in new))

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        self.metrics(step, {name: int(image.sum())})

    def warn(self, step: int, message: str) -> None:
        self.metrics(step, {message: 0})


def entries(path: Path) -> list[tuple[int, str, float]]:
    """The entries of a log, (step, name, value), without rates, which differ between trainings."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [(step, name, value) for step, name, value in map(json.loads, lines) if "second" not in name]


def train(folder: Path, params: TrainGAN = PARAMS, processes: Processes = ALONE) -> dict[str, Any]:
    """Trains in the folder, or resumes there; returns all weights and the history."""
    synthetic, real = draw_eyes(12, seed=0), draw_eyes(11, seed=1, ground=110, disc=20)
    pictures_s, pictures_r = synthetic.image[:, 2:18, 8:24], real.image[:, 2:18, 8:24]
    networks = build_networks(params, channels=1, seed=0)
    torch.manual_seed(1)
    log = Log(folder / "log")

    def watch(step: int, generators: Generators) -> dict[str, float]:
        translated = translate_pictures(generators.F, pictures_r[:4])
        log.picture(step, "translations", translated[0])
        return {
            TASK_METRIC: abs(float(translated.mean()) - 133)
        }  # a grey level that is passed during training

    kept, history = train_gan(
        networks,
        eyes=TrainingEyes(pictures_s, pictures_r, synthetic.landmarks),
        features={
            "gaze": frozen(GazeNet(1, 16, 16, "residual")),
            "landmarks": frozen(LandmarkNet(1, 1, 4)),
        },
        watch=watch,
        params=params,
        seed=0,
        precision="fp32",
        capture=False,
        checkpoints=Checkpoints(folder / "checkpoints") if processes.leads else None,
        recorder=log,
        processes=processes,
    )
    weights = {name: network.state_dict() for name, network in networks.all().items()}
    weights |= {f"kept {name}": network.state_dict() for name, network in kept._asdict().items()}
    return {"weights": weights, "history": history}


def train_to_a_file(folder: Path, progress: Any) -> None:
    """Run by a process that will be killed; `progress` shows its current step."""
    torch.set_num_threads(1)
    step = GANTraining.step

    def shown_step(self: GANTraining, number: int) -> dict[str, torch.Tensor]:
        progress.value = number
        return step(self, number)

    GANTraining.step = shown_step  # type: ignore[method-assign]
    os.fsync = lambda file: time.sleep(0.05)  # a slow disk: checkpoints take as long as their steps
    torch.save(train(folder), folder / "ended.pt")


def started(folder: Path) -> tuple[BaseProcess, Any]:
    progress = forking().Value("i", -1, lock=False)  # a killed process could not release a lock
    process = forking().Process(target=train_to_a_file, args=(folder, progress))
    process.start()
    return process, progress


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted training."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    process, _ = started(folder)
    process.join()
    assert process.exitcode == 0
    best = min(torch.load(folder / "ended.pt", weights_only=True)["history"], key=itemgetter(TASK_METRIC))
    assert best["step"] < STOPPED_AT, "the best generators must occur before the training is stopped"
    return folder


def assert_ended_alike(folder: Path, ended: dict[str, Any], uninterrupted: Path) -> None:
    expected = torch.load(uninterrupted / "ended.pt", weights_only=True)
    assert ended["history"] == expected["history"]
    for network, weights in expected["weights"].items():
        for name, weight in weights.items():
            assert torch.equal(ended["weights"][network][name], weight), f"{network} {name}"
    # Every step once and in order: the same lines.
    assert entries(folder / "log") == entries(uninterrupted / "log")


def test_a_training_killed_at_ten_random_moments_ends_like_an_uninterrupted_one(
    tmp_path: Path, uninterrupted: Path
) -> None:
    draw = random.Random(0)
    cut_short = 0
    for target in sorted(draw.choices(range(STEPS - 10), k=KILLS)):
        process, progress = started(tmp_path)
        while progress.value < target:
            assert process.is_alive()
            time.sleep(0.001)
        if draw.random() < 0.5:
            while not list(tmp_path.glob("checkpoints/*.partial")) and process.is_alive():
                time.sleep(0.001)
        else:
            time.sleep(draw.uniform(0, 0.06))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        cut_short += bool(list(tmp_path.glob("checkpoints/*.partial")))
    assert cut_short > 2
    process, _ = started(tmp_path)
    process.join()
    assert process.exitcode == 0
    assert_ended_alike(tmp_path, torch.load(tmp_path / "ended.pt", weights_only=True), uninterrupted)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_stops_at_its_step_and_the_training_resumes_from_it(
    tmp_path: Path, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    step = GANTraining.step

    def signalled_step(self: GANTraining, at: int) -> dict[str, torch.Tensor]:
        if at == STOPPED_AT - 1:
            os.kill(os.getpid(), number)
        return step(self, at)

    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        patched.setattr(GANTraining, "step", signalled_step)
        with pytest.raises(Interrupted, match=f"after step {STOPPED_AT};") as stopped:
            train(tmp_path)
    assert stopped.value.signal_number == number
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    state = Checkpoints(tmp_path / "checkpoints").latest()
    assert state is not None
    assert state["step"] == STOPPED_AT
    assert_ended_alike(tmp_path, train(tmp_path), uninterrupted)


def test_a_damaged_checkpoint_costs_a_few_steps_and_does_not_change_the_result(
    tmp_path: Path, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path)
    newest = max((tmp_path / "checkpoints").glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    steps = []
    step = GANTraining.step

    def noted_step(self: GANTraining, at: int) -> dict[str, torch.Tensor]:
        steps.append(at)
        return step(self, at)

    monkeypatch.setattr(GANTraining, "step", noted_step)
    assert_ended_alike(tmp_path, train(tmp_path), uninterrupted)
    assert steps == [36, 37, 38, 39]
    assert f"{newest}: unreadable" in capsys.readouterr().err
