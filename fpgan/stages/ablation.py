"""Compares the evaluations of all variants of the ablation."""

from fpgan.comparison.comparison_report import comparison_csv
from fpgan.comparison.find_evaluations import find_branches
from fpgan.comparison.sheet import draw_sheets
from fpgan.comparison.side_by_side import compare
from fpgan.comparison.variants import ablation_scores, ablation_text
from fpgan.errors import InputError
from fpgan.evaluation.summary import conclusion
from fpgan.layout import Branch
from fpgan.nested import flatten
from fpgan.params import Params
from fpgan.runs.branch_runs import log_branch
from fpgan.runs.stage import run_stage

STAGE = "ablation"
PIPELINE = "pipelines/ablation/dvc.yaml"


def ablation_stage(params: Params) -> str:
    """Writes a table, one sheet of eyes per direction, and metrics.json; returns the table as text.

    The MLflow run has one run per variant below it. Raises InputError if an evaluation is missing, or if
    variants were not tested on the same eyes.
    """
    if not params.ablation:
        raise InputError("ablation: names no variant")
    branches = {variant: Branch(variant) for variant in params.ablation}
    found = find_branches(branches, PIPELINE)
    comparison = compare([each.labelled(variant) for variant, each in found.items()])
    sheets = draw_sheets(comparison, arrows=True, landmarks=False)
    files = {
        "table.csv": comparison_csv(comparison).encode(),
        **{f"sheet_{direction}.png": sheet for direction, sheet in sheets.items()},
    }
    with run_stage(
        STAGE,
        params,
        sections={},
        inputs={variant: each.path for variant, each in found.items()},
        output=None,
        description="Comparison of the variants of the ablation.",
    ) as stage:
        scores = ablation_scores(comparison)
        stage.write_scores(scores)
        for name, content in files.items():
            (stage.results / name).write_bytes(content)
        outcomes = [f"{variant}: {conclusion(each)[0]}" for variant, each in scores.items()]
        stage.conclude(f"{len(scores)} variants", "; ".join(outcomes))
        for i, (variant, each) in enumerate(found.items()):
            changed = flatten({"train_gan": params.ablation[variant]}, ".")
            differing = {name: values[i] for name, values in comparison.differing.items()}
            log_branch(
                stage.run,
                branches[variant],
                each,
                params={name: str(value) for name, value in changed.items()} | differing,
                scores=scores[variant],
            )
    written = ", ".join(str(Branch().results(STAGE) / name) for name in files)
    return f"{ablation_text(comparison)}\n\nWritten: {written}"
