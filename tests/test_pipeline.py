"""The whole pipeline by its real commands, in a copy of the project, at a size that takes a minute or two."""

import json
import shutil
from pathlib import Path

import h5py
import mlflow
import pytest
import yaml
from toy import ROOT, all_runs, command, runs, stages_run, update

from fpgan.cli import app
from fpgan.data.eye_set import load_eyes
from fpgan.evaluation.protocols import PROTOCOLS
from fpgan.evaluation.record import load_evaluation
from fpgan.provenance.digests import digest

RUNS = {"render-sample", *yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]} - {"code"}


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


def test_each_execution_is_a_run_above_those_of_its_stages(project: Path) -> None:
    """Two of them: the killed one, under which the run that it began stays, and the one that ended well."""
    executions = [run for run in all_runs(project) if run.data.tags["stage"] == "pipeline"]
    assert sorted(run.info.status for run in executions) == ["FINISHED", "KILLED"]
    ended, killed = sorted(executions, key=lambda run: str(run.info.status))
    above = {run.data.tags["stage"]: run.data.tags["mlflow.parentRunId"] for run in runs(project)}
    assert above["train-gan"] == above["prepare-unityeyes"] == killed.info.run_id
    assert above["translate-s2r"] == above["evaluate"] == ended.info.run_id
    assert set(above.values()) == {ended.info.run_id, killed.info.run_id}
    assert killed.info.run_name == "stopped · dvc repro · train-gan · seed 0"
    assert ended.info.run_name.startswith("dvc repro · forward ")
    assert ended.data.tags["dvc.command"] == "dvc repro"
    assert ended.data.params["train_gan.steps"] == "30"
    (named,) = (run.info.run_name for run in runs(project) if run.data.tags["stage"] == "train-gan")
    assert named.startswith("train-gan · drift ")
    assert named.endswith(" · seed 0 · resumed")


def test_what_runs_read_has_the_digests_of_dvc_lock(project: Path) -> None:
    locks = [
        yaml.safe_load((project / f"{folder}dvc.lock").read_text()) for folder in ("", "pipelines/sample/")
    ]
    made = {
        out["path"]: out["md5"]
        for lock in locks
        for stage in lock["stages"].values()
        for out in stage["outs"]
    }
    read = [each.dataset for run in runs(project) for each in run.inputs.dataset_inputs]
    assert len(read) > 20
    for dataset in read:
        assert dataset.digest == made[json.loads(dataset.source)["uri"]], dataset.name


def test_lineage_of_restored_results_leads_to_the_rendered_pictures(project: Path) -> None:
    shutil.rmtree(project / "data/adapted")
    command(project, "dvc", "checkout", "data/adapted/eyes.h5", "data/adapted/run.json")
    output = command(project, "fpgan", "lineage", "results/evaluate/metrics.json")
    beside = ("translate-r2s", "register")
    for run in (run for run in runs(project) if run.data.tags["stage"] not in beside):
        assert output.count(f"{run.info.run_name}  run {run.info.run_id[:8]}") == 1
    assert "data/sample/UnityEyes" in output
    assert "another version" not in output


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
    evaluation = load_evaluation(project / "results/evaluate/evaluation.safetensors")
    assert set(evaluation.estimates) == set(errors) - {"mean_gaze_synthetic", "synthetic"}
    assert evaluation.estimates["both"].shape == (1, 24, 2)


def test_translated_sets_keep_every_eye_and_its_labels(project: Path) -> None:
    for direction, source in (("s2r", "adapted"), ("r2s", "prepared/real")):
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
    output = command(
        project,
        *("fpgan", "adapt", "--through", "models/gan/0/F.safetensors", "--out", "data/again"),
    )
    again, adapted = (load_eyes(project / f"data/{name}/eyes.h5") for name in ("again", "adapted"))
    assert len(again) == len(adapted)
    assert f"{len(again)} synthetic eyes" in output
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


def test_changed_code_concerns_only_the_stages_that_reach_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(project))  # the project's code runs in place of the installed one
    shutil.copytree(project / "fpgan", tmp_path / "fpgan")
    harmless = (
        ("fpgan/training/gan.py", "import torch\n", "import torch  # tensors\n"),
        ("fpgan/training/schedule.py", '"""', '"""More of: '),
        ("fpgan/params.py", "steps: int = Field(150_000", "steps: int = Field(150_001"),
    )
    harmful = (
        ("fpgan/losses.py", "sigma: float = 1.5", "sigma: float = 2.5"),
        ("fpgan/figures/error_figures.py", "MARKS = (5, 7)", "MARKS = (5, 8)"),
    )

    def change(changes: tuple[tuple[str, str, str], ...]) -> tuple[str, set[str]]:
        """The output of the code's stage after the changes, and the stages that are then out of date."""
        for name, old, new in changes:
            text = (project / name).read_text()
            assert old in text
            (project / name).write_text(text.replace(old, new, 1))
        output = command(project, "dvc", "repro", "code")
        assert stages_run(output) == ["code"]
        return output, set(json.loads(command(project, "dvc", "status", "dvc.yaml", "--json")))

    assert change(harmless)[1] == set()
    output, concerned = change(harmful)
    assert "the code of train-landmarks has changed: fpgan.losses.heatmap_loss\n" in output
    assert "the code of evaluate has changed: fpgan.figures.error_figures.MARKS\n" in output
    assert concerned == {"train-landmarks@0", "evaluate"}
    shutil.rmtree(project / "fpgan")
    shutil.copytree(tmp_path / "fpgan", project / "fpgan")
    assert change(())[1] == set()


AFTER_REAL_EYES = (
    "prepare-mpiifacegaze",
    "adapt",
    "train-gaze --on adapted",
    "train-gan",
    "translate --direction s2r",
    "translate --direction r2s",
    "train-gaze --on translated",
    "train-gaze --on real",
    "evaluate",
    "register",
)


def test_the_users_own_data_needs_no_gaze_labels(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An HDF5 file of real eyes without gaze labels: everything runs, and what needs labels is named."""
    text = (project / "params.yaml").read_text()
    own = project / "own.h5"
    shutil.copy(project / "data/prepared/real/eyes.h5", own)
    with h5py.File(own, "r+") as file:
        for group in file.values():
            del group["gaze"]
    update(project, {"data": {"mpiifacegaze": "own.h5"}})
    monkeypatch.chdir(project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    for stage in AFTER_REAL_EYES:  # in this process: ten others would take a minute to start
        app(stage.split(), standalone_mode=False)
    assert "errors" not in json.loads(command(project, "dvc", "plots", "show", "--json"))
    (project / "params.yaml").write_text(text)
    scores = json.loads((project / "results/evaluate/metrics.json").read_text())
    assert set(scores["gaze_error_degrees"]) == {"mean_gaze_synthetic", "synthetic"}
    without_labels = {name for name, protocol in PROTOCOLS.items() if protocol.on_real}
    too_few = {"quality_s2r", "quality_r2s"}
    assert set(scores["skipped"]) == without_labels | too_few
    assert scores["preservation"]["r2s"]["gaze_drift_degrees"] > 0
