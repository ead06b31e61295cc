"""The frame of all stages: digests of inputs and code, an MLflow run, outputs that appear when complete."""

import csv
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from pydantic import BaseModel

from fpgan.errors import InputError
from fpgan.files.writing import needing_room
from fpgan.layout import CHECKPOINTS, LOCKS, RESULTS, Branch, Trial, project_root
from fpgan.nested import flat_numbers
from fpgan.params import Params
from fpgan.provenance.digests import Digested, digested
from fpgan.provenance.run_record import recorded_run, write_record
from fpgan.provenance.stage_code import CODE_ARTIFACT, CODE_TAG, stage_code, version
from fpgan.provenance.working_tree import uncommitted_changes
from fpgan.runs.execution import ParentRun, pipeline_stage
from fpgan.runs.headline import Headline, command_tags, labels_of
from fpgan.tracking.run import Run, open_run
from fpgan.tracking.stored_run import PARENT_TAG
from fpgan.training.checkpoint import Checkpoints

if TYPE_CHECKING:
    from fpgan.training.loop import History

RUN_ID = "run_id"
UNCOMMITTED = "uncommitted.diff"
CONCLUSIONS = ("evaluate", "ablation", "cross_person")
"""Stages whose outcome is the pipeline's outcome, except those of single variants or persons."""
DEFAULT = Branch()


@dataclass(frozen=True)
class Stage:
    """A running stage: the folders it writes to, and the record of its results."""

    run: Run
    headline: Headline
    output: Path
    """Folder for data or models; the files move to their final place when the stage succeeds."""
    results: Path
    """Folder for metrics.json, curves and pictures; the files also go to the MLflow run."""
    checkpoints: Checkpoints

    def conclude(self, outcome: str, sentence: str) -> str:
        """Shows the outcome in the run's name and description; returns the sentence."""
        self.headline.conclude(outcome, sentence)
        return sentence

    def write_scores(self, scores: dict[str, Any]) -> None:
        """Writes metrics.json, for `dvc metrics`."""
        (self.results / "metrics.json").write_text(json.dumps(scores, indent=2) + "\n")

    def score(self, scores: dict[str, Any]) -> None:
        """Writes metrics.json and logs its numbers at step 0, under names that no curve uses."""
        self.write_scores(scores)
        self.run.metrics(0, flat_numbers(scores))

    def history(self, rows: "History") -> None:
        """Writes history.csv, the curves of `dvc plots`, with one row per entry."""
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
    inputs: dict[str, Path],  # files or folders, by their role in the stage
    output: Path | None,  # folder its data or models go to
    description: str,
    belongs_to: Branch | Trial = DEFAULT,
) -> Iterator[Stage]:
    """Opens an MLflow run for the block, and moves the block's files to their final place when it succeeds.

    A `run.json` beside the output and beside the results names the run. A killed stage resumes its run if
    its parameters, inputs and code are the same. If another process runs the same stage on the same inputs,
    for an experiment in a copy of the project, this process waits for it. Raises InputError for a missing
    input or if another process runs the stage in this folder, and Unavailable if there is no room for files.
    """
    head = Headline(name, labels_of(belongs_to), description)
    results = belongs_to.results(name)
    with (
        _alone(results),
        needing_room(results),
        pipeline_stage(
            head.name(), experiment=params.tracking.experiment, params=params.model_dump(mode="json")
        ) as pipeline,
        _run_stage(
            head,
            params,
            sections=sections,
            inputs=inputs,
            output=output,
            belongs_to=belongs_to,
            pipeline=pipeline,
        ) as stage,
    ):
        yield stage
        if name in CONCLUSIONS and belongs_to == DEFAULT:
            pipeline.outcome = head.outcome


@contextmanager
def _alone(results: Path) -> Iterator[None]:
    """Keeps other processes from running the stage of these results; a killed process releases it."""
    stage = results.relative_to(RESULTS).as_posix()
    lock = FileLock(LOCKS / f"{stage}.lock")
    Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError(
            f"{stage}: another process is running it here (it holds {lock.lock_file}); wait until it ends or "
            "stop it, and start again"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _run_stage(
    head: Headline,
    params: Params,
    *,
    sections: dict[str, BaseModel],
    inputs: dict[str, Path],
    output: Path | None,
    belongs_to: Branch | Trial,
    pipeline: ParentRun,
) -> Iterator[Stage]:
    name = head.stage
    read = {key: digested(path) for key, path in inputs.items()}
    dumped: dict[str, Any] = {key: section.model_dump(mode="json") for key, section in sections.items()}
    dumped |= belongs_to.labels
    results = belongs_to.results(name)
    code = stage_code(name)
    key = _key(name, dumped, read, code)
    with (
        _work_folder(key) as (work, resume),
        open_run(
            head.name(),
            experiment=params.tracking.experiment,
            params=dumped,
            inputs={key: (path, read[key].version) for key, path in inputs.items()},
            tags={"stage": name, CODE_TAG: version(code)}
            | belongs_to.labels
            | _upstream(inputs)
            | command_tags()
            | ({PARENT_TAG: pipeline.run_id} if pipeline.run_id and not resume else {}),
            description=head.description,
            key=key,
            resume=resume,
        ) as run,
        head.of(run, resumed=resume is not None),
    ):
        (work / RUN_ID).write_text(run.id)
        pipeline.resumed = resume or ""
        _keep_text(run, CODE_ARTIFACT, code)
        _record_changes(run)
        staging = {
            folder: folder.with_name(f".{folder.name}.partial") for folder in (output, results) if folder
        }
        for partial in staging.values():
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        try:
            written = staging[output or results]
            yield Stage(run, head, written, staging[results], Checkpoints(work))
            for partial in staging.values():
                write_record(partial, run.id, name)
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
def _work_folder(key: str) -> Iterator[tuple[Path, str | None]]:
    """The folder of a stage's checkpoints, for one process at a time, and the run that a killed process left.

    It is emptied when the block succeeds. It lies in the project itself so that an experiment killed in one
    copy of the project can resume in another.
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
        left = work / RUN_ID
        yield work, left.read_text() if left.exists() else None
        Checkpoints(work).clear()
    finally:
        lock.release()


def _key(name: str, params: dict[str, Any], read: dict[str, Digested], code: str) -> str:
    digests = {key: found.digest for key, found in read.items()}
    content = json.dumps([name, params, digests, code], sort_keys=True)
    return f"{name.replace('@', '-')}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _upstream(inputs: dict[str, Path]) -> dict[str, str]:
    """Tags of the runs that made the inputs."""
    makers = {key: recorded_run(path) for key, path in inputs.items()}
    return {f"upstream.{key}": run_id for key, run_id in makers.items() if run_id}


def _record_changes(run: Run) -> None:
    """Keeps the uncommitted changes of the code with the run."""
    changes = uncommitted_changes(Path.cwd())
    if changes is None:
        return
    run.tag("git.dirty", "true" if changes else "false")
    if changes:
        _keep_text(run, UNCOMMITTED, changes)


def _keep_text(run: Run, name: str, text: str) -> None:
    """Keeps a text with the run, as a file."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_text(text, encoding="utf-8")
        run.artifact(file)


def _move(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)
