"""Compares and pools the evaluations of all persons left out in turn."""

from fpgan.comparison.find_evaluations import find_branches
from fpgan.comparison.persons import mean_over_persons, person_rows, person_text, pool, skipped
from fpgan.config import adapted_to
from fpgan.errors import InputError
from fpgan.evaluation.evaluation_report import scores_report
from fpgan.evaluation.protocols import describe_cross_person
from fpgan.evaluation.summary import conclusion, summarize
from fpgan.evaluation.tables import rows_csv
from fpgan.figures.error_figures import person_errors
from fpgan.layout import Branch
from fpgan.params import Params
from fpgan.runs.branch_runs import log_branch
from fpgan.runs.stage import run_stage

STAGE = "cross_person"
TABLE, FIGURE = "table.csv", "persons.png"
PIPELINE = "pipelines/cross_person/dvc.yaml"


def cross_person_stage(params: Params) -> str:
    """Writes a table, a figure of errors by person, and metrics.json; returns the errors as text.

    The MLflow run has one run per person below it. Raises InputError if an evaluation is missing, if no
    person has gaze labels, or if persons were evaluated with different seeds.
    """
    if not params.cross_person.persons:
        raise InputError("cross_person.persons: names nobody")
    branches = {person: Branch(test_person=person) for person in params.cross_person.persons}
    found = find_branches(branches, PIPELINE)
    evaluations = {person: each.evaluation for person, each in found.items()}
    estimates = pool(evaluations)
    tested = next(iter(estimates.values()))
    with run_stage(
        STAGE,
        params,
        sections={"split": params.split, "adapt": params.adapt},
        inputs={person: each.path for person, each in found.items()},
        output=None,
        description="Every person left out in turn, and all persons together.",
    ) as stage:
        scores = summarize(
            estimates,
            protocol=describe_cross_person(
                tested.persons,
                len(tested.person),
                test_pictures_seen=params.train_gan.real_eyes == "all_persons",
                adapted_to=adapted_to(params, tested.persons),
            ),
            skipped=skipped(evaluations),
            preservation=mean_over_persons(evaluations, "preservation"),
            quality=mean_over_persons(evaluations, "quality"),
        )
        stage.score(scores)
        (stage.results / TABLE).write_bytes(rows_csv(person_rows(evaluations)).encode())
        person_errors(estimates).savefig(stage.results / FIGURE)
        stage.conclude(*conclusion(scores))
        for person, each in found.items():
            branch = branches[person]
            log_branch(stage.run, branch, each, params=branch.labels, scores=each.evaluation.scores)
    written = [Branch().results(STAGE) / name for name in (TABLE, FIGURE)]
    return f"{person_text(evaluations)}\n\n{scores_report(scores, written)}"
