"""Finds an evaluation by the name that a user gives: a file, an MLflow run, or a DVC revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fpgan.comparison.side_by_side import ComparedRun
from fpgan.errors import InputError
from fpgan.evaluation.record import Evaluation, load_evaluation
from fpgan.layout import EVALUATION, Branch
from fpgan.provenance.run_record import recorded_run
from fpgan.tracking.query import LoggedRun, ancestors, download, find_run, run_by_prefix, runs_of_stage

STAGE = "evaluate"
ENDINGS = {
    "RUNNING": "has not ended",
    "SCHEDULED": "has not begun",
    "FAILED": "failed",
    "KILLED": "was stopped before its end",
    "DELETED": "was deleted",
}


@dataclass(frozen=True)
class FoundEvaluation:
    """An evaluation, and the run that made it, as far as known."""

    given: str
    """As named by the user."""
    path: Path
    """The file of its record."""
    evaluation: Evaluation
    run_id: str | None
    commit: str | None
    run: LoggedRun | None
    """None if the store does not have it."""

    def labelled(self, label: str) -> ComparedRun:
        """The evaluation under a label that is unique among the compared runs."""
        started = f"{self.run.started:%Y-%m-%d %H:%M}" if self.run else None
        return ComparedRun(label, self.evaluation, self.given, self.run_id, self.commit, started)


def find_evaluation(given: str, folder: Path) -> FoundEvaluation:
    """Finds an evaluation; files are downloaded to `folder`.

    `given` is an existing file, or else the id of an MLflow run or its first digits, or else a DVC revision.
    A run of another stage stands for the newest finished evaluation of its outputs. Raises InputError if
    nothing is found, or if the evaluation cannot be compared.
    """
    if Path(given).is_file():
        return _from_file(given, Path(given))
    if run := run_by_prefix(given):
        return _from_run(given, run, folder)
    from fpgan.provenance.revisions import commit_of, read_at_revision  # DVC takes a while to load

    if commit := commit_of(given):
        record = read_at_revision(EVALUATION, given, folder)
        if record is None:
            raise InputError(f"{given}: that revision has no {EVALUATION}; `dvc repro` makes it there")
        read_at_revision(EVALUATION.with_name("run.json"), given, folder)
        return _from_file(given, record, commit)
    raise InputError(
        f"{given}: not found; it is neither a file nor an MLflow run (an id or at least its first 6 digits) "
        f"nor a DVC revision (git tag, branch or commit, or experiment). {_known_evaluations()}"
    )


def find_branches(branches: Mapping[str, Branch], pipeline: str) -> dict[str, FoundEvaluation]:
    """The evaluations of branches, by name; raises InputError with the missing ones and the remedy."""
    paths = {name: branch.results(STAGE) / EVALUATION.name for name, branch in branches.items()}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        raise InputError(
            f"{paths[missing[0]].parent.parent}: no evaluation of {', '.join(missing)}; "
            f"`dvc repro {pipeline}` makes all"
        )
    return {name: _from_file(str(path), path) for name, path in paths.items()}


def _from_file(given: str, path: Path, commit: str | None = None) -> FoundEvaluation:
    evaluation = _load(given, path)
    run_id = recorded_run(path)
    run = find_run(run_id) if run_id else None
    return FoundEvaluation(given, path, evaluation, run_id, commit or (run.commit if run else None), run)


def _load(given: str, path: Path) -> Evaluation:
    try:
        return load_evaluation(path)
    except InputError as error:
        if given == str(path):
            raise
        # The path of a downloaded file means nothing to the user.
        raise InputError(f"{given}: {error}") from None


def _from_run(given: str, run: LoggedRun, folder: Path) -> FoundEvaluation:
    if run.stage == STAGE and run.status != "FINISHED":
        raise InputError(f"{given}: the run {run.id} ({run.stage}) {ENDINGS[run.status]}")
    evaluated = run if run.stage == STAGE else _newest_descendant(run)
    if evaluated is None:
        ending = "" if run.status == "FINISHED" else f" and {ENDINGS[run.status]}"
        raise InputError(
            f"{given}: the run {run.id} is of the stage {run.stage}{ending}, and no finished evaluation "
            f"descends from it. {_known_evaluations()}"
        )
    path = download(evaluated, EVALUATION.name, folder)
    if path is None:
        raise InputError(
            f"{given}: the run {evaluated.id} ({evaluated.stage}) has no {EVALUATION.name}; evaluate again"
        )
    return FoundEvaluation(given, path, _load(given, path), evaluated.id, evaluated.commit, evaluated)


def _newest_descendant(run: LoggedRun) -> LoggedRun | None:
    known: dict[str, LoggedRun | None] = {}
    return next((each for each in _finished_evaluations() if run.id in ancestors(each, known)), None)


def _finished_evaluations() -> list[LoggedRun]:
    return [run for run in runs_of_stage(STAGE) if run.status == "FINISHED"]


def _known_evaluations() -> str:
    """A list of all finished evaluations, as text."""
    runs = _finished_evaluations()
    if not runs:
        return "No finished evaluation is logged; `dvc repro` makes one."
    lines = [
        f"  {run.id}  {run.started:%Y-%m-%d %H:%M}  {run.tags.get('evaluation.name', '')}"
        f"  seeds {run.tags.get('evaluation.seeds', 'unknown')}"
        for run in runs
    ]
    return "\n".join(["Known evaluations:", *lines])
