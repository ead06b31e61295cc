"""Several processes that train together give the result of one. As a script: their training."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mlflow
import psutil
import pytest
import torch
from conftest import write_project
from test_resume import PARAMS, entries, train

from fpgan.errors import InputError
from fpgan.params import Compute, Params
from fpgan.stages.train_gan import check_compute
from fpgan.training.distributed import _place, join, launch, must_launch

TOGETHER = PARAMS.model_copy(
    update={
        "steps": 16,
        "tick": 2,
        "learning_rate": 1e-4,  # a higher rate magnifies rounding
        "batch_size": 4,
        "keep": "last",
        "generator": PARAMS.generator.model_copy(update={"normalization": "instance"}),
    }
)
TWO = Compute(devices=2)
FPGAN = [sys.executable, str(Path(sys.executable).with_name("fpgan"))]


def train_together(folder: Path) -> None:
    """Run by each of two processes: the training of every folder, with a record per process."""
    torch.set_num_threads(1)
    with join(TWO) as processes:
        for training in sorted(folder.iterdir()):
            params = (
                TOGETHER.model_copy(update={"steps": 100_000}) if training.name == "endless" else TOGETHER
            )
            train(training / f"rank{processes.rank}", params, processes)


def environment() -> dict[str, str]:
    """The environment without the settings of other tests or of a cluster."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "SLURM_"))}


def wait_for(happened: Callable[[], object], running: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 100
    while not happened():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_give_the_result_of_one(tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    for folder in (
        alone,
        *(together / name / f"rank{rank}" for name in ("new", "resumed") for rank in (0, 1)),
    ):
        folder.mkdir(parents=True)
    train(alone, TOGETHER)
    # One process started the second training, and two resume it.
    shutil.copytree(alone / "checkpoints", together / "resumed/rank0/checkpoints")
    (together / "resumed/rank0/checkpoints/step-000000016.pt").unlink()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*torchrun, __file__, together], env=environment(), check=True, capture_output=True)
    expected = entries(alone / "log")
    new, resumed = entries(together / "new/rank0/log"), entries(together / "resumed/rank0/log")
    for found, wanted in ((new, expected), (resumed, [entry for entry in expected if entry[0] > 12])):
        assert [entry[:2] for entry in found] == [entry[:2] for entry in wanted]
        losses = [value for _, name, value in found if name.startswith(("loss", "D_", "gradient"))]
        # Sums of halves are rounded differently, and training amplifies that, more on some processors.
        assert losses == pytest.approx(
            [value for _, name, value in wanted if name.startswith(("loss", "D_", "gradient"))], rel=2e-2
        )
    for name in ("new", "resumed"):  # only the leading process logs and saves
        assert list((together / name / "rank1").iterdir()) == []
        assert (together / name / "rank0/checkpoints/step-000000016.pt").exists()


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """Otherwise they would train on beside the processes of the next start."""
    for rank in (0, 1):
        (tmp_path / f"endless/rank{rank}").mkdir(parents=True)
    running = subprocess.Popen(
        [sys.executable, __file__, str(tmp_path)],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for((tmp_path / "endless/rank0/log").exists, running)
    started = psutil.Process(running.pid).children()
    assert len(started) == 2
    running.kill()
    running.communicate()
    _, left = psutil.wait_procs(started, timeout=10)
    assert not left


def test_train_gan_starts_one_process_per_device_and_passes_signals_on(
    tmp_path: Path, empty_store: Path
) -> None:
    write_project(tmp_path, steps=100_000, tick=3, checkpoint_every=8)
    shutil.copy(empty_store, tmp_path)
    running = subprocess.Popen(
        [*FPGAN, "train-gan", "--set", "compute.devices=2"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: list(tmp_path.glob(".fpgan/checkpoints/*/step-*.pt")), running)
    running.terminate()
    output, errors = running.communicate()
    assert running.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in errors
    assert errors.count("the same command resumes there") == 1
    assert output.count("fp32 on 2 x cpu") + output.count("bf16 on 2 x cpu") == 1
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name = 'fpgan'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "KILLED"
    assert run.data.tags["processes"] == "2"


def test_a_users_mistake_keeps_its_exit_code_through_the_launcher(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "models/landmarks/0/landmarks.safetensors").unlink()
    ended = subprocess.run(
        [*FPGAN, "train-gan", "--set", "compute.devices=2"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "landmarks.safetensors: no such" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_that_would_change_the_result_are_refused() -> None:
    with pytest.raises(InputError, match="8 pairs cannot be shared equally among 3"):
        check_compute(Params.model_validate({"compute": {"devices": 3}}))
    batch = {"train_gan": {"generator": {"normalization": "batch"}}, "compute": {"devices": 2}}
    with pytest.raises(InputError, match="batch normalization"):
        check_compute(Params.model_validate(batch))


def test_other_machines_are_left_to_torchrun_and_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_the_place(monkeypatch)
    assert not must_launch(Compute())
    assert must_launch(TWO)
    with pytest.raises(InputError, match=r"torchrun --nnodes=2 --nproc-per-node=4"):
        must_launch(Compute(devices=4, nodes=2))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "some")
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert _place() == (5, 8, 1)
    assert not must_launch(Compute(devices=4, nodes=2))
    with (
        pytest.raises(InputError, match=r"1 x 2 \(nodes x devices\) are requested, but 8 processes"),
        join(TWO),
    ):
        pass


def test_missing_devices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"compute.strategy: nccl needs GPUs"):
        must_launch(Compute(devices=2, strategy="nccl"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert must_launch(Compute(devices=2, strategy="nccl"))
    with pytest.raises(InputError, match=r"compute.devices: 3 are requested, this machine has 2 GPUs"):
        must_launch(Compute(devices=3))


def test_the_rank_is_read_from_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_the_place(monkeypatch)
    scontrol = tmp_path / "scontrol"
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostnames node[3-4]" ] && printf "node3\\nnode4\\n"\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    placed = {"SLURM_PROCID": "3", "SLURM_LOCALID": "1"}
    job = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NODELIST": "node[3-4]"}
    for name, value in (placed | job).items():
        monkeypatch.setenv(name, value)
    assert _place() == (3, 4, 1)
    assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]) == ("node3", "29400")
    assert not must_launch(Compute(devices=2, nodes=2))
    # A step of one task, such as the shell of an interactive job, starts its processes itself.
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert _place() is None
    assert must_launch(TWO)


def forget_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SLURM_", "TORCHELASTIC_")):
            monkeypatch.delenv(name)
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")  # so that the test's changes are reverted
        monkeypatch.delenv(name)


if __name__ == "__main__":
    if must_launch(TWO):
        launch(TWO)
    else:
        train_together(Path(sys.argv[1]))
