"""One MLflow run above those of all stages that one `dvc repro` or `dvc exp run` executes.

Nothing of ours lives as long as the pipeline does. What its stages have in common is the DVC process that
starts them, or the xargs that starts several of these at a time: a file named after it says which run is
theirs. Each stage keeps the run's name, note and status up to date, so that it tells of the last stage when
no more follow.
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
from filelock import FileLock

from fpgan.errors import InputError, Interrupted
from fpgan.files.writing import replacing
from fpgan.layout import project_root
from fpgan.provenance.working_tree import commit_here, uncommitted_changes
from fpgan.runs.headline import DOT
from fpgan.tracking.pipeline_run import begin_pipeline_run, update_pipeline_run
from fpgan.wording import SHORT_COMMIT, SHORT_ID

SAME_START = 2.0  # seconds: a clock that is set shifts what a process says of its start


@dataclass
class Execution:
    """An execution of a pipeline, as its stages know it from each other."""

    run_id: str
    pid: int
    """Of the process that executes it."""
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
    running: list[str] = field(default_factory=list)
    """Those that have not ended."""
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
    def status(self) -> str:
        """Of its run."""
        if self.running:
            return "RUNNING"
        return "FAILED" if self.failed else "KILLED" if self.stopped else "FINISHED"

    @property
    def lives(self) -> bool:
        """Whether its process does."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < SAME_START
        except psutil.Error:
            return False

    def update(self) -> None:
        """Writes it to the store."""
        update_pipeline_run(self.run_id, status=self.status, name=self.name, note=self.note)


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
    process = _executing_process()
    if process is None:
        yield Above(None)
        return
    folder = project_root() / ".fpgan" / "pipelines"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{platform.node()}-{process.pid}.json"
    one_at_a_time = FileLock(folder / ".lock")
    with one_at_a_time:
        _close_abandoned(folder)
        execution = _read(file) or _begin(process, experiment, params)
        execution.stages.append(stage)
        execution.running.append(stage)
        _write(file, execution)
        execution.update()
    above = Above(execution.run_id)
    failed = stopped = ""
    try:
        yield above
    except (Interrupted, KeyboardInterrupt):
        stopped = stage
        raise
    except BaseException:
        failed = stage
        raise
    finally:
        with one_at_a_time:
            execution = _read(file) or execution
            execution.running.remove(stage)
            if above.resumed:
                goes_on = f"{stage} (goes on in run {above.resumed[:SHORT_ID]})"
                execution.stages[execution.stages.index(stage)] = goes_on
            execution.outcome = above.outcome or execution.outcome
            execution.failed = execution.failed or failed
            execution.stopped = stopped or execution.stopped
            _write(file, execution)
            _tell_end(execution)


def _tell_end(execution: Execution) -> None:
    with suppress(InputError):  # the next stage tells it
        execution.update()


def _executing_process() -> psutil.Process | None:
    """The DVC process that started this stage, or the xargs that started that one and others."""
    if "DVC_STAGE" not in os.environ:
        return None
    try:
        ancestors = psutil.Process().parents()
    except psutil.Error:
        return None
    for process, above in zip(ancestors, [*ancestors[1:], None], strict=True):
        if _dvc_arguments(process) is not None:
            return above if above and Path(_words(above)[0]).name == "xargs" else process
    return None


def _dvc_arguments(process: psutil.Process) -> list[str] | None:
    """What DVC was told; None when the process is another program."""
    words = _words(process)
    for i, word in enumerate(words):  # dvc; python .../dvc; python -m dvc; xargs -P 2 dvc
        if Path(word).stem == "dvc":
            return words[i + 1 :]
    return None


def _words(process: psutil.Process) -> list[str]:
    """What it was started by, at least a word."""
    try:
        return process.cmdline() or [""]
    except psutil.Error:
        return [""]


def _begin(process: psutil.Process, experiment: str, params: dict[str, Any]) -> Execution:
    arguments = _dvc_arguments(process) or []
    command = " ".join(["dvc", *arguments])
    commit, changes = commit_here(Path.cwd()), uncommitted_changes(Path.cwd())
    tags = {"stage": "pipeline", "dvc.command": command, "dvc.pipeline": _pipeline_file(arguments)}
    state = "outside of git"
    if commit:
        tags |= {"git.commit": commit, "git.dirty": str(bool(changes)).lower()}
        state = f"at commit {commit[:SHORT_COMMIT]}{', with uncommitted changes' if changes else ''}"
    if name := os.environ.get("DVC_EXP_NAME"):
        tags["dvc.experiment"] = name
        state += f", experiment {name}"
    words = (word for word in arguments if not word.startswith("-"))
    called = " ".join(["dvc", *takewhile(str.isalpha, words)])  # dvc repro; dvc exp run
    tags |= {"mlflow.source.name": called, "mlflow.source.type": "LOCAL"}
    description = f"`{command}` {state}"
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
            execution.stopped = execution.running[-1]
            execution.running = []
            _tell_end(execution)
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
