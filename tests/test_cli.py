import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
FPGAN = [sys.executable, "-c", "from fpgan.cli import main; main()"]
PIPELINES = [ROOT / "dvc.yaml", *sorted((ROOT / "pipelines").glob("*/dvc.yaml"))]


def stage_commands() -> list[str]:
    """The commands of all stages of all pipelines."""
    stages = [stage for file in PIPELINES for stage in yaml.safe_load(file.read_text())["stages"].values()]
    return sorted({stage.get("do", stage)["cmd"].split()[1] for stage in stages})


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*FPGAN, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_help_lists_every_stage_and_loads_nothing_heavy() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert all(command in shown.stdout for command in (*stage_commands(), "compare", "lineage"))
    imported = "import sys, fpgan.cli; print({m.split('.')[0] for m in sys.modules})"
    modules = subprocess.run(
        [sys.executable, "-c", imported], capture_output=True, text=True, check=True
    ).stdout
    for heavy in ("torch", "mlflow", "numpy", "pydantic", "matplotlib", "cv2", "onnx"):
        assert f"'{heavy}'" not in modules


@pytest.mark.parametrize("command", [*stage_commands(), "compare"])
def test_every_stage_takes_params_and_set(command: str) -> None:
    shown = run(command, "--help").stdout
    assert "--params" in shown
    assert "--set" in shown


def test_a_users_mistake_ends_with_code_2_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("train_gan:\n  stepps: 3\n")
    for arguments, expected in (
        (["train-gan"], "params.yaml:2: train_gan.stepps: unknown key; did you mean 'steps'?"),
        (["train-gan", "--params", "none.yaml"], "none.yaml"),
        (["translate", "--direction", "r2r"], "r2r"),
        (["report"], "run `dvc repro` first"),
    ):
        ended = run(*arguments, folder=tmp_path)
        assert ended.returncode == 2, ended.stderr
        assert expected in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_missing_input_is_named_with_the_remedy_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("{}")
    ended = run("train-landmarks", folder=tmp_path)
    assert ended.returncode == 2
    assert "data/prepared/synthetic/eyes.h5: no such file" in ended.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"params.yaml", ".fpgan"}  # the folder of locks


def test_the_training_core_needs_neither_tracking_nor_pipeline_packages() -> None:
    code = """
import sys
for name in ("mlflow", "dvc", "typer", "pydantic", "albumentations", "rich", "yaml", "scipy", "matplotlib"):
    sys.modules[name] = None
import fpgan.training.gan, fpgan.training.gaze, fpgan.training.landmarks
import fpgan.translation, fpgan.evaluation.estimates, fpgan.evaluation.preservation
import fpgan.networks.weights, fpgan.data.splits
"""
    subprocess.run([sys.executable, "-c", code], check=True)
