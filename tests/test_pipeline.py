"""The whole pipeline by its real commands, in a copy of the project, at a size that takes a minute or two."""

import json
import shutil
from pathlib import Path

import h5py
import mlflow
import pytest
from toy import command, runs, update

from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.evaluation.record import load_evaluation
from fpgan.eyes import load_eyes
from fpgan.stages.stage import digest

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
}


@pytest.fixture
def project(reproduced: Path) -> Path:
    return reproduced


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
    assert "errors" not in json.loads(command(project, "dvc", "plots", "show", "--json"))
    (project / "params.yaml").write_text(text)
    scores = json.loads((project / "results/evaluate/metrics.json").read_text())
    assert set(scores["gaze_error_degrees"]) == {"mean_gaze_synthetic", "synthetic"}
    without_labels = {name for name, protocol in PROTOCOLS.items() if protocol.tested_on == "R"}
    too_few = {"quality_s2r", "quality_r2s"}
    assert set(scores["skipped"]) == without_labels | too_few
    assert scores["preservation"]["r2s"]["gaze_drift_degrees"] > 0
