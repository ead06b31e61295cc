"""The code files that DVC's stages depend on: one for each command, of the code that the command reaches."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from toy import ROOT

from fpgan.provenance import stage_code
from fpgan.provenance.stage_code import (
    CODE,
    ENTRIES,
    changed_definitions,
    command_code,
    version,
    write_code_files,
)

PIPELINES = [ROOT / "dvc.yaml", *sorted(ROOT.glob("pipelines/*/dvc.yaml"))]
DIGESTING = "digest-code"


def stages() -> dict[str, dict[str, Any]]:
    """The stages of all pipelines as they are declared, by pipeline and name."""
    return {
        f"{file.parent.name}:{name}": stage.get("do", stage)
        for file in PIPELINES
        for name, stage in yaml.safe_load(file.read_text())["stages"].items()
    }


def reached(command: str) -> set[str]:
    return {line.split()[0] for line in command_code(command).splitlines()}


def test_every_stage_depends_on_the_code_of_its_command() -> None:
    commands = {name: stage["cmd"].split()[1] for name, stage in stages().items()}
    assert {*commands.values()} == {*ENTRIES, DIGESTING}
    for name, command in commands.items():
        found = [path for path in stages()[name].get("deps", []) if path.startswith(str(CODE))]
        assert found == ([] if command == DIGESTING else [f"{CODE}/{command}.txt"]), name


def test_the_code_of_a_command_begins_with_what_the_command_line_calls() -> None:
    tree = ast.parse((ROOT / "fpgan/cli.py").read_text())
    commands = {each.name.replace("_", "-"): each for each in tree.body if isinstance(each, ast.FunctionDef)}
    for command, entries in ENTRIES.items():
        imported = [
            f"{each.module}.{name.name}"
            for each in ast.walk(commands[command])
            if isinstance(each, ast.ImportFrom)
            for name in each.names
        ]
        assert entries[0] in imported
        assert {each for each in imported if not each.startswith("fpgan.commands")} <= {*entries}
        trains_branches = any(argument.arg == "variant" for argument in commands[command].args.args)
        assert command == "translate" or ("fpgan.config.leave_out" in entries) == trains_branches


def test_commands_reach_their_own_code() -> None:
    gan, gaze = reached("train-gan"), reached("train-gaze")
    assert {"fpgan.losses.landmark_loss", "fpgan.training.gan.GANTraining", "fpgan.layout.Trial"} <= gan
    assert "fpgan.losses.landmark_loss" not in gaze
    assert "fpgan.training.augmentation.Augment" in gaze - gan
    assert {"fpgan.figures", "fpgan.figures.error_figures.error_maps"} <= reached("evaluate") - gan
    served = {"fpgan.tracking.registry.register", "fpgan.deployment.served_eyes.ServedNetwork"}
    assert served <= reached("register")
    for command in ENTRIES:
        recording = {name for name in reached(command) if name.startswith(stage_code.ENDS)}
        assert all(command == "register" and ".tracking.registry" in name for name in recording), command
    for end in stage_code.ENDS:
        path, (module, _, name) = ROOT / end.replace(".", "/"), end.rpartition(".")
        defined = path.is_dir() or path.with_suffix(".py").is_file()
        assert defined or hasattr(importlib.import_module(module), name), end
    assert "fpgan.data.mpiifacegaze.MPIIFACEGAZE" not in reached("prepare-unityeyes")
    assert "fpgan.data.hdf5_eyes.HDF5" in reached("prepare-unityeyes")


def test_only_files_that_have_changed_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_code_files()
    files = {path: path.stat().st_mtime_ns for path in CODE.iterdir()}
    assert {path.stem for path in files} == {*ENTRIES}
    gan = CODE / "train-gan.txt"
    assert gan.read_text() == command_code("train-gan")
    lines = gan.read_text().splitlines(keepends=True)
    gan.write_text("".join(["fpgan.gone 0\n", *lines[1:]]))
    output = write_code_files()
    assert output == f"the code of train-gan has changed: {lines[0].split()[0]}, fpgan.gone"
    assert gan.read_text() == command_code("train-gan")
    assert {path for path, time in files.items() if path.stat().st_mtime_ns != time} == {gan}
    assert write_code_files() == "results/code: no stage's code has changed"


def test_changed_definitions_are_named_and_many_counted() -> None:
    before = "a.one 1\na.two 2\na.gone 3\n"
    assert changed_definitions(before, "a.one 1\na.two 4\na.new 5\n") == "a.gone, a.new, a.two"
    assert changed_definitions("", before + "a.four 4\na.five 5\n") == "a.five, a.four, a.gone and 2 more"


def test_the_version_is_dvcs_digest_of_the_file(tmp_path: Path) -> None:
    from dvc_data.hashfile.hash import file_md5
    from dvc_objects.fs.local import LocalFileSystem

    (tmp_path / "code.txt").write_text(command_code("adapt"))
    assert file_md5(str(tmp_path / "code.txt"), LocalFileSystem()) == version(command_code("adapt"))


def test_a_stage_without_a_command_is_named() -> None:
    assert stage_code.stage_code("cross_person") == command_code("cross-person")
    assert stage_code.stage_code("adapt-again") == command_code("adapt")
    with pytest.raises(LookupError, match="train-all"):
        stage_code.stage_code("train-all")


def test_digesting_loads_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys
for name in ("torch", "mlflow", "numpy", "matplotlib", "cv2", "yaml", "dvc"):
    sys.modules[name] = None
sys.argv = ["fpgan", "digest-code"]
from fpgan.cli import main
main()
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"results"}
