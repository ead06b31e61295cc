"""Every command in README.md and docs/ runs: here, or in a test that is named here."""

import re
import shlex
import shutil
from pathlib import Path

import cv2
import pytest
from toy import ROOT, command

from fpgan.cli import app
from fpgan.data.eye_set import load_eyes

TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:fpgan|dvc|make|python|mlflow|source) [^`]+)`")
NOT_RUN = ("make test", "source ")  # the one runs this, the other is for people
ELSEWHERE = {  # how commands begin that other tests run, and which
    "fpgan use-preset": "test_the_paper_preset_is_the_published_setting",
    "fpgan --install-completion": "test_a_shell_completes_commands_options_and_presets",
    "dvc repro": "test_every_stage_is_one_finished_run_even_the_one_that_was_killed",
    "dvc repro pipelines/": "test_both_pipelines_run_to_their_tables",
    "make ablation": "test_all_of_it_has_been_made",
    "make cross-person": "test_both_pipelines_run_to_their_tables",
    "dvc checkout": "test_lineage_of_restored_results_leads_to_the_rendered_pictures",
    "dvc add": "test_raw_data_under_dvc_needs_one_command_and_its_path",
    "dvc remote add": "test_a_remote_like_s3_is_five_lines_and_its_secrets_stay_out_of_git",
    "dvc push": "test_a_second_clone_pulls_what_was_pushed_and_runs_nothing",
    "dvc pull": "test_a_second_clone_pulls_what_was_pushed_and_runs_nothing",
    "dvc remote modify": "test_a_remote_like_s3_is_five_lines_and_its_secrets_stay_out_of_git",
    "dvc exp run": "test_an_experiment_in_a_copy_is_logged_in_the_project",
    "dvc exp run --queue": "test_a_queue_of_four_by_two_workers",
    "dvc queue start": "test_a_queue_of_four_by_two_workers",
    "dvc exp show": "test_what_an_experiment_changed_fits_a_screen",
    "dvc metrics diff": "test_what_an_experiment_changed_fits_a_screen",
    "dvc plots": "test_plots_of_two_revisions_lie_over_each_other",
    "mlflow models serve": "test_a_served_translator_answers_to_batches_of_eyes",
    "torchrun": "test_two_processes_give_the_result_of_one",
    "srun": "test_two_processes_give_the_result_of_one",
    "python ": "test_scripts_can_be_started",
    "make ui": "test_make_knows_its_targets",
}


def commands() -> list[str]:
    """All commands of the texts, each once, without comments."""
    found: dict[str, None] = {}
    for text in TEXTS:
        content = text.read_text(encoding="utf-8")
        for block in BLOCK.findall(content):
            for line in block.splitlines():
                if words := shlex.split(line, comments=True):
                    found[shlex.join(words)] = None
        for inline in INLINE.findall(BLOCK.sub("", content)):
            found[" ".join(inline.split())] = None
    return list(found)


def here() -> list[str]:
    return [line for line in commands() if not line.startswith((*NOT_RUN, *ELSEWHERE))]


@pytest.fixture(scope="module")
def clone(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run, with a raw folder, an eye set and pictures of the user's."""
    folder = tmp_path_factory.mktemp("readme") / "project"
    shutil.copytree(pristine, folder, symlinks=True)
    shutil.copytree(folder / "data/sample/UnityEyes", folder / "data/raw/UnityEyes")
    shutil.copy(folder / "data/prepared/real/eyes.h5", folder / "my_real_eyes.h5")
    shutil.copy(folder / "results/evaluate/evaluation.safetensors", folder / "other.safetensors")
    (folder / "my_eyes").mkdir()
    for number, picture in enumerate(load_eyes(folder / "my_real_eyes.h5").image[:3]):
        cv2.imwrite(str(folder / "my_eyes" / f"{number}.png"), picture)
    return folder


def test_the_texts_name_commands() -> None:
    assert len(commands()) > 30
    assert len(here()) > 12


@pytest.mark.parametrize("line", here())
def test_a_command_runs(line: str, clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    line = line.replace("RUN RUN", "results/evaluate/evaluation.safetensors other.safetensors")
    line = line.replace("steps=800", "steps=8")
    program, *arguments = shlex.split(line)
    if program == "fpgan":
        app(arguments, standalone_mode=False)
    elif program == "make":
        command(clone, "make", "--assume-old=.venv/.ready", *arguments)
    else:
        command(clone, program, *arguments)


def test_the_tests_that_run_the_others_are_there() -> None:
    files = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    defined = {name for content in files for name in re.findall(r"^def (test_\w+)", content, re.MULTILINE)}
    assert set(ELSEWHERE.values()) - defined == set()


def test_scripts_can_be_started() -> None:
    for script in {line.split()[1] for line in commands() if line.startswith("python ")}:
        assert (ROOT / script).is_file()
        if script.startswith("benchmarks/"):
            assert "usage" in command(ROOT, "python", script, "--help").lower()


def test_make_knows_its_targets() -> None:
    for line in commands():
        if line.startswith("make "):
            command(ROOT, "make", "--dry-run", *line.split()[1:])
