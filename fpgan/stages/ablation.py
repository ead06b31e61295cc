"""The evaluations of all variants of the ablation side by side."""

from fpgan.commands.compare import compared_run, draw_sheets
from fpgan.comparison.comparison_report import comparison_csv
from fpgan.comparison.find_evaluations import find_branches
from fpgan.comparison.side_by_side import compare
from fpgan.comparison.variants import ablation_scores, ablation_text
from fpgan.errors import InputError
from fpgan.layout import Branch
from fpgan.nested import flat_numbers, flatten
from fpgan.params import Params
from fpgan.runs.headline import DOT
from fpgan.runs.stage import run_stage
from fpgan.stages.evaluate import conclusion

STAGE = "ablation"
PIPELINE = "pipelines/ablation/dvc.yaml"


def ablation_stage(params: Params) -> str:
    """Writes a table, a sheet of eyes a direction, and metrics.json; returns the table as text.

    The MLflow run has a run a variant below it. Raises InputError when an evaluation is missing, or variants
    were not tested on the same eyes.
    """
    if not params.ablation:
        raise InputError("ablation: names no variant")
    found = find_branches({variant: Branch(variant) for variant in params.ablation}, PIPELINE)
    comparison = compare([compared_run(variant, each) for variant, each in found.items()])
    files = {
        "table.csv": comparison_csv(comparison).encode(),
        **{
            f"sheet_{direction}.png": sheet
            for direction, sheet in draw_sheets(comparison, arrows=True, landmarks=False).items()
        },
    }
    with run_stage(
        STAGE,
        params,
        sections={},
        inputs={variant: each.path for variant, each in found.items()},
        output=None,
        description="The variants of the ablation side by side.",
    ) as stage:
        scores = ablation_scores(comparison)
        stage.write_scores(scores)
        for name, content in files.items():
            (stage.results / name).write_bytes(content)
        outcomes = {label: conclusion(found)[0] for label, found in scores.items()}
        stage.conclude(
            f"{len(scores)} variants", "; ".join(f"{label}: {outcome}" for label, outcome in outcomes.items())
        )
        for i, run in enumerate(comparison.runs):
            changed = flatten({"train_gan": params.ablation[run.label]}, ".")
            stage.run.child(
                DOT.join((run.label, outcomes[run.label])),
                params={name: str(value) for name, value in changed.items()}
                | {name: values[i] for name, values in comparison.differing.items()},
                metrics=flat_numbers(scores[run.label]),
                tags={"variant": run.label} | ({"upstream.evaluation": run.run_id} if run.run_id else {}),
            )
    written = ", ".join(str(Branch().results(STAGE) / name) for name in files)
    return f"{ablation_text(comparison)}\n\nWritten: {written}"
