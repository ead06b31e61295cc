"""The whole pipeline by its real commands, in a copy of the project, at a size that takes a minute or two."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import mlflow
import pytest
import yaml

from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.evaluation.record import load_evaluation
from fpgan.eyes import load_eyes
from fpgan.stages.stage import digest

ROOT = Path(__file__).parent.parent
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
RUNS = {
    "render-sample",
    "prepare-unityeyes",
    "prepare-mpiifacegaze",
    "train-gaze-synthetic",
    "adapt",
    "train-gaze-adapted",
    "train-gaze-translated",
    "train-gaze-real",
    "train-landmarks",
    "train-gan",
    "translate-s2r",
    "translate-r2s",
    "evaluate",
    "register",
}


def command(project: Path, *arguments: str) -> str:
    ended = subprocess.run(
        arguments, cwd=project, capture_output=True, text=True, env=environment(), check=False, timeout=500
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


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


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone with small parameters, its pipeline killed once in train-gan and then run to its end."""
    folder = tmp_path_factory.mktemp("clone")
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for arguments in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *author, "commit", "-qm", "Start"], cwd=folder, check=True)
    update(folder, SMALL)
    kill_in_train_gan(folder)
    command(folder, "dvc", "repro")
    return folder


def kill_in_train_gan(folder: Path) -> None:
    running = subprocess.Popen(
        ["dvc", "repro"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 400
    while not list(folder.glob(".fpgan/checkpoints/train-gan-*/step-*.pt")):
        assert running.poll() is None, "the pipeline ended before train-gan wrote a checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not list(folder.glob("models/gan/0/*.safetensors"))


def runs(project: Path) -> list[mlflow.entities.Run]:
    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("fpgan")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def test_every_stage_is_one_finished_run_even_the_one_that_was_killed(project: Path) -> None:
    found = runs(project)
    assert sorted(run.data.tags["stage"] for run in found) == sorted(RUNS)
    assert {run.info.status for run in found} == {"FINISHED"}
    by_stage = {run.data.tags["stage"]: run for run in found}
    assert by_stage["train-gan"].data.tags["resumed"] == "true"
    assert by_stage["train-gan"].data.tags["dvc.stage"] == "train-gan@0"
    assert by_stage["translate-s2r"].data.tags["upstream.generator"] == by_stage["train-gan"].info.run_id
    assert len(by_stage["evaluate"].data.tags["git.commit"]) == 40
    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    steps = [m.step for m in client.get_metric_history(by_stage["train-gan"].info.run_id, "loss/G")]
    assert set(steps) == {5, 10, 15, 20, 25, 30}


def test_evaluation_holds_every_protocol(project: Path) -> None:
    scores = json.loads((project / "results/evaluate/metrics.json").read_text())
    errors = scores["gaze_error_degrees"]
    assert set(errors) == {
        "mean_gaze",
        "no_adaptation",
        "adaptive_data",
        "forward",
        "backward",
        "both",
        "real_bound",
        "mean_gaze_synthetic",
        "synthetic",
    }
    assert all(0 < error["mean"] < 90 for error in errors.values())
    assert errors["forward"]["eyes"] == 24  # both eyes of the 12 pictures of p02
    assert errors["synthetic"]["eyes"] == 12
    text = command(project, "fpgan", "report")
    assert f"{errors['backward']['mean']:.2f}" in text
    for name in (
        "translations_s2r",
        "translations_r2s",
        "gaze_errors",
        "gaze_distributions",
        "person_errors",
        "errors_by_gaze",
        "errors_by_head_pose",
    ):
        assert f"results/evaluate/figures/{name}.png" in text
        assert (project / f"results/evaluate/figures/{name}.png").stat().st_size > 5000
    evaluation = load_evaluation(project / "results/evaluate/evaluation.h5")
    assert set(evaluation.estimates) == set(errors) - {"mean_gaze_synthetic", "synthetic"}
    assert evaluation.estimates["both"].shape == (1, 24, 2)


def test_translated_sets_keep_every_eye_and_its_labels(project: Path) -> None:
    for direction, source in (("s2r", "adapted"), ("r2s", "prepared/mpiifacegaze")):
        before = load_eyes(project / f"data/{source}/eyes.h5")
        after = load_eyes(project / f"data/translated/{direction}/0/eyes.h5")
        assert (after.gaze == before.gaze).all()
        assert (after.person == before.person).all()
        assert not (after.image == before.image).all()


def test_a_second_repro_runs_nothing(project: Path) -> None:
    before = digest(project / "results")
    assert "up to date" in command(project, "dvc", "repro")
    assert len(runs(project)) == len(RUNS)
    assert digest(project / "results") == before


def test_adaptive_data_again_through_the_generator_that_was_trained(project: Path) -> None:
    """Beside the eyes that the pipeline made, which stay."""
    before = digest(project / "data/adapted"), digest(project / "results/adapt")
    told = command(
        project,
        *("fpgan", "adapt", "--through", "models/gan/0/F.safetensors", "--out", "data/again"),
    )
    again, adapted = (load_eyes(project / f"data/{name}/eyes.h5") for name in ("again", "adapted"))
    assert len(again) == len(adapted)
    assert f"{len(again)} synthetic eyes" in told
    assert not (again.gaze == adapted.gaze).all()
    found = json.loads((project / "results/adapt-again/metrics.json").read_text())
    assert found["distance_degrees"]["after_to_estimated"] < found["distance_degrees"]["before_to_estimated"]
    assert before == (digest(project / "data/adapted"), digest(project / "results/adapt"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"train_landmarks": {"epochs": 2}}, {"train-landmarks@0"}),
        ({"train_gan": {"weights": {"gaze": 3}}}, {"train-gan@0"}),
        ({"train_gan": {"real_eyes": "all_persons"}}, {"train-gan@0", "evaluate"}),
        ({"prepare_unityeyes": {"crop_width": 1.4}}, {"prepare-unityeyes", "adapt"}),
        ({"tracking": {"experiment": "other"}}, set()),
    ],
)
def test_a_changed_parameter_concerns_only_its_stages(
    project: Path, changes: dict[str, object], expected: set[str]
) -> None:
    text = (project / "params.yaml").read_text()
    update(project, changes)
    status = json.loads(command(project, "dvc", "status", "dvc.yaml", "--json"))
    (project / "params.yaml").write_text(text)
    assert set(status) == expected


def test_the_users_own_data_leaves_the_sample_data_out(project: Path) -> None:
    """An HDF5 file of real eyes without gaze labels: everything runs, and what needs labels is named."""
    text = (project / "params.yaml").read_text()
    own = project / "own.h5"
    shutil.copy(project / "data/prepared/mpiifacegaze/eyes.h5", own)
    with h5py.File(own, "r+") as file:
        for group in file.values():
            del group["gaze"]
    update(project, {"data": {"mpiifacegaze": "own.h5"}})
    command(project, "dvc", "repro")
    (project / "params.yaml").write_text(text)
    scores = json.loads((project / "results/evaluate/metrics.json").read_text())
    assert set(scores["gaze_error_degrees"]) == {"mean_gaze_synthetic", "synthetic"}
    without_labels = {name for name, protocol in PROTOCOLS.items() if protocol.tested_on == "R"}
    too_few = {"quality_s2r", "quality_r2s"}
    assert set(scores["skipped"]) == without_labels | too_few
    assert scores["preservation"]["r2s"]["gaze_drift_degrees"] > 0
