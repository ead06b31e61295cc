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
from fpgan.provenance.working_tree import uncommitted_changes
from fpgan.runs.execution import Above, pipeline_stage
from fpgan.runs.headline import Headline, command_tags, labels_of
from fpgan.tracking.run import Run, open_run
from fpgan.tracking.stored_run import PARENT_TAG
from fpgan.training.checkpoint import Checkpoints

if TYPE_CHECKING:
    from fpgan.training.loop import History

RUN_ID = "run_id"
UNCOMMITTED = "uncommitted.diff"
CONCLUSIONS = ("evaluate", "ablation", "cross_person")
"""Stages whose outcome is that of a whole pipeline, unless they are one variant's or person's of several."""
DEFAULT = Branch()


@dataclass(frozen=True)
class Stage:
    """A stage that runs: where it writes, and what it tells."""

    run: Run
    headline: Headline
    output: Path
    """Folder for data or models; its files move to their place when the stage has succeeded."""
    results: Path
    """Folder for metrics.json, curves and pictures; likewise, and they go to the MLflow run too."""
    checkpoints: Checkpoints

    def conclude(self, outcome: str, sentence: str) -> str:
        """Tells in the run's name and description what came out; returns the sentence."""
        self.headline.conclude(outcome, sentence)
        return sentence

    def write_scores(self, scores: dict[str, Any]) -> None:
        """Writes metrics.json, for `dvc metrics`."""
        (self.results / "metrics.json").write_text(json.dumps(scores, indent=2) + "\n")

    def score(self, scores: dict[str, Any]) -> None:
        """Writes metrics.json and logs its numbers, which must not have been logged by step before."""
        self.write_scores(scores)
        self.run.metrics(0, flat_numbers(scores))

    def history(self, rows: "History") -> None:
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
    time on the same inputs, for an experiment beside this one, is waited for. Raises InputError for a missing
    input or when another process runs the stage here, and Unavailable when there is no room for what is
    written.
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
    """Lets no other process run the stage of these results; the lock of a killed one is none."""
    stage = results.relative_to(RESULTS).as_posix()
    lock = FileLock(LOCKS / f"{stage}.lock")
    Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError(
            f"{stage}: another process is running it here (it holds {lock.lock_file}); wait for its end, or "
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
    pipeline: Above,
) -> Iterator[Stage]:
    name = head.stage
    read = {key: digested(path) for key, path in inputs.items()}
    dumped: dict[str, Any] = {key: section.model_dump(mode="json") for key, section in sections.items()}
    dumped |= belongs_to.labels
    results = belongs_to.results(name)
    key = _key(name, dumped, read)
    with (
        _work_folder(key) as (work, resume),
        open_run(
            head.name(),
            experiment=params.tracking.experiment,
            params=dumped,
            inputs={key: (path, read[key].version) for key, path in inputs.items()},
            tags={"stage": name}
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
    """What a stage goes on from, for one process at a time, and the run that a killed one left.

    Removed when the block has ended well. It is in the project itself, so that an experiment killed in its
    copy can be started again in another.
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


def _key(name: str, params: dict[str, Any], read: dict[str, Digested]) -> str:
    content = json.dumps([name, params, {key: found.digest for key, found in read.items()}], sort_keys=True)
    return f"{name.replace('@', '-')}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _upstream(inputs: dict[str, Path]) -> dict[str, str]:
    """Tags that name the runs which made the inputs."""
    makers = {key: recorded_run(path) for key, path in inputs.items()}
    return {f"upstream.{key}": run_id for key, run_id in makers.items() if run_id}


def _record_changes(run: Run) -> None:
    """Keeps with the run what its code differs in from the commit."""
    changes = uncommitted_changes(Path.cwd())
    if changes is None:
        return
    run.tag("git.dirty", "true" if changes else "false")
    if changes:
        with TemporaryDirectory() as folder:
            file = Path(folder) / UNCOMMITTED
            file.write_text(changes, encoding="utf-8")
            run.artifact(file)


def _move(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)
