"""DVC as people live in it: remotes, experiments beside the workspace, a queue, comparisons, raw data."""

import csv
import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from configobj import ConfigObj
from dvc.cli import main as dvc_in_process
from dvc.repo import Repo
from toy import PATIENCE, command, commit, environment, git, runs, update

HEADLINE = {"gaze_error.forward", "gaze_error.backward", "gaze_error.both"} | {
    f"{what}_drift.{direction}" for what in ("gaze", "landmark") for direction in ("s2r", "r2s")
}
CURVES = {"Gaze estimators", "Losses of FP-GAN", "Gaze drift in translation", "Landmark drift in translation"}


@pytest.fixture(scope="module")
def project(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the small project, everything as committed and no run so far, with a remote folder."""
    folder = tmp_path_factory.mktemp("dvc") / "project"
    shutil.copytree(pristine, folder, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts", ".fpgan"))
    git(folder, "checkout", "-q", ".")
    command(folder, "dvc", "checkout", "-q", "--force", "-d", "dvc.yaml")
    command(folder, "dvc", "remote", "add", "-d", "store", "../store")
    commit(folder, "Add a remote")
    return folder


def test_a_second_clone_pulls_what_was_pushed_and_runs_nothing(project: Path) -> None:
    command(project, "dvc", "push")
    clone = project.parent / "clone"
    git(project.parent, "clone", "-q", "project", "clone")
    assert not (clone / "data/sample/UnityEyes").exists()
    command(clone, "dvc", "pull", "-d", "dvc.yaml")
    assert "up to date" in command(clone, "dvc", "status", "-d", "dvc.yaml")
    assert "up to date" in command(clone, "dvc", "repro")
    assert git(clone, "status", "--porcelain") == ""
    assert not (clone / "mlflow.db").exists()
    assert command(clone, "fpgan", "report") == command(project, "fpgan", "report")


def test_a_remote_like_s3_is_five_lines_and_its_secrets_stay_out_of_git(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "-q", str(project), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    for arguments in (
        "add -d -f store s3://eyes/fpgan",
        "modify store endpointurl https://objects.example.org",
        "modify --local store access_key_id KEY",
        "modify --local store secret_access_key SECRET",
    ):
        assert dvc_in_process(["remote", *arguments.split()]) == 0
    shared, own = ConfigObj(".dvc/config"), ConfigObj(".dvc/config.local")
    assert shared["core"]["remote"] == "store"
    assert shared['remote "store"'] == {
        "url": "s3://eyes/fpgan",
        "endpointurl": "https://objects.example.org",
    }
    assert own['remote "store"'] == {"access_key_id": "KEY", "secret_access_key": "SECRET"}
    assert git(Path.cwd(), "status", "--porcelain").split() == ["M", ".dvc/config"]


@pytest.fixture(scope="module")
def strong(project: Path) -> str:
    """The name of an experiment that was run in a copy of the workspace."""
    output = command(
        project,
        *("dvc", "exp", "run", "--temp", "dvc.yaml", "--name", "strong"),
        *("-S", "train_gan.weights.gaze=30", "-S", "train_gan.learning_rate=0.01"),
    )
    assert "No file hash" not in output
    return "strong"


def test_an_experiment_in_a_copy_is_logged_in_the_project(project: Path, strong: str) -> None:
    found = [run for run in runs(project) if run.data.tags.get("dvc.experiment") == strong]
    assert sorted(run.data.tags["stage"] for run in found) == [
        *("evaluate", "register", "train-gan", "train-gaze-translated", "translate-r2s", "translate-s2r"),
    ]
    for run in found:
        assert run.info.status == "FINISHED"
        assert run.data.tags["git.commit"] == git(project, "rev-parse", "HEAD").strip()
        artifacts = Path(run.info.artifact_uri.removeprefix("file://"))
        assert artifacts.is_relative_to(project / "mlartifacts")
        assert (artifacts / "metrics.json").is_file()
    assert list((project / ".fpgan/checkpoints").iterdir()) == []
    assert git(project, "status", "--porcelain") == ""


def test_what_an_experiment_changed_fits_a_screen(project: Path, strong: str) -> None:
    changed = json.loads(command(project, "dvc", "metrics", "diff", "HEAD", strong, "--json"))
    assert set(changed) == {"results/evaluate/headline.json"}
    assert set(changed["results/evaluate/headline.json"]) == HEADLINE
    shown = command(project, *("dvc", "exp", "show", "--only-changed", "--drop", "data/|models/", "--csv"))
    rows = {row["Experiment"] or row["rev"]: row for row in csv.DictReader(shown.splitlines())}
    assert rows[strong]["train_gan.weights.gaze"] == "30"
    assert set(rows[strong]) >= HEADLINE | {"train_gan.learning_rate"}
    assert len(rows[strong]) < 25


def test_plots_of_two_revisions_lie_over_each_other(project: Path, strong: str) -> None:
    output = json.loads(command(project, "dvc", "plots", "diff", "HEAD", strong, "--json"))
    assert "errors" not in output
    plots = output["data"]
    charts = {name for name, parts in plots.items() if parts[0]["type"] == "vega"}
    assert charts == CURVES | {"Gaze errors"}
    for name in charts:
        (chart,) = plots[name]
        assert chart["revisions"] == ["HEAD", strong]
    for name, parts in plots.items():
        if name not in charts:
            assert name.startswith("results/evaluate/figures/")
            assert [part["revisions"] for part in parts] == [["HEAD"], [strong]]
    assert "results/evaluate/figures/translations_s2r.png" in plots
    shares: dict[tuple[str, str], float] = {}
    for row in plots["Gaze errors"][0]["content"]["data"]["values"]:
        key = row["rev"], row["protocol"]
        shares[key] = shares.get(key, 0) + float(row["share_of_eyes"])
    assert {rev for rev, _ in shares} == {"HEAD", strong}
    assert {protocol for _, protocol in shares} >= {"no_adaptation", "forward", "backward", "both"}
    assert all(share == pytest.approx(1, abs=0.01) for share in shares.values())


def start_queue(project: Path) -> None:
    """Starts two workers, which hold its output open: a pipe would be read to their end, a minute later."""
    subprocess.run(
        ["dvc", "queue", "start", "-j", "2"],
        cwd=project,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=PATIENCE,
    )


@pytest.mark.usefixtures("strong")  # whose runs are in the project
def test_a_queue_of_four_by_two_workers(project: Path) -> None:
    before = {run.info.run_id for run in runs(project)}
    sweep = ("-S", "train_gan.weights.cycle_real=1,2,5,20", "-S", "train_gan.steps=5")
    command(project, "dvc", "exp", "run", "--queue", "train-gan@0", *sweep)
    start_queue(project)
    deadline = time.monotonic() + PATIENCE
    queue = Repo(str(project)).experiments.celery_queue  # asked here: each command would load DVC anew
    while (states := [task["status"] for task in queue.status()]).count("Success") < 4:
        assert "Failed" not in states
        assert time.monotonic() < deadline, states
        time.sleep(0.5)
    assert command(project, "dvc", "queue", "status").count("Success") == 4
    command(project, "dvc", "queue", "stop")
    queued = [run for run in runs(project) if run.info.run_id not in before]
    weights = sorted(float(run.data.params["train_gan.weights.cycle_real"]) for run in queued)
    assert weights == [1, 2, 5, 20]
    assert {run.info.status for run in queued} == {"FINISHED"}
    assert len({run.data.tags["dvc.experiment"] for run in queued}) == 4


def test_raw_data_under_dvc_needs_one_command_and_its_path(project: Path) -> None:
    clone = project.parent / "raw"
    git(project.parent, "clone", "-q", "project", "raw")
    assert (clone / "data/raw").is_dir()
    update(clone, {"data": {"unityeyes": "data/raw/UnityEyes", "mpiifacegaze": "data/raw/MPIIFaceGaze"}})
    for name in ("UnityEyes", "MPIIFaceGaze"):
        shutil.copytree(project / "data/sample" / name, clone / "data/raw" / name)
    command(clone, "dvc", "add", "data/raw/UnityEyes", "data/raw/MPIIFaceGaze")
    output = command(clone, "dvc", "repro", "prepare-unityeyes", "prepare-mpiifacegaze")
    assert "render-sample" not in output
    assert not (clone / "data/sample/UnityEyes").exists()
    assert {run.data.tags["stage"] for run in runs(clone)} == {"prepare-unityeyes", "prepare-mpiifacegaze"}
    untracked = git(clone, "status", "--porcelain", "-uall")
    assert "data/raw/UnityEyes.dvc" in untracked
    assert "data/raw/UnityEyes/" not in untracked
    commit(clone, "Raw data")
    locked = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]["prepare-unityeyes"]
    assert locked["deps"][0]["path"] == "data/raw/UnityEyes"
