"""The whole project at a size that takes a minute or two: copied, changed and run by its real commands."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import mlflow
import yaml

ROOT = Path(__file__).parent.parent
PATIENCE = 1200  # seconds, on a busy machine
SMALL = {
    "eyes": {"width": 32, "height": 20},
    "split": {"validation_persons": ["p01"], "test_persons": ["p02"], "synthetic_test": 0.2},
    "render_sample": {"synthetic": 60, "persons": 4, "pictures_per_person": 12},
    "train_gaze": {"epochs": 1, "fewest_steps": 0, "batch_size": 8},
    "adapt": {"rounds": 1},
    "train_landmarks": {"epochs": 1, "batch_size": 8, "features": 8},
    "train_gan": {
        "steps": 30,
        "batch_size": 2,
        "generator": {"filters": 4, "residual_blocks": 1},
        "discriminator": {"filters": 4, "layers": 2},
        "tick": 5,
        "checkpoint_every": 5,
    },
}


def reproduce(folder: Path) -> None:
    """A fresh clone at that size, its pipeline killed once in train-gan, run to its end and committed."""
    for name in git(ROOT, "ls-files").splitlines():
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "config", "user.name", "test")
    git(folder, "config", "user.email", "test@example.org")
    update(folder, SMALL)
    commit(folder, "Start")
    kill_in_train_gan(folder)
    command(folder, "dvc", "repro")
    commit(folder, "Run")


def git(folder: Path, *arguments: str) -> str:
    return command(folder, "git", *arguments)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)


def command(project: Path, *arguments: str) -> str:
    ended = subprocess.run(
        arguments,
        cwd=project,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def stages_run(output: str) -> list[str]:
    """The stages that `dvc repro` ran, by its output."""
    return re.findall(r"^Running stage '(.*)'", output, re.MULTILINE)


def environment() -> dict[str, str]:
    without = {
        key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_TRACKING", "DVC_"))
    }
    return without | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def update(project: Path, changes: dict[str, object]) -> None:
    values = yaml.safe_load((project / "params.yaml").read_text())

    def merge(into: dict[str, object], new: dict[str, object]) -> None:
        for key, value in new.items():
            inner = into.get(key)
            if isinstance(value, dict) and isinstance(inner, dict):
                merge(inner, value)
            else:
                into[key] = value

    merge(values, changes)
    (project / "params.yaml").write_text(yaml.safe_dump(values))


def kill_in_train_gan(folder: Path) -> None:
    running = subprocess.Popen(
        ["dvc", "repro"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE
    try:
        while not list(folder.glob(".fpgan/checkpoints/train-gan-*/step-*.pt")):
            assert running.poll() is None, "the pipeline ended before train-gan wrote a checkpoint"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert not list(folder.glob("models/gan/0/*.safetensors"))


def runs(project: Path) -> list[mlflow.entities.Run]:
    """Those of stages."""
    return [run for run in all_runs(project) if run.data.tags["stage"] != "pipeline"]


def all_runs(project: Path) -> list[mlflow.entities.Run]:
    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("fpgan")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))
