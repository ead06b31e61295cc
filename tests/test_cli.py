import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from typer.core import TyperOption
from typer.main import get_command
from typer.testing import CliRunner

from fpgan.cli import COMMANDS, app

ROOT = Path(__file__).parent.parent
FPGAN = [sys.executable, "-m", "fpgan"]
PIPELINES = [ROOT / "dvc.yaml", *sorted((ROOT / "pipelines").glob("*/dvc.yaml"))]


def stage_commands() -> list[str]:
    """The commands of all stages of all pipelines, except the one that digests code."""
    stages = [stage for file in PIPELINES for stage in yaml.safe_load(file.read_text())["stages"].values()]
    return sorted({stage.get("do", stage)["cmd"].split()[1] for stage in stages} - {"digest-code"})


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


NAMES = [function.__name__.replace("_", "-") for functions in COMMANDS.values() for function in functions]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_and_each_of_its_options_is_explained(name: str) -> None:
    command = get_command(app).commands[name]
    assert command.help
    for option in command.params:
        assert option.help, option.name
        if isinstance(option, TyperOption):
            assert all(re.fullmatch("--[a-z-]+", spelled) for spelled in option.opts)
    short, long = (CliRunner().invoke(app, [name, option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.output) == (long.exit_code, long.output) == (0, long.output)


def test_the_help_lists_every_command_under_its_heading() -> None:
    shown = CliRunner().invoke(app, ["-h"]).output
    places = [shown.index(f"─ {heading} ") for heading in COMMANDS]
    assert places == sorted(places)
    assert [line.split()[1] for line in shown.splitlines() if re.match("│ [a-z]", line)] == NAMES
    assert len(NAMES) == len(set(NAMES)) == len(get_command(app).commands)


def test_the_version_is_that_of_the_package() -> None:
    shown = run("--version")
    assert (shown.returncode, shown.stdout) == (0, f"fpgan {version('fpgan')}\n")


def test_a_shell_completes_commands_options_and_presets(tmp_path: Path) -> None:
    home = os.environ | {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    installed = subprocess.run(
        [*FPGAN, "--install-completion", "bash"], env=home, capture_output=True, text=True, check=True
    )
    assert "bash completion installed" in installed.stdout
    assert list(tmp_path.rglob("*.sh"))
    for typed, completed in (
        ("fpgan tr", {"train-gaze", "train-landmarks", "train-gan", "translate"}),
        ("fpgan translate --direction ", {"s2r", "r2s"}),
        ("fpgan export a b --format ", {"folder", "onnx", "pt2", "safetensors"}),
        ("fpgan use-preset pap", {"paper"}),
        ("fpgan report --v", {"--variant"}),
    ):
        words = typed.split(" ")
        asked = {"COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1), "_FPGAN_COMPLETE": "complete_bash"}
        code = "import sys; sys.argv[0] = 'fpgan'; from fpgan.cli import main; main()"
        answered = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | asked,
            capture_output=True,
            text=True,
            check=False,
        )
        assert set(answered.stdout.split()) == completed, answered.stderr


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
import fpgan.training.gan, fpgan.training.tasks, fpgan.training.estimator, fpgan.losses
import fpgan.translation, fpgan.evaluation.estimates, fpgan.evaluation.preservation
import fpgan.networks.weights, fpgan.data.splits
"""
    subprocess.run([sys.executable, "-c", code], check=True)
