import csv
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from conftest import draw_eyes, forking, write_project

from fpgan.cli import main
from fpgan.data.eye_set import save_eyes
from fpgan.errors import InputError, Interrupted
from fpgan.layout import Branch, Trial
from fpgan.params import Params
from fpgan.provenance.digests import digest
from fpgan.provenance.stage_code import stage_code, version
from fpgan.runs.stage import Stage, run_stage
from fpgan.tracking.run import Run
from fpgan.training.gan import GANTraining


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Path:
    """A project folder with one input, whose runs go to a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # set by MLflow itself later, and undone after the test
    shutil.copy(empty_store, tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "upstream").mkdir()
    (tmp_path / "upstream/eyes.h5").write_bytes(b"eyes")
    (tmp_path / "upstream/run.json").write_text('{"run_id": "abc", "stage": "prepare"}')
    return tmp_path


def opened(output: Path, belongs_to: Branch | Trial) -> AbstractContextManager[Stage]:
    params = Params()
    return run_stage(
        "train-gan",
        params,
        sections={"train_gan": params.train_gan},
        inputs={"eyes": Path("upstream/eyes.h5")},
        output=output,
        description="A stage.",
        belongs_to=belongs_to,
    )


def stage(work: object) -> None:
    with opened(Path("models/gan"), Branch()) as running:
        assert callable(work)
        work(running)


def test_a_stage_logs_its_run_and_its_outputs_name_it(project: Path) -> None:
    def work(running: Stage) -> None:
        (running.output / "weights").write_text("1")
        (running.results / "curve.csv").write_text("step\n")
        running.run.metrics(5, {"loss/G": 0.25})
        running.run.picture(5, "translations/s2r", np.zeros((4, 4), np.uint8))
        running.score({"drift": 1.5, "s2r": {"change": 3}, "protocol": "words"})
        assert not (project / "models/gan/weights").exists()

    stage(work)
    record = json.loads((project / "models/gan/run.json").read_text())
    run = mlflow.get_run(record["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.params["train_gan.weights.cycle_real"] == "10.0"
    assert run.data.tags["upstream.eyes"] == "abc"
    assert run.data.tags["stage"] == "train-gan"
    assert run.data.metrics["loss/G"] == 0.25
    assert run.data.metrics["s2r/change"] == 3
    inputs = run.inputs.dataset_inputs
    assert inputs[0].dataset.digest == digest(project / "upstream/eyes.h5")[:36]
    names = {file.path for file in mlflow.MlflowClient().list_artifacts(record["run_id"])}
    assert {"curve.csv", "metrics.json", "images"} <= names
    assert run.info.artifact_uri.startswith((project / "mlartifacts").as_uri())
    assert json.loads((project / "results/train-gan/metrics.json").read_text())["s2r"] == {"change": 3}
    left = {str(path.relative_to(project)) for path in project.rglob("*.partial")}
    assert left == set()


def test_a_failed_stage_keeps_the_previous_output_and_goes_on_in_its_run(project: Path) -> None:
    def good(running: Stage) -> None:
        (running.output / "weights").write_text("good")

    def bad(running: Stage) -> None:
        (running.output / "weights").write_text("half")
        running.checkpoints.save(3, {})
        raise FloatingPointError("diverged")

    def resumed(running: Stage) -> None:
        state = running.checkpoints.latest()
        assert state is not None
        assert state["step"] == 3
        good(running)

    stage(good)
    first = json.loads(Path("models/gan/run.json").read_text())["run_id"]
    with pytest.raises(FloatingPointError):
        stage(bad)
    assert Path("models/gan/weights").read_text() == "good"
    assert json.loads(Path("models/gan/run.json").read_text())["run_id"] == first
    failed = mlflow.search_runs(filter_string="attributes.status = 'FAILED'", search_all_experiments=True)
    stage(resumed)
    second = json.loads(Path("models/gan/run.json").read_text())["run_id"]
    assert [second] == failed["run_id"].tolist()
    assert mlflow.get_run(second).info.status == "FINISHED"
    assert mlflow.get_run(second).data.tags["resumed"] == "true"
    # Other inputs: nothing to resume from, and a run of its own.
    Path("upstream/eyes.h5").write_bytes(b"others")

    def fresh(running: Stage) -> None:
        assert running.checkpoints.latest() is None
        good(running)

    stage(fresh)
    assert json.loads(Path("models/gan/run.json").read_text())["run_id"] != second


def test_a_stage_does_not_resume_with_other_code(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(running: Stage) -> None:
        running.checkpoints.save(3, {})
        raise Interrupted(3, signal.SIGTERM)

    def fresh(running: Stage) -> None:
        assert running.checkpoints.latest() is None

    with pytest.raises(Interrupted):
        stage(killed)
    monkeypatch.setattr("fpgan.runs.stage.stage_code", lambda name: "fpgan.losses.gaze_loss 0\n")
    stage(fresh)
    found = mlflow.MlflowClient().search_runs(["1"], order_by=["attributes.start_time DESC"])
    assert [run.info.status for run in found] == ["FINISHED", "KILLED"]
    codes = [mlflow.artifacts.load_text(f"{run.info.artifact_uri}/code.txt") for run in found]
    assert codes == ["fpgan.losses.gaze_loss 0\n", stage_code("train-gan")]
    assert [run.data.tags["code"] for run in found] == [version(code) for code in codes]


def test_a_stage_is_run_by_one_process_at_a_time(project: Path) -> None:
    def again(running: Stage) -> None:
        (running.output / "weights").write_text("first")
        with pytest.raises(InputError, match="train-gan: another process is running it here"):
            stage(lambda second: None)
        with trial(1), trial(2):  # others are not in its way
            pass

    stage(again)
    assert Path("models/gan/weights").read_text() == "first"


def trial(seed: int) -> AbstractContextManager[Stage]:
    return opened(Path(f"models/gan/{seed}"), Trial(Branch(), seed))


def stay_in_a_stage(folder: Path, entered: Any) -> None:
    """What a process does: runs a stage without end."""
    os.chdir(folder)
    os.environ["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:1"
    with trial(0):
        entered.set()
        time.sleep(600)


def test_a_killed_process_leaves_no_lock(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    entered = forking().Event()
    process = forking().Process(target=stay_in_a_stage, args=(project, entered))
    process.start()
    assert entered.wait(120)
    with pytest.raises(InputError, match="train-gan/0: another process"), trial(0):
        pass
    process.kill()
    process.join()
    with trial(0) as running:
        (running.output / "weights").write_text("1")
    assert Path("models/gan/0/weights").exists()


def copy_of(project: Path) -> Path:
    """A copy of the project like those in which DVC runs queued experiments."""
    copy = project / ".dvc/tmp/exps/copy"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("tmp", "mlflow.db"))
    return copy


def run_in_copy(project: Path) -> None:
    os.chdir(copy_of(project))
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ["DVC_ROOT"] = str(project)
    with Path("stderr").open("w", buffering=1) as sys.stderr:
        stage(lambda running: (running.output / "weights").write_text("second"))


def test_of_two_processes_that_run_the_same_stage_one_waits(project: Path) -> None:
    """As two experiments of a queue do that have the stage in common."""
    other = forking().Process(target=run_in_copy, args=(project,))
    messages = project / ".dvc/tmp/exps/copy/stderr"

    def work(running: Stage) -> None:
        other.start()
        deadline = time.monotonic() + 120
        while not messages.exists() or "waiting for another process" not in messages.read_text():
            assert other.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (running.output / "weights").write_text("first")

    stage(work)
    other.join()
    assert other.exitcode == 0
    assert Path("models/gan/weights").read_text() == "first"
    assert (messages.parent / "models/gan/weights").read_text() == "second"
    found = mlflow.search_runs(search_all_experiments=True)
    assert found["status"].tolist() == ["FINISHED", "FINISHED"]
    assert not list(Path(".fpgan/checkpoints").iterdir())


def test_runs_are_kept_in_the_project_that_dvc_runs_a_copy_of(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an experiment of a queue."""
    (project / "mlflow.db").unlink()
    monkeypatch.chdir(copy_of(project))
    monkeypatch.setenv("DVC_ROOT", str(project))
    with pytest.raises(FloatingPointError):
        stage(partial(fail_with, FloatingPointError("diverged")))
    assert list(project.glob(".fpgan/checkpoints/*/run_id"))
    assert {path.name for path in Path.cwd().iterdir()} == {".dvc", ".fpgan", "upstream", "models", "results"}
    assert (project / "mlflow.db").exists()


def fail_with(error: Exception, running: Stage) -> None:
    raise error


def test_digests_follow_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    one = digest(tmp_path / "a")
    assert digest(tmp_path) != one
    folder = digest(tmp_path)
    (tmp_path / "b").write_bytes(b"12")
    assert digest(tmp_path) != folder
    (tmp_path / "a").write_bytes(b"2")
    assert digest(tmp_path / "a") != one
    with pytest.raises(InputError, match="dvc repro"):
        digest(tmp_path / "absent")


@dataclass(frozen=True)
class Ended:
    """How a command ended that was to be stopped."""

    code: int | None
    errors: str
    run: mlflow.entities.Run
    checkpoints: list[int]


def kill_at_creation() -> None:
    """The process dies when its run has been created and nothing logged."""

    def die(params: dict[str, str], run_id: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    mlflow.log_params = die


def kill_after_tick(last: int) -> None:
    """The process dies when the run holds that step and no checkpoint does."""
    metrics = Run.metrics

    def die(self: Run, step: int, values: dict[str, float]) -> None:
        metrics(self, step, values)
        if step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    Run.metrics = die  # type: ignore[method-assign]


def stop_at(last: int, number: signal.Signals) -> None:
    """The process gets a signal during a step."""
    step = GANTraining.step

    def signalled_step(self: GANTraining, at: int) -> dict[str, torch.Tensor]:
        if at == last - 1:
            os.kill(os.getpid(), number)
        return step(self, at)

    GANTraining.step = signalled_step  # type: ignore[method-assign]


def fpgan(folder: Path, arguments: list[str], stop: Callable[[], None]) -> None:
    """What a process does: the command, in that folder."""
    os.chdir(folder)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    torch.set_num_threads(1)
    sys.argv = ["fpgan", *arguments]
    stop()
    with Path("stderr").open("w") as sys.stderr:
        main()


def run_train_gan(folder: Path, stop: Callable[[], None], *changes: str) -> Ended:
    process = forking().Process(target=fpgan, args=(folder, ["train-gan", *changes], stop))
    process.start()
    process.join()
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    newest = client.search_runs(experiments, order_by=["attributes.start_time DESC"])[0]
    steps = [int(path.stem[-9:]) for path in sorted(folder.glob(".fpgan/checkpoints/*/step-*.pt"))]
    return Ended(process.exitcode, (folder / "stderr").read_text(), newest, steps)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> tuple[Path, list[Ended]]:
    """A project whose train-gan was stopped in four ways and then ended, and how."""
    folder = tmp_path_factory.mktemp("project")
    write_project(folder, steps=20, tick=3, checkpoint_every=8)
    shutil.copy(empty_store, folder)
    stops: list[Callable[[], None]] = [
        kill_at_creation,
        partial(kill_after_tick, 12),
        partial(stop_at, 14, signal.SIGTERM),
        partial(stop_at, 16, signal.SIGINT),
        partial(stop_at, 99, signal.SIGINT),
    ]
    # A resumed run stays in its experiment, also if the parameters name another.
    experiments = ["fpgan", "fpgan", "other", "other", "fpgan"]
    return folder, [
        run_train_gan(folder, stop, "--set", f"tracking.experiment={experiment}")
        for stop, experiment in zip(stops, experiments, strict=True)
    ]


def test_a_stopped_training_tells_how_and_where(stopped: tuple[Path, list[Ended]]) -> None:
    _, ends = stopped
    assert [ended.code for ended in ends] == [-9, -9, 128 + 15, 128 + 2, 0]
    assert [ended.checkpoints for ended in ends] == [[], [8], [8, 14], [14, 16], []]
    assert [ended.run.info.status for ended in ends] == ["RUNNING", "RUNNING", "KILLED", "KILLED", "FINISHED"]
    for ended, step in zip(ends[2:4], (14, 16), strict=True):
        assert f"fpgan: stopped after step {step}; the same command resumes there" in ended.errors
        assert "Traceback" not in ended.errors


def test_however_often_a_training_was_stopped_its_run_holds_everything_once(
    stopped: tuple[Path, list[Ended]],
) -> None:
    folder, ends = stopped
    assert len({ended.run.info.run_id for ended in ends}) == 1
    run = ends[-1].run
    assert run.data.params["train_gan.steps"] == "20"
    names = [logged.dataset.name for logged in run.inputs.dataset_inputs]
    assert sorted(names) == ["gaze_net", "landmark_net", "real", "synthetic"]
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    with (folder / "results/train-gan/0/history.csv").open() as file:
        history = list(csv.DictReader(file))
    for name in ("loss/G", "loss/D_S", "gradient_norm/generators"):
        logged = [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)]
        assert logged == [(int(row["step"]), float(row[name])) for row in history]
    assert [int(row["step"]) for row in history] == [3, 6, 9, 12, 15, 18, 20]
    pictures = [file.path for file in client.list_artifacts(run.info.run_id, "images")]
    assert len(pictures) == 8 * 2 * 2  # with step 0; of both directions; large and small
    steps = [re.findall(r"step.(\d+).*webp", name) for name in pictures if "s2r" in name]
    assert sorted(int(step) for found in steps for step in found) == [0, 3, 6, 9, 12, 15, 18, 20]


def spoil_weights_at(step: int) -> None:
    """The training diverges."""
    inputs = GANTraining.inputs

    def spoil(self: GANTraining, at: int) -> dict[str, torch.Tensor]:
        if at == step:
            torch.nn.init.constant_(self.generator_weights[0], float("nan"))
        return inputs(self, at)

    GANTraining.inputs = spoil  # type: ignore[method-assign]


def test_a_training_that_diverges_fails_its_run_and_no_other_goes_on_from_its_checkpoints(
    stopped: tuple[Path, list[Ended]],
) -> None:
    folder, ends = stopped
    diverged = run_train_gan(folder, partial(spoil_weights_at, 10), "--set", "train_gan.learning_rate=0.001")
    assert diverged.code == 1
    assert "no longer finite at step 12" in diverged.errors
    assert "Traceback" not in diverged.errors
    assert diverged.run.info.status == "FAILED"
    assert diverged.checkpoints == [8]
    # Other parameters, or other data: a run of its own, which begins at its own first step.
    changes = ("--set", "train_gan.learning_rate=0.002")
    others = [run_train_gan(folder, partial(kill_after_tick, 3), *changes)]
    save_eyes(folder / "data/adapted/eyes.h5", draw_eyes(40, seed=7), equalized=True)
    others.append(run_train_gan(folder, partial(kill_after_tick, 3), *changes))
    assert [ended.code for ended in others] == [-9, -9]
    assert [ended.checkpoints for ended in others] == [[8], [8]]
    assert len({ended.run.info.run_id for ended in (ends[-1], diverged, *others)}) == 4
