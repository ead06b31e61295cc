"""A full disk ends a command with a clear message, and leaves existing files as they were."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from conftest import draw_eyes, forking, write_project

from fpgan.cli import main
from fpgan.data.eye_set import load_eyes, save_eyes
from fpgan.errors import Unavailable
from fpgan.files.writing import replacing
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.weights import load_network, save_network
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.gan import GANTraining

LIMIT = 20_000  # bytes per file
NET = {"channels": 1, "height": 20, "width": 32, "network": "residual"}


@contextmanager
def small_files() -> Iterator[None]:
    """Within the block no file can grow beyond the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_eyes(folder: Path) -> None:
    save_eyes(folder / "file", draw_eyes(2 * LIMIT // 640, seed=1), equalized=True)


def write_network(folder: Path) -> None:
    save_network(folder / "file", GazeNet(**NET), NET)  # type: ignore[arg-type]


def write_bytes(folder: Path) -> None:
    with replacing(folder / "file", 2 * LIMIT) as partial:
        partial.write_bytes(bytes(2 * LIMIT))


@pytest.mark.parametrize("write", [write_eyes, write_network, write_bytes])
def test_a_file_that_does_not_fit_leaves_the_old_one(tmp_path: Path, write: Callable[[Path], None]) -> None:
    (tmp_path / "file").write_bytes(b"before")
    with small_files(), pytest.raises(Unavailable) as refused:
        write(tmp_path)
    assert os.strerror(errno.EFBIG) in str(refused.value)
    assert str(tmp_path / "file") in str(refused.value)
    assert (tmp_path / "file").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    write(tmp_path)
    assert (tmp_path / "file").stat().st_size > LIMIT


def test_a_file_cut_short_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    write_eyes(tmp_path)
    eyes = load_eyes(tmp_path / "file")
    with small_files(), pytest.raises(Unavailable):
        write_eyes(tmp_path)
    assert np.array_equal(load_eyes(tmp_path / "file").image, eyes.image)
    (tmp_path / "file").unlink()
    write_network(tmp_path)
    with small_files(), pytest.raises(Unavailable, match="MiB needed"):
        write_network(tmp_path)
    load_network(tmp_path / "file", GazeNet)


def test_a_checkpoint_that_does_not_fit_leaves_the_older_ones(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"weights": torch.ones(2)})
    checkpoints.save(2, {"weights": torch.ones(2)})
    with small_files(), pytest.raises(Unavailable, match=r"step-000000003.pt: cannot be written.* needed"):
        checkpoints.save(3, {"weights": torch.ones(LIMIT)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000001.pt", "step-000000002.pt"]
    state = checkpoints.latest()
    assert state is not None
    assert state["step"] == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A separate file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill_at(step: int) -> None:
    """Fills almost all of the disk before a step."""
    train = GANTraining.step

    def filling_step(self: GANTraining, at: int) -> dict[str, torch.Tensor]:
        if at == step:
            free = os.statvfs(".").f_bavail * os.statvfs(".").f_frsize
            Path("ballast").write_bytes(bytes(free - 300_000))
        return train(self, at)

    GANTraining.step = filling_step  # type: ignore[method-assign]


def train_gan(folder: Path, fill: bool) -> None:
    os.chdir(folder)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    torch.set_num_threads(1)
    sys.argv = ["fpgan", "train-gan"]
    if fill:
        fill_at(9)
    with (folder.parent / "stderr").open("w") as sys.stderr:
        main()


def test_a_training_stopped_by_a_full_disk_says_so_and_resumes_when_there_is_room(
    small_disk: Path, empty_store: Path
) -> None:
    write_project(small_disk, steps=12, tick=3, checkpoint_every=4)
    shutil.copy(empty_store, small_disk)

    def run(fill: bool) -> tuple[int | None, mlflow.entities.Run]:
        process = forking().Process(target=train_gan, args=(small_disk, fill))
        process.start()
        process.join()
        client = mlflow.MlflowClient(f"sqlite:///{small_disk / 'mlflow.db'}")
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        (found,) = client.search_runs(experiments)
        return process.exitcode, found

    code, failed = run(fill=True)
    errors = (small_disk.parent / "stderr").read_text()
    assert code == 1
    assert "cannot be written: No space left on device" in errors
    assert "Traceback" not in errors
    (small_disk / "ballast").unlink()
    assert failed.info.status == "FAILED"
    code, ended = run(fill=False)
    assert code == 0
    assert ended.info.run_id == failed.info.run_id
    assert ended.info.status == "FINISHED"
