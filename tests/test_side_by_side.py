"""`make ablation` and `make cross-person`: several trainings of a pipeline at a time, as one execution."""

import shutil
from pathlib import Path

import pytest
import yaml
from toy import all_runs, command


@pytest.fixture(scope="module")
def project(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run, and of whose ablation two variants have been trained side by side."""
    folder = tmp_path_factory.mktemp("side-by-side") / "project"
    shutil.copytree(pristine, folder, symlinks=True)
    variants = {
        "plain": {"steps": 4, "weights": {"gaze": 0}},
        "strong": {"steps": 4, "weights": {"gaze": 50}},
    }
    values = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(values | {"ablation": variants}))
    command(folder, "make", "--assume-old=.venv/.ready", "ablation")
    return folder


def test_all_of_it_has_been_made(project: Path) -> None:
    assert (project / "results/ablation/table.csv").is_file()
    assert command(project, "dvc", "status", "pipelines/ablation/dvc.yaml").strip() == (
        "Data and pipelines are up to date."
    )


def test_trainings_at_a_time_are_below_one_run(project: Path) -> None:
    found = all_runs(project)
    trained = [run for run in found if "variant" in run.data.tags and "stage" in run.data.tags]
    assert len(trained) == 8
    (above,) = {run.data.tags["mlflow.parentRunId"] for run in trained}
    (execution,) = (run for run in found if run.info.run_id == above)
    assert execution.info.status == "FINISHED"
    assert execution.info.run_name == "dvc repro ablation"  # what came out of all is that of the last stage
    assert execution.data.tags["dvc.pipeline"] == "pipelines/ablation/dvc.yaml"
    assert execution.data.tags["mlflow.note.content"].count("train-gan") == 2
    first, second = sorted(
        (run.info for run in trained if run.data.tags["stage"] == "train-gan"),
        key=lambda info: info.start_time,
    )
    assert second.start_time < first.end_time
