"""One MLflow run above those of all stages that one `dvc repro` or `dvc exp run` executes.

Nothing of ours lives as long as the pipeline does. What its stages have in common is the DVC process that
starts them: a file named after it says which run is theirs. Each stage keeps the run's name, note and status
up to date, so that it tells of the last stage when no more follow.
"""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import psutil

from fpgan.errors import InputError, Interrupted
from fpgan.files.writing import replacing
from fpgan.provenance.working_tree import commit_here, uncommitted_changes
from fpgan.stages.headline import DOT
from fpgan.tracking import project_root
from fpgan.tracking.pipeline import begin_pipeline_run, update_pipeline_run
from fpgan.wording import SHORT_COMMIT, SHORT_ID

SAME_START = 2.0  # seconds: a clock that is set shifts what a process says of its start


@dataclass
class Execution:
    """An execution of a pipeline, as its stages know it from each other."""

    run_id: str
    pid: int
    """Of the DVC process."""
    started: float
    """When that was started, in seconds since the epoch."""
    title: str
    """The command and, but for the default one, the pipeline: 'dvc repro', 'dvc repro ablation'."""
    description: str
    """The command in full, and the commit, with whether there were uncommitted changes; markdown."""
    stages: list[str] = field(default_factory=list)
    """Those that have been begun, in order."""
    outcome: str = ""
    """Of the last one that has one."""
    running: str = ""
    """The stage that has not ended."""
    failed: str = ""
    """The first stage that failed."""
    stopped: str = ""
    """The stage that a signal stopped."""

    @property
    def name(self) -> str:
        """What has become of it first, for narrow columns."""
        marks = [mark for mark, stage in (("failed", self.failed), ("stopped", self.stopped)) if stage]
        ended = self.failed or self.stopped or self.outcome
        return DOT.join([*marks[:1], self.title, *([ended] if ended else [])])

    @property
    def note(self) -> str:
        """Two lines of markdown."""
        return f"{self.description}  \nStages: {', '.join(self.stages)}"

    @property
    def lives(self) -> bool:
        """Whether its DVC process does."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < SAME_START
        except psutil.Error:
            return False

    def update(self, status: str) -> None:
        """Writes it to the store."""
        update_pipeline_run(self.run_id, status=status, name=self.name, note=self.note)


@dataclass
class Above:
    """What a stage knows of the pipeline it is part of, and tells it."""

    run_id: str | None
    """None where there is none."""
    outcome: str = ""
    """A word or two of what came out."""
    resumed: str = ""
    """The id of the run that the stage goes on with, which stays where it was."""


@contextmanager
def pipeline_stage(stage: str, *, experiment: str, params: dict[str, Any]) -> Iterator[Above]:
    """Joins the run of the pipeline that this stage is executed by, or begins it; does nothing without DVC.

    The stage shows in its name; how the block ends, in its status.
    """
    process = _dvc_process()
    if process is None:
        yield Above(None)
        return
    folder = project_root() / ".fpgan" / "pipelines"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{platform.node()}-{process.pid}.json"
    _close_abandoned(folder)
    execution = _read(file) or _begin(process, experiment, params)
    execution.stages.append(stage)
    execution.running = stage
    _write(file, execution)
    execution.update("RUNNING")
    above = Above(execution.run_id)
    try:
        yield above
    except (Interrupted, KeyboardInterrupt):
        execution.stopped = stage
        raise
    except BaseException:
        execution.failed = execution.failed or stage
        raise
    finally:
        execution.running = ""
        if above.resumed:
            execution.stages[-1] += f" (goes on in run {above.resumed[:SHORT_ID]})"
        execution.outcome = above.outcome or execution.outcome
        _write(file, execution)
        _end(execution)


def _end(execution: Execution) -> None:
    with suppress(InputError):  # the next stage tells it
        execution.update("FAILED" if execution.failed else "KILLED" if execution.stopped else "FINISHED")


def _dvc_process() -> psutil.Process | None:
    """The DVC process that started this stage."""
    if "DVC_STAGE" not in os.environ:
        return None
    try:
        ancestors = psutil.Process().parents()
    except psutil.Error:
        return None
    return next((each for each in ancestors if _dvc_arguments(each) is not None), None)


def _dvc_arguments(process: psutil.Process) -> list[str] | None:
    """What DVC was told; None when the process is another program."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return None
    for i, word in enumerate(words[:4]):  # dvc; python .../dvc; python -m dvc
        if Path(word).stem == "dvc":
            return words[i + 1 :]
    return None


def _begin(process: psutil.Process, experiment: str, params: dict[str, Any]) -> Execution:
    arguments = _dvc_arguments(process) or []
    command = " ".join(["dvc", *arguments])
    commit, changes = commit_here(Path.cwd()), uncommitted_changes(Path.cwd())
    tags = {"stage": "pipeline", "dvc.command": command, "dvc.pipeline": _pipeline_file(arguments)}
    words = "outside of git"
    if commit:
        tags |= {"git.commit": commit, "git.dirty": str(bool(changes)).lower()}
        words = f"at commit {commit[:SHORT_COMMIT]}{', with uncommitted changes' if changes else ''}"
    if name := os.environ.get("DVC_EXP_NAME"):
        tags["dvc.experiment"] = name
        words += f", experiment {name}"
    called = " ".join(["dvc", *takewhile(str.isalpha, arguments)])  # dvc repro; dvc exp run
    tags |= {"mlflow.source.name": called, "mlflow.source.type": "LOCAL"}
    description = f"`{command}` {words}"
    run_id = begin_pipeline_run(experiment, called, description=description, tags=tags, params=params)
    title = f"{called} {Path(tags['dvc.pipeline']).parent.name}".rstrip()
    return Execution(run_id, process.pid, process.create_time(), title, description)


def _pipeline_file(arguments: list[str]) -> str:
    """The first file that DVC was told to run, or else its default."""
    named = (word.partition(":")[0] for word in arguments)
    return next((word for word in named if word.endswith((".yaml", ".dvc"))), "dvc.yaml")


def _close_abandoned(folder: Path) -> None:
    """Ends the runs of pipelines whose DVC process is gone: where it was killed no stage has done so."""
    for file in folder.glob(f"{platform.node()}-*.json"):
        execution = _read(file)
        if execution and execution.lives:
            continue
        if execution and execution.running:
            execution.stopped = execution.running
            _end(execution)
        file.unlink(missing_ok=True)


def _read(file: Path) -> Execution | None:
    """None where there is no file of a process that lives, or lived; what is broken is no loss."""
    try:
        return Execution(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(file: Path, execution: Execution) -> None:
    with replacing(file) as partial:
        partial.write_text(json.dumps(asdict(execution)) + "\n", encoding="utf-8")
