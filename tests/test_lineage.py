"""From a result back to the raw data: two stages, the second of which reads twice what the first made."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
import yaml

from fpgan.commands.lineage import lineage
from fpgan.errors import InputError
from fpgan.params import Params
from fpgan.provenance import working_tree
from fpgan.provenance.digests import OURS, digested
from fpgan.provenance.run_record import recorded_run
from fpgan.provenance.stage_code import stage_code
from fpgan.provenance.working_tree import uncommitted_changes
from fpgan.runs.stage import run_stage

PARAMS = Params.model_validate({"translate": {"batch_size": 128}})
RAW_MD5 = "0123456789abcdef0123456789abcdef.dir"
LOCK = {
    "schema": "2.0",
    "stages": {
        "prepare": {
            "cmd": "fpgan prepare-unityeyes",
            "deps": [
                {"path": "raw", "hash": "md5", "md5": RAW_MD5, "size": 6, "nfiles": 3},
                {"path": "results/code/prepare-unityeyes.txt", "hash": "md5", "md5": "1" * 32, "size": 9},
            ],
            "params": {"params.yaml": {"translate": {"batch_size": 64}}},
            "outs": [{"path": "data/eyes/eyes.h5", "hash": "md5", "md5": "0" * 32, "size": 4}],
        }
    },
}


def stage(name: str, inputs: dict[str, Path], output: Path) -> str:
    with run_stage(
        name,
        PARAMS,
        sections={"translate": PARAMS.translate},
        inputs=inputs,
        output=output,
        description="A stage.",
    ) as running:
        (running.output / "eyes.h5").write_text(name)
        running.conclude("3 eyes", "Three eyes.")
        return running.run.id


def git(*arguments: str) -> None:
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *author, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[dict[str, str]]:
    """The ids of the stages' runs, in the project's folder, whose code has been changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        shutil.copy(empty_store, Path.cwd())
        for folder in (".dvc", "raw", "own"):
            Path(folder).mkdir()
        for name in "abc":
            Path("raw", name).write_text("12")
            Path("own", name).write_text("12")
        outs = [{"md5": RAW_MD5, "size": 6, "nfiles": 3, "hash": "md5", "path": "raw"}]
        Path("raw.dvc").write_text(yaml.safe_dump({"outs": outs}))
        Path("dvc.lock").write_text(yaml.safe_dump(LOCK))
        Path("code.py").write_text("one = 1\n")
        Path(".gitignore").write_text("secret.env\nmlflow.db*\nmlartifacts\n.fpgan\ndata\n")
        git("init", "-q")
        git("add", "-A")
        git("commit", "-qm", "Start")
        Path("code.py").write_text("one = 2\n")
        Path("dvc.lock").write_text(yaml.safe_dump(LOCK) + "# as DVC rewrites it\n")
        Path("secret.env").write_text("PASSWORD\n")
        Path("notes.txt").write_text("PRIVATE\n")
        prepared = Path("data/eyes/eyes.h5")
        yield {
            "prepare-unityeyes": stage(
                "prepare-unityeyes", {"raw": Path("raw"), "more": Path("own")}, prepared.parent
            ),
            "train-gaze-real": stage("train-gaze-real", {"eyes": prepared}, Path("data/net")),
            "evaluate": stage(
                "evaluate", {"eyes": prepared, "net": Path("data/net/eyes.h5")}, Path("data/out")
            ),
        }


def test_a_result_leads_back_to_the_raw_data(made: dict[str, str]) -> None:
    text = lineage("data/out/eyes.h5")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    for name, run_id in made.items():
        assert f"{name} · 3 eyes  run {run_id[:8]}" in text
    for part in (
        f"md5 {digested(Path('data/eyes/eyes.h5')).version}",
        f"commit {commit[:7]} with uncommitted changes",
        "not by default: translate.batch_size 128",
        f"md5 {RAW_MD5}",
        "3 files",
        "known to DVC: raw.dvc",
        "not known to DVC; `dvc add own` changes that",
    ):
        assert part in text
    assert text.count("prepare-unityeyes · 3 eyes") == 1  # described once, though two came from it
    assert "data/eyes/eyes.h5  (see above)" in text
    assert lineage(made["evaluate"][:8]) == lineage("data/out/run.json")
    assert lineage(made["evaluate"]).splitlines()[0] in text


def test_versions_that_a_run_read_are_dvcs(made: dict[str, str]) -> None:
    read = {
        each.dataset.name: each.dataset.digest
        for each in mlflow.get_run(made["prepare-unityeyes"]).inputs.dataset_inputs
    }
    assert read["raw"] == RAW_MD5
    assert read["more"].startswith(OURS)
    Path("raw/d").write_text("1")
    assert digested(Path("raw")).version.startswith(OURS)  # DVC knew other files
    Path("raw/d").unlink()


def test_versions_made_since_are_distinguished(made: dict[str, str]) -> None:
    file = Path("data/eyes/eyes.h5")
    before = file.read_text()
    file.write_text("others")
    assert f"another version lies there now: md5 {digested(file).version}" in lineage("data/net/eyes.h5")
    file.write_text(before)


def test_a_run_that_the_store_has_lost_is_named_and_dvc_lock_goes_on(made: dict[str, str]) -> None:
    record = Path("data/eyes/run.json")
    before = record.read_text()
    record.write_text(json.dumps({"run_id": "f" * 32}))
    text = lineage("data/eyes/eyes.h5")
    record.write_text(before)
    for part in (
        "run ffffffff",
        "not found in the MLflow store",
        "stage prepare",
        "dvc.lock: fpgan prepare-unityeyes",
        "its code has changed since",
        "not by default: translate.batch_size 64",
        f"md5 {RAW_MD5}",
    ):
        assert part in text


def test_changed_code_is_named(made: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = lineage("data/out/eyes.h5")
    assert text.count("its code has not changed since") == len(made)
    now = stage_code("evaluate")
    monkeypatch.setattr(
        "fpgan.commands.lineage.stage_code",
        lambda stage: now.replace("\n", "0\n", 1) if stage == "evaluate" else stage_code(stage),
    )
    text = lineage("data/out/eyes.h5")
    assert f"its code has changed since: {now.split()[0]}\n" in text
    assert text.count("its code has not changed since") == len(made) - 1


def test_raw_data_and_unknown_names(made: dict[str, str]) -> None:
    assert "raw data: no run or stage made it" in lineage("raw")
    for unknown in ("nothing.h5", "abcdef0"):
        with pytest.raises(InputError, match="not found; name a file or folder"):
            lineage(unknown)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"stage": "x"}', b'{"run_id": 3}', b"\xff\xfe"])
def test_a_broken_record_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(InputError, match=r"run\.json: .*dvc checkout --force"):
        recorded_run(tmp_path / "eyes.h5")


def test_uncommitted_changes_stay_with_the_run(made: dict[str, str]) -> None:
    run = mlflow.get_run(made["train-gaze-real"])
    assert run.data.tags["git.dirty"] == "true"
    kept = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/uncommitted.diff")
    assert "-one = 1\n+one = 2\n" in kept
    assert "untracked: notes.txt" in kept
    for absent in ("PASSWORD", "PRIVATE", "secret.env", "as DVC rewrites it"):
        assert absent not in kept


def test_a_large_change_is_cut(made: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working_tree, "LONGEST_DIFF", 40)
    found = uncommitted_changes(Path())
    assert found is not None
    assert "more bytes of changes are left out" in found
    assert len(found) < 200
    assert uncommitted_changes(Path("/")) is None  # outside of git
