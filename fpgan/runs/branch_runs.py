"""MLflow runs for the branches that one stage compares: variants, or persons left out in turn."""

from collections.abc import Mapping
from typing import Any

from fpgan.comparison.find_evaluations import FoundEvaluation
from fpgan.evaluation.summary import conclusion
from fpgan.layout import Branch
from fpgan.nested import flat_numbers
from fpgan.runs.headline import DOT
from fpgan.tracking.run import Run


def log_branch(
    run: Run,
    branch: Branch,
    found: FoundEvaluation,
    *,
    params: Mapping[str, str],
    scores: Mapping[str, Any],
) -> None:
    """Logs a branch's parameters and scores as a run below `run`, linked to the branch's evaluation."""
    upstream = {"upstream.evaluation": found.run_id} if found.run_id else {}
    run.child(
        DOT.join((branch.folder.name, conclusion(scores)[0])),
        params=dict(params),
        metrics=flat_numbers(dict(scores)),
        tags=branch.labels | upstream,
    )
