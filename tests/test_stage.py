import json
from pathlib import Path

import mlflow
import numpy as np
import pytest

from fpgan.errors import InputError
from fpgan.params import Params
from fpgan.stages.stage import Stage, digest, run_stage


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with one input, whose runs go to a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # set by MLflow itself later, and undone after the test
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "upstream").mkdir()
    (tmp_path / "upstream/eyes.h5").write_bytes(b"eyes")
    (tmp_path / "upstream/run.json").write_text('{"run_id": "abc", "stage": "prepare"}')
    return tmp_path


def stage(work: object) -> None:
    params = Params()
    with run_stage(
        "train-gan",
        params,
        sections={"train_gan": params.train_gan},
        inputs={"eyes": Path("upstream/eyes.h5")},
        output=Path("models/gan"),
        description="A stage.",
    ) as running:
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
    # Other inputs: nothing to go on from, and a run of its own.
    Path("upstream/eyes.h5").write_bytes(b"others")

    def fresh(running: Stage) -> None:
        assert running.checkpoints.latest() is None
        good(running)

    stage(fresh)
    assert json.loads(Path("models/gan/run.json").read_text())["run_id"] != second


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
