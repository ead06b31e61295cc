"""Compares evaluations: finds them, writes the report and logs it."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from fpgan.comparison.comparison_report import comparison_csv, comparison_page, comparison_text
from fpgan.comparison.find_evaluations import FoundEvaluation, find_evaluation
from fpgan.comparison.sheet import draw_sheets
from fpgan.comparison.side_by_side import ComparedRun, compare
from fpgan.errors import InputError
from fpgan.params import Params
from fpgan.runs.headline import DOT, command_tags
from fpgan.tracking.run import open_run
from fpgan.wording import SHORT_ID


def compare_evaluations(
    given: Sequence[str], params: Params, output: Path, *, arrows: bool, landmarks: bool
) -> str:
    """Writes report.html, table.csv and one sheet per direction, logs them; returns the report as text.

    Raises InputError if an evaluation is not found, if two are the same, or if they cannot be compared.
    """
    if len(given) < 2:
        raise InputError("a comparison needs two evaluations or more")
    with TemporaryDirectory() as temporary:
        found = [find_evaluation(name, _subfolder(Path(temporary), i)) for i, name in enumerate(given)]
    runs = _compared(found)
    comparison = compare(runs)
    sheets = draw_sheets(comparison, arrows=arrows, landmarks=landmarks)
    page = comparison_page(comparison, sheets, arrows=arrows, landmarks=landmarks)
    files = {
        "report.html": page.encode(),
        "table.csv": comparison_csv(comparison).encode(),
        **{f"sheet_{direction}.png": sheet for direction, sheet in sheets.items()},
    }
    output.mkdir(parents=True, exist_ok=True)
    for former in output.glob("sheet_*.png"):
        former.unlink()
    for name, content in files.items():
        (output / name).write_bytes(content)
    written = [output / name for name in files]
    _log(runs, params, written)
    return f"{comparison_text(comparison)}\n\nWritten: {', '.join(map(str, written))}"


def _subfolder(folder: Path, number: int) -> Path:
    path = folder / str(number)
    path.mkdir()
    return path


def _compared(found: Sequence[FoundEvaluation]) -> list[ComparedRun]:
    """The runs with unique labels: their names, with the run id if several have the same name."""
    ids = Counter(each.run_id or each.given for each in found)
    for each in found:
        if ids[each.run_id or each.given] > 1:
            raise InputError(f"{each.given}: is given twice, or is the same run as another one")
    names = Counter(each.evaluation.name for each in found)
    return [
        each.labelled(_label(each) if names[each.evaluation.name] > 1 else each.evaluation.name)
        for each in found
    ]


def _label(found: FoundEvaluation) -> str:
    return f"{found.evaluation.name} ({found.run_id[:SHORT_ID] if found.run_id else found.given})"


def _log(runs: Sequence[ComparedRun], params: Params, written: Sequence[Path]) -> None:
    """Logs an MLflow run with the report, tagged with the compared runs."""
    named = {f"run.{i}": f"{run.label}: {run.run_id or run.source}" for i, run in enumerate(runs, start=1)}
    with open_run(
        DOT.join(["compare", *(run.label for run in runs)]),
        experiment=params.tracking.experiment,
        params=named,
        inputs={},
        tags={"stage": "compare"}
        | command_tags()
        | {f"upstream.{i}": run.run_id for i, run in enumerate(runs, start=1) if run.run_id},
        description="Comparison of evaluations.",
        key="compare-" + hashlib.sha256("\n".join(named.values()).encode()).hexdigest()[:16],
        resume=None,
    ) as run:
        for path in written:
            run.artifact(path)
