"""One MLflow run above the runs of all stages that one `dvc repro` or `dvc exp run` executes.

No process of this project lives as long as the pipeline. Its stages share the DVC process that starts them,
or the xargs that starts several DVC processes in parallel; a file named after that process holds the
pipeline's run. Each stage updates the name, note and status of the run, so that they describe the last stage
at the end.
"""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from fpgan.errors import Interrupted
from fpgan.files.writing import replacing
from fpgan.layout import project_root
from fpgan.provenance.working_tree import commit_here, uncommitted_changes
from fpgan.runs.headline import DOT
from fpgan.tracking.pipeline_run import begin_pipeline_run, update_pipeline_run
from fpgan.wording import SHORT_COMMIT, SHORT_ID

SAME_START = 2.0  # seconds: setting the clock shifts the start times that processes report


@dataclass
class Execution:
    """An execution of a pipeline: the state that its stages share through a file."""

    run_id: str
    pid: int
    """The process that executes the pipeline."""
    started: float
    """Start of that process, in seconds since the epoch."""
    title: str
    """The command and the name of the pipeline, except the default one: 'dvc repro', 'dvc repro ablation'."""
    description: str
    """The full command and the commit, with a remark on uncommitted changes; markdown."""
    stages: list[str] = field(default_factory=list)
    """The stages begun so far, in order."""
    outcome: str = ""
    """The outcome of the last stage that has one."""
    running: list[str] = field(default_factory=list)
    """The stages that have not ended."""
    failed: str = ""
    """The first stage that failed."""
    stopped: str = ""
    """The stage that a signal stopped."""

    @property
    def name(self) -> str:
        """The run's name; a failure comes first because columns are narrow."""
        marks = [mark for mark, stage in (("failed", self.failed), ("stopped", self.stopped)) if stage]
        ended = self.failed or self.stopped or self.outcome
        return DOT.join([*marks[:1], self.title, *([ended] if ended else [])])

    @property
    def note(self) -> str:
        """The run's description: two lines of markdown."""
        return f"{self.description}  \nStages: {', '.join(self.stages)}"

    @property
    def status(self) -> str:
        """The run's status, in MLflow's terms."""
        if self.running:
            return "RUNNING"
        return "FAILED" if self.failed else "KILLED" if self.stopped else "FINISHED"

    @property
    def lives(self) -> bool:
        """Whether the process that executes the pipeline is alive."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < SAME_START
        except psutil.Error:
            return False

    def update(self) -> None:
        """Updates the run in the store."""
        update_pipeline_run(self.run_id, status=self.status, name=self.name, note=self.note)


@dataclass
class ParentRun:
    """The pipeline's run above a stage's run, and the facts that the stage reports to it."""

    run_id: str | None
    """None outside of a pipeline."""
    outcome: str = ""
    """The stage's outcome in a word or two."""
    resumed: str = ""
    """The run that the stage resumes; it stays below the pipeline that began it."""


@contextmanager
def pipeline_stage(stage: str, *, experiment: str, params: dict[str, Any]) -> Iterator[ParentRun]:
    """Adds a stage to the run of the pipeline that executes it, which the first stage begins.

    The block is the stage; the pipeline's run shows how it ends. Outside of DVC there is no such run.
    """
    process = _executing_process()
    if process is None:
        yield ParentRun(None)
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
    parent = ParentRun(execution.run_id)
    failed = stopped = ""
    try:
        yield parent
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
            if parent.resumed:
                resumed = f"{stage} (resumed run {parent.resumed[:SHORT_ID]})"
                execution.stages[execution.stages.index(stage)] = resumed
            execution.outcome = parent.outcome or execution.outcome
            execution.failed = execution.failed or failed
            execution.stopped = stopped or execution.stopped
            _write(file, execution)
            execution.update()


def _executing_process() -> psutil.Process | None:
    """The DVC process that started this stage, or the xargs that started that process."""
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
    """The arguments of a DVC process; None for other programs."""
    words = _words(process)
    for i, word in enumerate(words):  # dvc; python .../dvc; python -m dvc; xargs -P 2 dvc
        if Path(word).stem == "dvc":
            return words[i + 1 :]
    return None


def _words(process: psutil.Process) -> list[str]:
    """The command line of a process; at least one word."""
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
    """The first pipeline file among DVC's arguments, or its default."""
    named = (word.partition(":")[0] for word in arguments)
    return next((word for word in named if word.endswith((".yaml", ".dvc"))), "dvc.yaml")


def _close_abandoned(folder: Path) -> None:
    """Ends the runs of pipelines whose DVC process and running stage were killed."""
    for file in folder.glob(f"{platform.node()}-*.json"):
        execution = _read(file)
        if execution and execution.lives:
            continue
        if execution and execution.running:
            execution.stopped = execution.running[-1]
            execution.running = []
            execution.update()
        file.unlink(missing_ok=True)


def _read(file: Path) -> Execution | None:
    """The execution in a file; None if there is no file, or a damaged one, which the next stage replaces."""
    try:
        return Execution(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(file: Path, execution: Execution) -> None:
    with replacing(file) as partial:
        partial.write_text(json.dumps(asdict(execution)) + "\n", encoding="utf-8")
