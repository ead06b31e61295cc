"""What all stages share: digests of the inputs, an MLflow run, and outputs that appear only when complete."""

import csv
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel

from fpgan.errors import InputError
from fpgan.layout import CHECKPOINTS, LOCKS, RESULTS, Branch, Trial
from fpgan.nested import flat_numbers
from fpgan.params import Params
from fpgan.tracking import Run, open_run, project_root
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.loop import History

READ_AT_ONCE = 1 << 20
RUN_ID = "run_id"
DEFAULT = Branch()


@dataclass(frozen=True)
class Stage:
    """A stage that runs: where it writes, and what it tells."""

    run: Run
    output: Path
    """Folder for data or models; its files move to their place when the stage has succeeded."""
    results: Path
    """Folder for metrics.json, curves and pictures; likewise, and they go to the MLflow run too."""
    checkpoints: Checkpoints

    def write_scores(self, scores: dict[str, Any]) -> None:
        """Writes metrics.json, for `dvc metrics`."""
        (self.results / "metrics.json").write_text(json.dumps(scores, indent=2) + "\n")

    def score(self, scores: dict[str, Any]) -> None:
        """Writes metrics.json and logs its numbers, which must not have been logged by step before."""
        self.write_scores(scores)
        self.run.metrics(0, flat_numbers(scores))

    def history(self, rows: History) -> None:
        """Writes history.csv, the curves of `dvc plots`, a row an entry."""
        columns = list(dict.fromkeys(key for row in rows for key in row)) or ["epoch"]
        with (self.results / "history.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)


@contextmanager
def run_stage(
    name: str,
    params: Params,
    *,
    sections: dict[str, BaseModel],  # the parameters the stage depends on
    inputs: dict[str, Path],  # files or folders, by what they are to the stage
    output: Path | None,  # folder its data or models go to
    description: str,
    belongs_to: Branch | Trial = DEFAULT,
) -> Iterator[Stage]:
    """Opens a run for the block, and moves what the block wrote to its place when it ends well.

    Beside the output and the results a `run.json` names the run that made them. A stage that was killed
    goes on in the same run when nothing it depends on has changed; one that another process runs at the same
    time, for an experiment beside this one, is waited for. Raises InputError for a missing input.
    """
    digests = {key: (path, digest(path)) for key, path in inputs.items()}
    dumped: dict[str, Any] = {key: section.model_dump(mode="json") for key, section in sections.items()}
    dumped |= belongs_to.labels
    results = belongs_to.results(name)
    key = _key(name, dumped, digests)
    with (
        _work_folder(key) as work,
        open_run(
            results.relative_to(RESULTS).as_posix(),
            experiment=params.tracking.experiment,
            params=dumped,
            inputs=digests,
            tags={"stage": name} | belongs_to.labels | _upstream(inputs),
            description=description,
            key=key,
            resume=_unfinished_run(work),
        ) as run,
    ):
        (work / RUN_ID).write_text(run.id)
        staging = {
            folder: folder.with_name(f".{folder.name}.partial") for folder in (output, results) if folder
        }
        for partial in staging.values():
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        try:
            yield Stage(
                run, staging[output] if output else staging[results], staging[results], Checkpoints(work)
            )
            record = json.dumps({"run_id": run.id, "stage": name}) + "\n"
            for partial in staging.values():
                (partial / "run.json").write_text(record)
            for file in sorted(staging[results].iterdir()):
                run.artifact(file)
            for folder, partial in staging.items():
                folder.mkdir(parents=True, exist_ok=True)
                for file in partial.iterdir():
                    _move(file, folder / file.name)
        finally:
            for partial in staging.values():
                shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _work_folder(key: str) -> Iterator[Path]:
    """What a stage goes on from, for one process at a time; removed when the block has ended well.

    In the project itself, so that an experiment killed in its copy can be started again in another.
    """
    root = project_root()
    lock = FileLock(root / LOCKS / key)
    Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print("waiting for another process that runs the same stage on the same inputs", file=sys.stderr)
        lock.acquire()
    try:
        work = root / CHECKPOINTS / key
        work.mkdir(parents=True, exist_ok=True)
        yield work
        Checkpoints(work).clear()
    finally:
        lock.release()


def _unfinished_run(work: Path) -> str | None:
    """The id of the run that a killed process left."""
    return (work / RUN_ID).read_text() if (work / RUN_ID).exists() else None


def digest(path: Path) -> str:
    """SHA-256 of a file, or, of a folder, of the names and sizes of the files in it.

    A raw folder holds up to a million pictures: reading them twice would take longer than preparing them.
    """
    found = hashlib.sha256()
    if path.is_file():
        with path.open("rb") as file:
            while block := file.read(READ_AT_ONCE):
                found.update(block)
    elif path.is_dir():
        for file_path in sorted(path.rglob("*")):
            if file_path.is_file():
                found.update(f"{file_path.relative_to(path)}\0{file_path.stat().st_size}\n".encode())
    else:
        raise InputError(
            f"{path}: no such file or folder; run the stage that makes it, or `dvc repro` for all"
        )
    return found.hexdigest()


def _key(name: str, params: dict[str, Any], digests: dict[str, tuple[Path, str]]) -> str:
    content = json.dumps([name, params, {key: value for key, (_, value) in digests.items()}], sort_keys=True)
    return f"{name.replace('@', '-')}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _upstream(inputs: dict[str, Path]) -> dict[str, str]:
    """Tags that name the runs which made the inputs."""
    tags = {}
    for key, path in inputs.items():
        for record in (path / "run.json", path.parent / "run.json"):
            if record.is_file():
                tags[f"upstream.{key}"] = json.loads(record.read_text())["run_id"]
    return tags


def _move(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)
